package protect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"sotto/media/protect/internal/tier"
)

var allProfiles = Profiles()

// eachProfile runs test as a subtest for every profile.
func eachProfile(t *testing.T, test func(*testing.T, Profile)) {
	for _, p := range allProfiles {
		t.Run(p.String(), func(t *testing.T) { test(t, p) })
	}
}

// testKey is a key or salt of n bytes, a different one for each seed.
func testKey(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = seed + byte(i)*7
	}
	return b
}

func newPair(t testing.TB, p Profile) (*Sealer, *Opener, *reference) {
	t.Helper()
	s, o := newTierPair(t, p, tier.Best())
	return s, o, newReference(p, testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2))
}

func newTierPair(t testing.TB, p Profile, tier tier.Tier) (*Sealer, *Opener) {
	t.Helper()
	key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
	s, err := newSealer(p, key, salt, tier)
	if err != nil {
		t.Fatal(err)
	}
	o, err := Config{}.newOpener(p, key, salt, tier)
	if err != nil {
		t.Fatal(err)
	}
	return s, o
}

const testSSRC = 0xcafe0001

// rtpPacket is a packet with a plain header and a payload of n bytes.
func rtpPacket(ssrc uint32, seq uint16, n int) []byte {
	b := []byte{0x80, 96}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, uint32(seq)*960)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	for i := range n {
		b = append(b, byte(i)^byte(seq))
	}
	return b
}

// rtcpPacket is a receiver report without report blocks and n more bytes.
func rtcpPacket(ssrc uint32, n int) []byte {
	b := []byte{0x80, 201, 0, 1}
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, bytes.Repeat([]byte{0x5a}, n)...)
}

// room puts pkt at the start of a buffer with exactly tail bytes to spare.
func room(pkt []byte, tail int) []byte { return append(bytes.Clone(pkt), make([]byte, tail)...) }

