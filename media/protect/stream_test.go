package protect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"
	"unsafe"

	"sotto/media/protect/internal/tier"
)

// appendixA is the pseudo-code of RFC 3711's Appendix A.
func appendixA(sl uint16, roc uint32, seq uint16) uint32 {
	s, q := int32(sl), int32(seq)
	if s < 32768 {
		if q-s > 32768 {
			return roc - 1
		}
		return roc
	}
	if s-32768 > q {
		return roc + 1
	}
	return roc
}

// The guess is that of RFC 3711's Appendix A, at all edges and in between. Only
// before the first roll-over, where that leads to a counter of 2^32-1, it is the
// one packet that there can be.
func TestGuess(t *testing.T) {
	edges := []uint16{0, 1, 2, 32766, 32767, 32768, 32769, 32770, 65534, 65535}
	check := func(roc uint32, last, seq uint16) {
		t.Helper()
		s := stream{highest: uint64(roc)<<16 | uint64(last), begun: true}
		want := uint64(appendixA(last, roc, seq))<<16 | uint64(seq)
		if roc == 0 && want>>47 != 0 {
			want = uint64(seq)
		}
		if got := s.guess(seq); got != want {
			t.Fatalf("%d after %d, count %d: index %d, want %d", seq, last, roc, got, want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, roc := range []uint32{0, 1, 2, 1 << 31, 1<<32 - 2, 1<<32 - 1} {
		for _, last := range edges {
			for _, seq := range edges {
				check(roc, last, seq)
			}
		}
		for range 100_000 {
			check(roc, uint16(r.Uint32()), uint16(r.Uint32()))
		}
	}
}

// A stream is one cache line, and so is what every packet needs of an Opener beside it.
func TestStreamSize(t *testing.T) {
	if n := unsafe.Sizeof(stream{}); n != 64 {
		t.Errorf("%d bytes", n)
	}
	o, err := NewOpener(AEADAES128GCM, make([]byte, 16), make([]byte, 12))
	if err != nil {
		t.Fatal(err)
	}
	if at := unsafe.Offsetof(o.keys) + unsafe.Offsetof(o.keys.gcm) + 16; at > 64 {
		t.Errorf("what every packet needs of an Opener ends after %d bytes", at)
	}
	if at := uintptr(unsafe.Pointer(&o.streams)); runtime.GOARCH == "amd64" && !purego && at%64 != 0 {
		t.Errorf("the first stream is at %#x", at)
	}
}

// Windows of all sizes against a set that forgets nothing: what lies in the
// window opens once, what lies behind it never.
func TestWindow(t *testing.T) {
	for window := minWindow; window <= maxWindow; window += 1 + window/40 {
		var all streams
		all.init(window)
		s := all.add(1)
		r := rand.New(rand.NewPCG(uint64(window), 0))
		seen := map[uint64]bool{}
		index := r.Uint64N(1 << 40)
		var highest uint64
		for i := range 20_000 {
			switch r.IntN(100) {
			case 0:
				index += r.Uint64N(uint64(3 * window))
			default:
				index += r.Uint64N(4)
			}
			try := index
			if r.IntN(2) == 0 {
				try -= r.Uint64N(uint64(window + 3))
			}
			want := !seen[try] && (i == 0 || try+uint64(window) > highest)
			if got := s.fresh(try); got != want {
				t.Fatalf("window %d: index %d with %d the highest: %v", window, try, highest, got)
			}
			if want && r.IntN(8) > 0 { // else it did not authenticate
				s.commit(try)
				seen[try] = true
				highest = max(highest, try)
			}
		}
	}
}

// Config refuses what is out of its bounds, and a window is as large as it says.
func TestConfig(t *testing.T) {
	p := AESCM128HMACSHA1_32
	key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
	for _, c := range []Config{{Window: 63}, {Window: 4097}, {Window: -1}, {Rollovers: -1}, {Rollovers: 17}} {
		if o, err := c.NewOpener(p, key, salt); o != nil || err == nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, window := range []int{0, 64, 100, 4096} {
		o, err := Config{Window: window}.NewOpener(p, key, salt)
		if err != nil {
			t.Fatal(err)
		}
		if window == 0 {
			window = 128
		}
		ref := newReference(p, key, salt)
		open := func(index int) error {
			_, err := o.Open(ref.seal(rtpPacket(testSSRC, uint16(index), 20), 12, uint64(index)))
			return err
		}
		if err := errors.Join(open(10_000), open(10_001-window), open(9_999)); err != nil {
			t.Errorf("window %d: %v", window, err)
		}
		if err := open(10_000 - window); !errors.Is(err, ErrReplay) {
			t.Errorf("window %d: behind it: %v", window, err)
		}
	}
}

// atIndex is a packet of any index as a Sealer would make it.
func atIndex(ref *reference, ssrc uint32, index uint64) (sealed, plain []byte) {
	plain = rtpPacket(ssrc, uint16(index), 30)
	return ref.seal(plain, rtpHeaderLen, index), plain
}

// A receiver that joins late finds the roll-over counter within its bound, and
// not beyond; what came before its first packet opens as well.
func TestRolloverSearch(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
		ref := newReference(p, key, salt)
		for _, c := range []struct {
			rollovers int
			index     uint64
			found     bool
		}{
			{0, 65535, true}, {0, 1<<16 | 32767, true}, {0, 1<<16 | 32768, false},
			{3, 2<<16 | 40000, true}, {3, 3<<16 | 32767, true}, {3, 3<<16 | 32768, false}, {3, 4 << 16, false},
			{16, 16<<16 | 5, true},
		} {
			o, err := Config{Rollovers: c.rollovers}.NewOpener(p, key, salt)
			if err != nil {
				t.Fatal(err)
			}
			sealed, plain := atIndex(ref, testSSRC, c.index)
			if !c.found {
				wantError(t, o.Open, sealed, ErrAuth)
				continue
			}
			wantOpen(t, o, sealed, plain)
			wantError(t, o.Open, sealed, ErrReplay)
			for _, index := range []uint64{c.index - 3, c.index + 1, c.index + 30000} {
				sealed, plain := atIndex(ref, testSSRC, index)
				wantOpen(t, o, sealed, plain)
			}
		}
	})
}

// A roll-over counter that the other side has told is used, its search included,
// before the source is heard, and never after.
func TestSetROC(t *testing.T) {
	_, o, ref := newPair(t, AESCM128HMACSHA1_80)
	const roc = 5_000_000
	set := func(ssrc, roc uint32, want error) {
		t.Helper()
		if err := o.SetROC(ssrc, roc); !errors.Is(err, want) {
			t.Fatalf("%v, want %v", err, want)
		}
	}
	set(testSSRC, 1, nil)
	set(testSSRC, roc, nil) // corrected
	sealed, plain := atIndex(ref, testSSRC, roc<<16|100)
	forged := append([]byte(nil), sealed...)
	forged[20] ^= 1
	wantError(t, o.Open, forged, ErrAuth)
	early, _ := atIndex(ref, testSSRC, 100)
	wantError(t, o.Open, early, ErrAuth)
	wantOpen(t, o, sealed, plain)
	wantError(t, o.Open, sealed, ErrReplay)
	set(testSSRC, roc-1, ErrReplay)
	sealed, plain = atIndex(ref, testSSRC, roc<<16|101)
	wantOpen(t, o, sealed, plain)

	set(testSSRC+1, roc, nil)
	sealed, plain = atIndex(ref, testSSRC+1, (roc+1)<<16|7)
	wantOpen(t, o, sealed, plain)
	set(testSSRC+2, 1<<32-1, nil)
	wrapped, _ := atIndex(ref, testSSRC+2, 0) // the search does not go on at zero
	wantError(t, o.Open, wrapped, ErrAuth)
	sealed, plain = atIndex(ref, testSSRC+2, 1<<48-1)
	wantOpen(t, o, sealed, plain)
	wantError(t, o.Open, wrapped, ErrReplay)
	for i := range uint32(maxStreams - 3) {
		set(testSSRC+3+i, 1, nil)
	}
	set(testSSRC+100, 1, ErrStreams)
	o.Close()
	set(testSSRC+101, 1, ErrClosed)
}

// A Sealer that resumes goes on as the one before it would have, and never back.
func TestResume(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		before, _, _ := newPair(t, p)
		before.index, before.begun, before.rtcp.index = 5<<16-1, true, 99
		s, _, _ := newPair(t, p)
		for _, wrong := range []struct {
			packet uint64
			report uint32
		}{{1 << 48, 0}, {0, 1 << 31}} {
			if err := s.Resume(wrong.packet, wrong.report); !errors.Is(err, ErrKeyLimit) {
				t.Errorf("resumed at %d and %d: %v", wrong.packet, wrong.report, err)
			}
		}
		if err := s.Resume(5<<16-1, 99); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Seal(room(rtpPacket(testSSRC, 65535, 20), MaxTagLen), 32); !errors.Is(err, ErrReuse) {
			t.Errorf("sealed the last packet once more: %v", err)
		}
		pkt, report := rtpPacket(testSSRC, 0, 20), rtcpPacket(testSSRC, 20)
		if got, want := seal(t, s, pkt), seal(t, before, pkt); !bytes.Equal(got, want) {
			t.Errorf("sealed to %x, want %x", got, want)
		}
		if got, want := sealRTCP(t, s, report), sealRTCP(t, before, report); !bytes.Equal(got, want) {
			t.Errorf("report sealed to %x, want %x", got, want)
		}
		if err := s.Resume(1<<40, 1<<20); !errors.Is(err, ErrReuse) {
			t.Errorf("resumed after a packet: %v", err)
		}
		late, _, _ := newPair(t, p)
		sealRTCP(t, late, report)
		if err := late.Resume(0, 0); !errors.Is(err, ErrReuse) {
			t.Errorf("resumed after a report: %v", err)
		}
		s.Close()
		if err := s.Resume(0, 0); !errors.Is(err, ErrClosed) {
			t.Errorf("resumed when closed: %v", err)
		}
	})
}

