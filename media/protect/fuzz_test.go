package protect

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"sotto/media/protect/internal/tier"
)

// FuzzOpen feeds any bytes to openers and to the oracle, twice: the same verdict,
// no panic, and what is refused stays as it was.
func FuzzOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []Profile{AESCM128HMACSHA1_32, AEADAES128GCM} {
			for _, tier := range tier.Available() {
				key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
				_, o := newTierPair(t, p, tier)
				d := &duel{T: t, name: p.String(), opener: o, known: map[uint32]bool{}}
				d.opensWith = func() oracleContext {
					c, err := newOracle(p, key, salt, defaultWindow)
					if err != nil {
						t.Fatal(err)
					}
					return c
				}
				d.theirs.opens = d.opensWith()
				for range 2 {
					d.deliver(data)
					d.deliverRTCP(data)
				}
			}
		}
	})
}

// script is a source of chance that says when its bytes have come to an end, and
// goes on with others: rand asks for more until it likes what it gets.
type script struct {
	bytes []byte
	rest  rand.PCG
	ended bool
}

func (s *script) Uint64() uint64 {
	if len(s.bytes) < 8 {
		s.ended = true
		return s.rest.Uint64()
	}
	word := binary.LittleEndian.Uint64(s.bytes)
	s.bytes = s.bytes[8:]
	return word ^ s.rest.Uint64()
}

// FuzzDuel lets bytes decide what is sealed, lost, late, repeated and damaged.
func FuzzDuel(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		chance := &script{bytes: data[1:]}
		p := Profile(1 + int(data[0])%len(allProfiles))
		d := newDuel(t, p, tier.Best(), chance)
		for range epochLen {
			if chance.ended {
				return
			}
			d.step()
		}
	})
}

// FuzzSealOpen seals any bytes that look like a packet: as the oracle does, they
// open to the same bytes, and no buffer grows beyond the tag.
func FuzzSealOpen(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range []Profile{AESCM256HMACSHA1_80, AEADAES256GCM} {
			sealOpen(t, p, data)
		}
	})
}

func sealOpen(t *testing.T, p Profile, data []byte) {
	s, o, _ := newPair(t, p)
	theirs, err := newOracle(p, testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2), defaultWindow)
	if err != nil {
		t.Fatal(err)
	}
	buf := append(room(data, s.profile.RTCPOverhead()), 0x77)
	if n, err := s.Seal(buf[:len(buf)-1], len(data)); err == nil {
		sealed := buf[:n]
		if n != len(data)+int(s.tagLen) {
			t.Fatalf("%d bytes sealed to %d", len(data), n)
		}
		theirBuf := room(data, MaxTagLen)
		if m, err := theirs.Seal(theirBuf, len(data)); err == nil && !bytes.Equal(theirBuf[:m], sealed) {
			t.Fatalf("sealed to %x, by the oracle %x", sealed, theirBuf[:m])
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
		theirBuf := room(data, 20)
		if m, err := theirs.SealRTCP(theirBuf, len(data)); err == nil && !bytes.Equal(theirBuf[:m], buf[:n]) {
			t.Fatalf("RTCP sealed to %x, by the oracle %x", buf[:n], theirBuf[:m])
		}
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
	for name, want := range map[string]int{"FuzzDuel": 8, "FuzzOpen": 13, "FuzzSealOpen": 7} {
		entries, err := os.ReadDir("testdata/fuzz/" + name)
		if err != nil || len(entries) < want {
			t.Errorf("%s: %d seeds, %v; want %d", name, len(entries), err, want)
		}
	}
}