func seal(t testing.TB, s *Sealer, pkt []byte) []byte {
	t.Helper()
	buf := room(pkt, int(s.tagLen))
	n, err := s.Seal(buf, len(pkt))
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

func sealRTCP(t testing.TB, s *Sealer, pkt []byte) []byte {
	t.Helper()
	buf := room(pkt, s.profile.RTCPOverhead())
	n, err := s.SealRTCP(buf, len(pkt))
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// wantOpen opens a copy of sealed and compares with what was sealed.
func wantOpen(t testing.TB, o *Opener, sealed, want []byte) {
	t.Helper()
	buf := bytes.Clone(sealed)
	n, err := o.Open(buf)
	if err != nil {
		t.Fatalf("sequence number %d: %v", binary.BigEndian.Uint16(want[2:]), err)
	}
	if !bytes.Equal(buf[:n], want) {
		t.Fatalf("opened %x, want %x", buf[:n], want)
	}
}

// wantError opens a copy of sealed, which has to fail and leave it untouched.
func wantError(t testing.TB, open func([]byte) (int, error), sealed []byte, want error) {
	t.Helper()
	buf := bytes.Clone(sealed)
	n, err := open(buf)
	if !errors.Is(err, want) || n != 0 {
		t.Fatalf("%d, %v; want %v", n, err, want)
	}
	if !bytes.Equal(buf, sealed) {
		t.Fatal("a refused packet was changed")
	}
}

func TestProfiles(t *testing.T) {
	for p, want := range map[Profile]string{
		0: "none 0 0 0 4", 9: "none 0 0 0 4",
		AESCM128HMACSHA1_80: "AES_CM_128_HMAC_SHA1_80 16 14 10 14",
		AESCM128HMACSHA1_32: "AES_CM_128_HMAC_SHA1_32 16 14 4 14",
		AESCM192HMACSHA1_80: "AES_192_CM_HMAC_SHA1_80 24 14 10 14",
		AESCM192HMACSHA1_32: "AES_192_CM_HMAC_SHA1_32 24 14 4 14",
		AESCM256HMACSHA1_80: "AES_256_CM_HMAC_SHA1_80 32 14 10 14",
		AESCM256HMACSHA1_32: "AES_256_CM_HMAC_SHA1_32 32 14 4 14",
		AEADAES128GCM:       "AEAD_AES_128_GCM 16 12 16 20",
		AEADAES256GCM:       "AEAD_AES_256_GCM 32 12 16 20",
	} {
		if p.TagLen() > MaxTagLen {
			t.Errorf("profile %d: a tag of %d bytes", uint8(p), p.TagLen())
		}
		if got := fmt.Sprint(p, p.KeyLen(), p.SaltLen(), p.TagLen(), p.RTCPOverhead()); got != want {
			t.Errorf("profile %d: %s, want %s", uint8(p), got, want)
		}
	}
}

func TestConstructorsRefuse(t *testing.T) {
	for _, c := range []struct {
		p         Profile
		key, salt int
	}{{0, 16, 14}, {9, 16, 12}, {AESCM128HMACSHA1_80, 15, 14}, {AESCM128HMACSHA1_80, 32, 14}, {AESCM256HMACSHA1_80, 16, 14}, {AESCM128HMACSHA1_80, 16, 12}, {AESCM128HMACSHA1_80, 0, 0}, {AEADAES128GCM, 16, 14}, {AEADAES256GCM, 16, 12}} {
		if s, err := NewSealer(c.p, make([]byte, c.key), make([]byte, c.salt)); s != nil || err == nil {
			t.Errorf("sealer %v: %v", c, err)
		}
		if o, err := NewOpener(c.p, make([]byte, c.key), make([]byte, c.salt)); o != nil || err == nil {
			t.Errorf("opener %v: %v", c, err)
		}
	}
}

// Every header shape and payload length seals to what RFC 3711 or RFC 7714 says, over
// several roll-overs, and opens again.
func TestSealMatchesReference(t *testing.T) {
	for _, p := range allProfiles {
		s, o, ref := newPair(t, p)
		index := uint64(32000)
		for i := 0; index < 3<<16; i++ {
			pkt := rtpPacket(testSSRC, uint16(index), i%200)
			headerLen := 12
			switch i % 3 {
			case 1: // two contributing sources
				pkt[0] |= 2
				pkt = append(pkt[:12], append([]byte{1, 2, 3, 4, 5, 6, 7, 8}, pkt[12:]...)...)
				headerLen = 20
			case 2: // one-byte extension
				pkt[0] |= 0x10
				pkt = append(pkt[:12], append([]byte{0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0}, pkt[12:]...)...)
				headerLen = 20
			}
			sealed := seal(t, s, pkt)
			if want := ref.seal(pkt, headerLen, index); !bytes.Equal(sealed, want) {
				t.Fatalf("%v: index %d: %x, want %x", p, index, sealed, want)
			}
			wantOpen(t, o, sealed, pkt)
			index += uint64(1 + i%97)
		}
	}
}

func TestSealRTCPMatchesReference(t *testing.T) {
	for _, p := range allProfiles {
		s, o, ref := newPair(t, p)
		for i := range 300 {
			pkt := rtcpPacket(testSSRC, 4*(i%30))
			sealed := sealRTCP(t, s, pkt)
			if want := ref.sealRTCP(pkt, uint32(i+1), true); !bytes.Equal(sealed, want) {
				t.Fatalf("%v: packet %d: %x, want %x", p, i, sealed, want)
			}
			n, err := o.OpenRTCP(sealed)
			if err != nil || !bytes.Equal(sealed[:n], pkt) {
				t.Fatalf("%v: packet %d: %v", p, i, err)
			}
		}
	}
}

func TestWrongKey(t *testing.T) {
	for _, p := range allProfiles {
		s, _, _ := newPair(t, p)
		key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
		key[0] ^= 1
		o, err := NewOpener(p, key, salt)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, o.Open, seal(t, s, rtpPacket(testSSRC, 1, 80)), ErrAuth)
		wantError(t, o.OpenRTCP, sealRTCP(t, s, rtcpPacket(testSSRC, 40)), ErrAuth)
	}
}

// Neither a shortened nor a damaged packet opens, and none of them keeps the
// genuine one from opening afterwards.
func TestTruncatedAndFlipped(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		pkt := rtpPacket(testSSRC, 1, 40)
		sealed := seal(t, s, pkt)
		report := sealRTCP(t, s, rtcpPacket(testSSRC, 24))
		damaged := func(open func([]byte) (int, error), sealed []byte) {
			t.Helper()
			for n := range sealed {
				if _, err := open(bytes.Clone(sealed[:n])); !errors.Is(err, ErrAuth) && !errors.Is(err, ErrMalformed) {
					t.Fatalf("%d of %d bytes: %v", n, len(sealed), err)
				}
			}
			for bit := range 8 * len(sealed) {
				flipped := bytes.Clone(sealed)
				flipped[bit/8] ^= 1 << (bit % 8)
				want := bytes.Clone(flipped)
				if _, err := open(flipped); !errors.Is(err, ErrAuth) && !errors.Is(err, ErrMalformed) {
					t.Fatalf("bit %d flipped: %v", bit, err)
				}
				if !bytes.Equal(flipped, want) {
					t.Fatalf("bit %d flipped: the packet was changed", bit)
				}
			}
		}
		damaged(o.Open, sealed)
		damaged(o.OpenRTCP, report)
		wantOpen(t, o, sealed, pkt)
		if _, err := o.OpenRTCP(report); err != nil {
			t.Fatal(err)
		}
		pkt = rtpPacket(testSSRC, 2, 40) // now of a known source
		sealed, report = seal(t, s, pkt), sealRTCP(t, s, rtcpPacket(testSSRC, 24))
		damaged(o.Open, sealed)
		damaged(o.OpenRTCP, report)
		wantOpen(t, o, sealed, pkt)
		if _, err := o.OpenRTCP(report); err != nil {
			t.Fatal(err)
		}
	})
}

