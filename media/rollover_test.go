package media

import (
	"bytes"
	"encoding/binary"
	"testing"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// The sequence number wraps from 65535 to 0, and the other side follows. Each
// stream starts in the lower half, so that this is hours away from it.
func TestSenderRollsOver(t *testing.T) {
	profile := protect.AESCM256HMACSHA1_32
	key, salt := make([]byte, profile.KeyLen()), make([]byte, profile.SaltLen())
	sealer, err := protect.NewSealer(profile, key, salt)
	if err != nil {
		t.Fatal(err)
	}
	opener, err := protect.NewOpener(profile, key, salt)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := route.Policy{}.Verify(route.Route{Class: route.Internal})
	if err != nil {
		t.Fatal(err)
	}
	codec, ok := codecs.Lookup("PCMU")
	if !ok {
		t.Fatal("no PCMU")
	}
	var sent []byte
	s, err := NewSender(SenderConfig{
		Source: audio.Silence{}, Codec: codec, Sequence: 65535, Secure: true,
		Write: func(b []byte) error { sent = bytes.Clone(b); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.sequence != 32767 {
		t.Errorf("starts at %d", s.sequence)
	}
	if err := s.Release(verified, sealer); err != nil {
		t.Fatal(err)
	}
	for _, want := range []uint16{65533, 65534, 65535, 0, 1, 2} {
		if want == 65533 {
			s.sequence = want
		}
		if err := s.Tick(); err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint16(sent[2:]); got != want {
			t.Fatalf("number %d, want %d", got, want)
		}
		if _, err := opener.Open(sent); err != nil {
			t.Fatalf("number %d: %v", want, err)
		}
	}
}