// Left falls with each packet and says zero when the next one is refused.
func TestLeft(t *testing.T) {
	s, o, ref := newPair(t, AEADAES128GCM)
	left := func(who interface{ Left() (uint64, uint32) }, packets uint64, reports uint32) {
		t.Helper()
		if p, r := who.Left(); p != packets || r != reports {
			t.Fatalf("%d packets and %d reports left, want %d and %d", p, r, packets, reports)
		}
	}
	left(s, 1<<48-1, 1<<31-1)
	left(o, 1<<48-1, 1<<31-1)
	wantOpen(t, o, seal(t, s, rtpPacket(testSSRC, 9, 20)), rtpPacket(testSSRC, 9, 20))
	if _, err := o.OpenRTCP(sealRTCP(t, s, rtcpPacket(testSSRC, 20))); err != nil {
		t.Fatal(err)
	}
	left(s, 1<<48-10, 1<<31-2)
	left(o, 1<<48-10, 1<<31-2)

	s.index, s.rtcp.index = 1<<48-2, 1<<31-2
	if err := o.SetROC(testSSRC+1, 1<<32-1); err != nil {
		t.Fatal(err)
	}
	last, plain := atIndex(ref, testSSRC+1, 1<<48-1)
	wantOpen(t, o, last, plain)
	seal(t, s, rtpPacket(testSSRC, 65535, 20))
	sealRTCP(t, s, rtcpPacket(testSSRC, 20))
	left(s, 0, 0)
	left(o, 0, 1<<31-2)
	buf := room(rtpPacket(testSSRC, 0, 20), MaxTagLen)
	was := string(buf)
	if n, err := s.Seal(buf, 32); n != 0 || !errors.Is(err, ErrKeyLimit) || string(buf) != was {
		t.Errorf("after the last packet: %v", err)
	}
	report := room(rtcpPacket(testSSRC, 20), 20)
	was = string(report)
	if n, err := s.SealRTCP(report, 28); n != 0 || !errors.Is(err, ErrKeyLimit) || string(report) != was {
		t.Errorf("after the last report: %v", err)
	}
	s.Close()
	o.Close()
	left(s, 0, 0)
	left(o, 0, 0)
}