// Each packet opens once, at every place in the window, and not behind it.
func TestReplay(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		const first, count = 65400, 400 // over a roll-over
		pkts, sealed := make([][]byte, count), make([][]byte, count)
		for i := range sealed {
			pkts[i] = rtpPacket(testSSRC, uint16(first+i), 20)
			sealed[i] = seal(t, s, pkts[i])
		}
		for i := 0; i < count; i += 2 { // the odd ones are late
			wantOpen(t, o, sealed[i], pkts[i])
			wantError(t, o.Open, sealed[i], ErrReplay)
		}
		newest := count - 2
		for i := range count {
			behind := newest - i
			switch {
			case i%2 == 0 || behind >= defaultWindow:
				wantError(t, o.Open, sealed[i], ErrReplay)
			default:
				wantOpen(t, o, sealed[i], pkts[i])
				wantError(t, o.Open, sealed[i], ErrReplay)
			}
		}
	})
}

func TestReplayRTCP(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		var old [][]byte
		for range defaultWindow + 2 {
			report := sealRTCP(t, s, rtcpPacket(testSSRC, 0))
			old = append(old, bytes.Clone(report))
			if _, err := o.OpenRTCP(report); err != nil {
				t.Fatal(err)
			}
		}
		for _, report := range old {
			wantError(t, o.OpenRTCP, report, ErrReplay)
		}
	})
}

