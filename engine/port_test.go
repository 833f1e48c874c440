package engine_test

import (
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/sip/sdp"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// mediaOf is where a call of the engine's takes its media.
func mediaOf(t *testing.T, offer []byte) netip.AddrPort {
	t.Helper()
	s, err := sdp.Parse(offer)
	if err != nil {
		t.Fatal(err)
	}
	m := s.Media[s.Audio()]
	return netip.AddrPortFrom(m.Address, m.Port)
}

// STUN, DTLS, TURN, RTP, RTCP and bytes that are nothing arrive on the port of a
// call, before the keys and after: it agrees keys and goes on, and nothing of
// them is played.
func TestAdversary_F4_EverythingOnOnePort(t *testing.T) {
	t.Parallel()
	r, heard := newRogue(t, true), newRecorder(1)
	r.deaf.Store(true)
	call, dialog, _ := r.call(withAudio(audio.Silence{}, heard))
	to := mediaOf(t, dialog.RemoteOffer())
	pour := func() {
		for first := range 256 {
			for _, n := range []int{1, 4, 12, 20, 28, 172, 1400} {
				b := make([]byte, n)
				_, _ = rand.Read(b)
				b[0] = byte(first)
				if _, err := r.media.WriteToUDPAddrPort(b, to); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	until[engine.Answered](t, call)
	pour()
	r.deaf.Store(false)
	until[engine.Secured](t, call)
	before := call.Stats()
	for start := time.Now(); call.Stats().Discarded == before.Discarded; {
		if time.Since(start) > limit {
			t.Fatal("nothing arrives")
		}
		pour()
	}
	if sounds(t, heard, 20) {
		t.Error("something is played")
	}
	if s := call.Stats(); s.PacketsReceived != 0 || call.Level() != engine.LevelEncrypted {
		t.Errorf("%v, %+v", call.Level(), s)
	}
}

// The path from the other side changes in the midst of key agreement and of the
// call, as when a NAT forgets: what counts is what is in the packets.
func TestAdversary_F5_PathChanges(t *testing.T) {
	t.Parallel()
	far := newRecorder(1)
	a, b := newEngine(t, withAudio(audio.NewTone(440, 0.5), audio.Discard{})), newEngine(t, withAudio(audio.NewTone(880, 0.5), far))
	s := newServer(t, b, func(s *server) { s.wander = true })
	caller, callee := s.through(a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	s.hear(20)
	if got := caller.Stats(); got.PacketsReceived < 10 || got.Discarded.Auth+got.Discarded.Clear+got.Discarded.OtherSource != 0 {
		t.Errorf("%+v", got)
	}
}

// A flood of Hellos from strangers fills nothing, and a call under way goes on.
func TestAdversary_F6_HelloFlood(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	call, dialog, _ := r.call(engine.Config{})
	to := mediaOf(t, dialog.RemoteOffer())
	until[engine.Secured](t, call)
	var hellos [][]byte
	for i := range byte(20) {
		stranger, err := zrtp.New(zrtp.Config{Rand: rand.Reader, ZID: wire.ZID{0x5a, i}, SSRC: uint32(i) + 1, ClientID: "flood"})
		if err != nil {
			t.Fatal(err)
		}
		stranger.Start(time.Now())
		hello, ok := stranger.AppendPacket(nil)
		if !ok {
			t.Fatal("no Hello")
		}
		hellos = append(hellos, hello)
	}
	for range 10_000 / len(hellos) {
		for _, hello := range hellos {
			if _, err := r.media.WriteToUDPAddrPort(hello, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := call.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if call.Level() != engine.LevelCompared {
		t.Errorf("level is %v", call.Level())
	}
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	if e := until[engine.Ended](t, call); e.Reason.Kind != engine.HungUp {
		t.Errorf("ended with %+v", e.Reason)
	}
}