// Packets without payload and of the greatest length that UDP carries.
func TestExtremeLengths(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		eachTier(t, func(t *testing.T, tier tier.Tier) {
			s, o := newTierPair(t, p, tier)
			ref := newReference(p, testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2))
			const greatest = 65535 - 8 - 20 // UDP's and IP's headers
			header := rtpPacket(testSSRC, 0, 0)
			header[0] |= extension | 15
			header = append(header, make([]byte, 4*15)...)
			header = append(header, 0xbe, 0xde, 0x01, 0x00)
			header = append(header, make([]byte, 4*0x100)...)
			for i, pkt := range [][]byte{
				rtpPacket(testSSRC, 0, 0),
				header,
				rtpPacket(testSSRC, 0, greatest-rtpHeaderLen-p.TagLen()),
				append(header, make([]byte, greatest-len(header)-p.TagLen())...),
			} {
				binary.BigEndian.PutUint16(pkt[2:], uint16(i))
				headerLen := rtpHeader(pkt)
				sealed := seal(t, s, pkt)
				if want := ref.seal(pkt, headerLen, uint64(i)); string(sealed) != string(want) {
					t.Fatalf("packet %d: other bytes than the reference", i)
				}
				forged := append([]byte(nil), sealed...)
				forged[len(forged)-p.TagLen()-1] ^= 0x80
				wantError(t, o.Open, forged, ErrAuth)
				wantOpen(t, o, sealed, pkt)
			}
			for i, n := range []int{0, greatest - rtcpHeaderLen - p.RTCPOverhead()} {
				report := sealRTCP(t, s, rtcpPacket(testSSRC, n))
				if want := ref.sealRTCP(rtcpPacket(testSSRC, n), uint32(i+1), true); string(report) != string(want) {
					t.Fatalf("report %d: other bytes than the reference", i)
				}
				if m, err := o.OpenRTCP(report); err != nil || string(report[:m]) != string(rtcpPacket(testSSRC, n)) {
					t.Fatalf("report %d: %v", i, err)
				}
			}
		})
	})
}