// An authentic SRTCP packet that is not encrypted is not accepted.
func TestClearSRTCPRefused(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		_, o, ref := newPair(t, p)
		wantError(t, o.OpenRTCP, ref.sealRTCP(rtcpPacket(testSSRC, 8), 1, false), ErrMalformed)
		report := ref.sealRTCP(rtcpPacket(testSSRC, 8), 1, true)
		if _, err := o.OpenRTCP(report); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSealRefuses(t *testing.T) {
	s, _, _ := newPair(t, AESCM128HMACSHA1_80)
	seal(t, s, rtpPacket(testSSRC, 1000, 20))
	sealRTCP(t, s, rtcpPacket(testSSRC, 0))
	for name, c := range map[string]struct {
		pkt  []byte
		tail int
		want error
	}{
		"same index":             {rtpPacket(testSSRC, 1000, 20), 10, ErrReuse},
		"one back":               {rtpPacket(testSSRC, 999, 20), 10, ErrReuse},
		"half the numbers ahead": {rtpPacket(testSSRC, 1000+1<<15, 20), 10, ErrReuse},
		"another source":         {rtpPacket(testSSRC+1, 1001, 20), 10, ErrStreams},
		"no room":                {rtpPacket(testSSRC, 1001, 20), 9, ErrRoom},
		"short":                  {rtpPacket(testSSRC, 1001, 0)[:11], 10, ErrMalformed},
		"version 1":              {append([]byte{0x40}, rtpPacket(testSSRC, 1001, 0)[1:]...), 10, ErrMalformed},
		"CSRC list cut short":    {append([]byte{0x81}, rtpPacket(testSSRC, 1001, 3)[1:]...), 10, ErrMalformed},
	} {
		if n, err := s.Seal(room(c.pkt, c.tail), len(c.pkt)); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d, %v; want %v", name, n, err, c.want)
		}
	}
	for name, c := range map[string]struct {
		pkt  []byte
		tail int
		want error
	}{
		"RTCP no room":        {rtcpPacket(testSSRC, 0), s.profile.RTCPOverhead() - 1, ErrRoom},
		"RTCP another source": {rtcpPacket(testSSRC+1, 0), s.profile.RTCPOverhead(), ErrStreams},
		"RTCP short":          {rtcpPacket(testSSRC, 0)[:7], s.profile.RTCPOverhead(), ErrMalformed},
	} {
		if n, err := s.SealRTCP(room(c.pkt, c.tail), len(c.pkt)); !errors.Is(err, c.want) || n != 0 {
			t.Errorf("%s: %d, %v; want %v", name, n, err, c.want)
		}
	}
	for _, n := range []int{-1, 33} {
		if _, err := s.Seal(make([]byte, 32), n); !errors.Is(err, ErrMalformed) {
			t.Errorf("length %d: %v", n, err)
		}
		if _, err := s.SealRTCP(make([]byte, 32), n); !errors.Is(err, ErrMalformed) {
			t.Errorf("RTCP length %d: %v", n, err)
		}
	}
	seal(t, s, rtpPacket(testSSRC, 1001, 20)) // none of it did any harm
}

// Loss and reordering around 65535 leave the count right.
func TestRolloverWithLossAndReordering(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		var pkts, sealed [][]byte
		for seq := 65500; seq < 65600; seq++ {
			pkts = append(pkts, rtpPacket(testSSRC, uint16(seq), 30))
			sealed = append(sealed, seal(t, s, pkts[len(pkts)-1]))
		}
		for _, i := range []int{0, 1, 30, 40, 33, 36, 39, 35, 34, 99, 37, 2, 98} { // 36 is 65536
			wantOpen(t, o, sealed[i], pkts[i])
		}
	})
}

// A receiver that misses everything up to the roll-over, because it was lost
// or came before the keys, still finds the stream; and packets from before the
// roll-over that come late open as well.
func TestLateJoin(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		var pkts, sealed [][]byte
		for seq := 65530; seq < 65550; seq++ {
			pkts = append(pkts, rtpPacket(testSSRC, uint16(seq), 30))
			sealed = append(sealed, seal(t, s, pkts[len(pkts)-1]))
		}
		// Forged packets of the same source come first and spoil nothing.
		for _, i := range []int{7, 8} {
			forged := bytes.Clone(sealed[i])
			forged[20] ^= 1
			wantError(t, o.Open, forged, ErrAuth)
		}
		for _, i := range []int{9, 8, 4, 10, 19} {
			wantOpen(t, o, sealed[i], pkts[i])
		}
	})
}

