package protect

import (
	"bytes"
	"os"
	"testing"
)

// FuzzOpen feeds any bytes to all openers: none panics, what is refused stays
// as it was, and what opens opens once.
func FuzzOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		_, o, _ := newPair(t, AESCM128HMACSHA1_32)
		_, g, _ := newPair(t, AEADAES128GCM)
		for _, open := range []func([]byte) (int, error){o.Open, o.OpenRTCP, g.Open, g.OpenRTCP} {
			buf := bytes.Clone(data)
			n, err := open(buf)
			if err != nil {
				if n != 0 || !bytes.Equal(buf, data) {
					t.Fatalf("refused with %v, yet %d bytes or changed", err, n)
				}
				continue
			}
			wantError(t, open, data, ErrReplay)
		}
	})
}

// FuzzSealOpen seals any bytes that look like a packet: they open to the same
// bytes, and no buffer grows beyond the tag.
func FuzzSealOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []Profile{AESCM256HMACSHA1_80, AEADAES256GCM} {
			sealOpen(t, p, data)
		}
	})
}

func sealOpen(t *testing.T, p Profile, data []byte) {
	s, o, _ := newPair(t, p)
	buf := append(room(data, s.profile.RTCPOverhead()), 0x77)
	if n, err := s.Seal(buf[:len(buf)-1], len(data)); err == nil {
		sealed := buf[:n]
		if n != len(data)+int(s.tagLen) {
			t.Fatalf("%d bytes sealed to %d", len(data), n)
		}
		if _, err := o.Open(sealed); err == nil {
			if !bytes.Equal(sealed[:len(data)], data) {
				t.Fatalf("opened %x, want %x", sealed[:len(data)], data)
			}
		} else if !cryptex(data) {
			t.Fatal(err)
		}
	}
	s, o, _ = newPair(t, p)
	copy(buf, data)
	if n, err := s.SealRTCP(buf[:len(buf)-1], len(data)); err == nil {
		if m, err := o.OpenRTCP(buf[:n]); err != nil || !bytes.Equal(buf[:m], data) {
			t.Fatalf("RTCP opened %x, %v; want %x", buf[:m], err, data)
		}
	}
	if buf[len(buf)-1] != 0x77 {
		t.Fatal("wrote behind the buffer")
	}
}

// The fuzz targets are worth little without the packets they start from.
func TestSeedsArePresent(t *testing.T) {
	for name, want := range map[string]int{"FuzzOpen": 13, "FuzzSealOpen": 7} {
		entries, err := os.ReadDir("testdata/fuzz/" + name)
		if err != nil || len(entries) < want {
			t.Errorf("%s: %d seeds, %v; want %d", name, len(entries), err, want)
		}
	}
}