// After a forgery that made the opener try one roll-over, a stream that has
// none opens all the same.
func TestForgedSourceDoesNotShiftCount(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		s, o, _ := newPair(t, p)
		pkt := rtpPacket(testSSRC, 100, 30)
		sealed := seal(t, s, pkt)
		forged := bytes.Clone(sealed)
		forged[12] ^= 1
		wantError(t, o.Open, forged, ErrAuth)
		wantError(t, o.Open, forged, ErrAuth)
		wantOpen(t, o, sealed, pkt)
		next := rtpPacket(testSSRC, 101, 30)
		wantOpen(t, o, seal(t, s, next), next)
	})
}

// Forged sources leave no more than a bounded trace; authentic ones are
// bounded as well.
func TestSourcesAreBounded(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		_, o, ref := newPair(t, p)
		for i := range uint32(1000) {
			forged := ref.seal(rtpPacket(testSSRC+100+i, 5, 20), 12, 5)
			forged[len(forged)-1] ^= 1
			wantError(t, o.Open, forged, ErrAuth)
			report := ref.sealRTCP(rtcpPacket(testSSRC+100+i, 0), 1, true)
			report[len(report)-1] ^= 1
			wantError(t, o.OpenRTCP, report, ErrAuth)
		}
		if o.streams[0].known || o.rtcp.streams[0].known {
			t.Fatalf("forgeries left streams %+v, reporters %+v", o.streams, o.rtcp.streams)
		}
		for i := range uint32(maxStreams) {
			pkt := rtpPacket(testSSRC+i, 5, 20)
			wantOpen(t, o, ref.seal(pkt, 12, 5), pkt)
			if _, err := o.OpenRTCP(ref.sealRTCP(rtcpPacket(testSSRC+i, 0), 1, true)); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, o.Open, ref.seal(rtpPacket(testSSRC+maxStreams, 5, 20), 12, 5), ErrStreams)
		wantError(t, o.OpenRTCP, ref.sealRTCP(rtcpPacket(testSSRC+maxStreams, 0), 1, true), ErrStreams)
		pkt := rtpPacket(testSSRC, 6, 20)
		wantOpen(t, o, ref.seal(pkt, 12, 6), pkt) // the known ones go on
	})
}

func TestCryptexRefused(t *testing.T) {
	_, o, ref := newPair(t, AESCM128HMACSHA1_80)
	for _, profile := range []uint16{0xc0de, 0xc2de} {
		pkt := rtpPacket(testSSRC, 1, 20)
		pkt[0] |= 0x10
		binary.BigEndian.PutUint16(pkt[12:], profile)
		binary.BigEndian.PutUint16(pkt[14:], 1)
		wantError(t, o.Open, ref.seal(pkt, 20, 1), ErrMalformed)
	}
}

func TestClosed(t *testing.T) {
	s, o, _ := newPair(t, AESCM128HMACSHA1_80)
	pkt := seal(t, s, rtpPacket(testSSRC, 1, 20))
	s.Close()
	s.Close()
	o.Close()
	o.Close()
	wantError(t, o.Open, pkt, ErrClosed)
	wantError(t, o.OpenRTCP, pkt, ErrClosed)
	if _, err := s.Seal(make([]byte, 100), 20); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := s.SealRTCP(make([]byte, 100), 20); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// The caller wipes the master key when the constructors have returned.
func TestMasterKeyNotKept(t *testing.T) {
	eachProfile(t, func(t *testing.T, p Profile) {
		key, salt := testKey(p.KeyLen(), 1), testKey(p.SaltLen(), 2)
		s, err := NewSealer(p, key, salt)
		if err != nil {
			t.Fatal(err)
		}
		clear(key)
		clear(salt)
		_, o, _ := newPair(t, p)
		pkt := rtpPacket(testSSRC, 1, 20)
		wantOpen(t, o, seal(t, s, pkt), pkt)
	})
}
