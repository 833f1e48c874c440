package zrtp

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"sotto/zrtp/wire"
)

// A length word that is not the datagram's.
func TestAdversary_C1_LengthWord(t *testing.T) {
	for name, lie := range map[string]func(words uint16) uint16{
		"shorter": func(words uint16) uint16 { return words - 1 },
		"longer":  func(words uint16) uint16 { return words + 1 },
		"none":    func(uint16) uint16 { return 0 },
		"most":    func(uint16) uint16 { return 0xffff },
	} {
		for n := 0; ; n++ {
			s := spoilNth(t, n, func(pkt []byte) []byte {
				msg := messageIn(t, pkt)
				binary.BigEndian.PutUint16(msg[2:], lie(binary.BigEndian.Uint16(msg[2:])))
				return packetFrom(binary.BigEndian.Uint32(pkt[8:]), msg)
			})
			if s == nil {
				if n < 9 {
					t.Fatalf("%s: only %d packets", name, n)
				}
				break
			}
			s.mustEnd(wire.ErrorMalformed)
		}
	}
}

// Every packet is cut after every byte: silence, since the checksum fails. With
// the checksum mended it is silence too, and with the length word mended Error
// 0x10 where the hash image tells who has sent it.
func TestAdversary_C1_Truncation(t *testing.T) {
	p := initiatedByA(t)
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		for n := range pkt {
			to.mustIgnore(t, p.now, bytes.Clone(pkt[:n]))
		}
		ssrc, msg := binary.BigEndian.Uint32(pkt[8:]), messageIn(t, pkt)
		for n := range msg {
			if n%4 != 0 || n < 12 {
				to.mustIgnore(t, p.now, packetFrom(ssrc, msg[:n]))
			}
		}
		return pkt
	})
	p.mustSecure()
	for n := range 9 {
		for left, more := 12, true; more; left += 4 {
			s := spoilNth(t, n, func(pkt []byte) []byte {
				msg := messageIn(t, pkt)
				if more = left < len(msg); !more {
					return pkt
				}
				binary.BigEndian.PutUint16(msg[2:], uint16(left/4))
				return packetFrom(binary.BigEndian.Uint32(pkt[8:]), msg[:left])
			})
			const withoutValue = pvAt + macLen
			switch {
			case !more: // as it was
			case left > withoutValue && s.mt == wire.TypeDHPart1:
				s.mustEnd(wire.ErrorPublicValue)
			case left > withoutValue && s.mt == wire.TypeDHPart2:
				s.mustEnd(wire.ErrorHVI)
			default:
				s.mustEnd(wire.ErrorMalformed)
			}
		}
	}
}

// introduce makes a side show another Hello; its MAC is right.
func (e *end) introduce(change func(*wire.Hello)) {
	h := e.newHello()
	change(&h)
	e.ours.hello = appendMAC(h.Append(nil), e.chain.h[2])
}

func TestAdversary_C2_AlgorithmCounts(t *testing.T) {
	const flags = 4 + 8 + 4 + 16 + 32 + 12 // offset of the flag word
	for place := range 5 {
		for n := range uint32(16) {
			for _, there := range []bool{true, false} { // the names, not only their number
				p := initiatedByA(t)
				msg := p.b.ours.hello
				word := binary.BigEndian.Uint32(msg[flags:])
				had := word >> (16 - 4*place) & 0xf
				if n == had {
					continue
				}
				word ^= (had ^ n) << (16 - 4*place)
				body := bytes.Clone(msg[:len(msg)-macLen])
				if there && n > had {
					body = append(body, bytes.Repeat([]byte("B32 "), int(n-had))...)
				}
				binary.BigEndian.PutUint16(body[2:], uint16(len(body)+macLen)/4)
				binary.BigEndian.PutUint32(body[flags:], word)
				p.b.ours.hello = appendMAC(append(body, make([]byte, macLen)...), p.b.chain.h[2])
				p.run()
				if fits := there && n > had && n <= 7; fits != (p.a.found == 1) {
					t.Errorf("%d names in place %d, there %v: found %d", n, place, there, p.a.found)
				}
			}
		}
	}
}

func TestAdversary_C2_Names(t *testing.T) {
	implied := Suite{wire.A("S256"), wire.A("AES1"), wire.A("HS32"), wire.A("DH3k"), wire.A("B32")}
	for what, c := range map[string]struct {
		change func(*wire.Hello)
		want   Suite // zero: any
	}{
		"duplicates": {func(h *wire.Hello) {
			h.Hashes, h.Ciphers, h.AuthTags = algos("S384", "S384", "S384"), algos("AES3", "AES3"), algos("HS80", "HS80", "HS32")
			h.KeyAgreements, h.SASTypes = algos("X255", "X255", "X255", "X255", "X255", "X255", "X255"), algos("B256", "B256")
		}, Suite{wire.A("S384"), wire.A("AES3"), wire.A("HS80"), wire.A("X255"), wire.A("B256")}},
		"unknown among known": {func(h *wire.Hello) {
			h.Hashes, h.KeyAgreements = algos("N256", "S384"), algos("????", "X255", "\x00\x00\x00\x00")
		}, Suite{}},
		"nothing but unknown": {func(h *wire.Hello) {
			h.Hashes, h.Ciphers, h.AuthTags = algos("SHA1"), algos("2FS1"), algos("SK32")
			h.KeyAgreements, h.SASTypes = algos("EC52"), algos("B64")
		}, implied},
		"mandatory ones left out": {func(h *wire.Hello) {
			h.Hashes, h.Ciphers, h.AuthTags, h.KeyAgreements, h.SASTypes = nil, nil, nil, nil, nil
		}, implied},
	} {
		p := initiatedByA(t)
		p.a.cfg.Policy.Offer.AuthTags = algos("HS32", "HS80")
		if what == "duplicates" {
			p.a.cfg.Policy.Offer.AuthTags = algos("HS80", "HS32")
		}
		p.b.introduce(c.change)
		p.mustSecure()
		if got := p.a.secured.Suite; c.want != (Suite{}) && got != c.want {
			t.Errorf("%s: %s", what, got)
		}
	}
}

func TestAdversary_C3_SignatureBeyondConfirm(t *testing.T) {
	for _, words := range []uint16{1, 2, 10, 511} {
		overstate := func(plain []byte) { binary.BigEndian.PutUint16(plain[33:], words) } // bits 8 to 16 of the flags
		p := initiatedByA(t)
		p.b.onSend = reconfirm(t, p.b, wire.TypeConfirm1, overstate)
		p.run()
		p.a.mustFail(t, wire.ErrorMalformed)
		p = initiatedByA(t)
		p.a.onSend = reconfirm(t, p.a, wire.TypeConfirm2, overstate)
		p.run()
		p.b.mustFail(t, wire.ErrorMalformed)
	}
}

// Messages as large as a datagram can be lead nowhere and leave nothing behind.
func TestAdversary_C3_Oversized(t *testing.T) {
	types := []wire.Type{
		wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1,
		wire.TypeConfirm2, wire.TypeConf2ACK, wire.TypeError, wire.TypeErrorACK, wire.TypeGoClear, wire.TypeClearACK,
		wire.TypeSASRelay, wire.TypeRelayACK, wire.TypePing, wire.TypePingACK, {'?'},
	}
	const size = 65_000 // bytes
	for state := Idle; state <= Closed; state++ {
		for _, mt := range types {
			s := sessionIn(t, state)
			msg := make([]byte, size)
			binary.BigEndian.PutUint16(msg, 0x505a)
			binary.BigEndian.PutUint16(msg[2:], size/4)
			copy(msg[4:], mt[:])
			pkt := packetFrom(0xb, msg)
			before := heap()
			for range 100 {
				_ = s.HandlePacket(epoch, pkt) // refused, or Error 0x10
			}
			if n := heap() - before; n > 10*size {
				t.Errorf("%s in %s: %d bytes are kept", mt, state, n)
			}
			if s.State() != state && s.State() != ErrorSent {
				t.Errorf("%s in %s led to %s", mt, state, s.State())
			}
			if len(s.out) > 1 {
				t.Errorf("%s in %s: %d replies", mt, state, len(s.out))
			}
			for e := s.NextEvent(); e != nil; e = s.NextEvent() {
				if f, ok := e.(Failed); !ok || f.Code != wire.ErrorMalformed {
					t.Errorf("%s in %s: %+v", mt, state, e)
				}
			}
			runtime.KeepAlive(s)
		}
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Whatever bit of whatever packet is changed: silence.
func TestAdversary_C4_WrongChecksum(t *testing.T) {
	p := initiatedByA(t)
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		for bit := range 8 * len(pkt) {
			bad := bytes.Clone(pkt)
			bad[bit/8] ^= 1 << (bit % 8)
			to.mustIgnore(t, p.now, bad)
		}
		return pkt
	})
	p.mustSecure()
}

// Garbage with the peer's hash image is the peer's own, and ends the call with
// Error 0x10; any other garbage is noise.
func TestAdversary_C4_Garbage(t *testing.T) {
	random := seededRand(1)
	for what, spoil := range map[string]func(msg []byte){
		"noise":                          func(msg []byte) { _, _ = random.Read(msg) },
		"noise under a head that fits":   func(msg []byte) { _, _ = random.Read(msg[12:]) },
		"another preamble":               func(msg []byte) { msg[0] ^= 1 },
		"an unknown type":                func(msg []byte) { copy(msg[4:], "Garbage ") },
		"the body of an acknowledgement": func(msg []byte) { copy(msg[4:], "HelloACK") },
	} {
		for n := range 9 {
			if n < 2 && what == "noise under a head that fits" {
				continue // a well-formed Hello of somebody else: D4
			}
			s := spoilNth(t, n, func(pkt []byte) []byte {
				msg := messageIn(t, pkt)
				spoil(msg)
				return packetFrom(binary.BigEndian.Uint32(pkt[8:]), msg)
			})
			s.mustEnd(wire.ErrorMalformed)
		}
	}
	for _, mt := range []wire.Type{wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2} {
		p := initiatedByA(t)
		p.a.onSend = cut(t, mt, 64)
		p.b.onSend = p.a.onSend
		p.run()
		victim, other := p.b, p.a
		if mt == wire.TypeDHPart1 {
			victim, other = p.a, p.b
		}
		victim.mustFail(t, wire.ErrorMalformed)
		if !slices.Contains(victim.errors, wire.ErrorMalformed) || other.failed == nil || !other.failed.Remote {
			t.Errorf("%s: the peer was told %v", mt, victim.errors)
		}
	}
}

// Cookie and version stand in the packet's head: another one is no ZRTP.
func TestAdversary_C4_PacketHead(t *testing.T) {
	p := initiatedByA(t)
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		for _, at := range []int{0, 4, 5, 6, 7} {
			for _, bit := range []byte{0x10, 0x20, 0x40, 0x80} {
				bad := bytes.Clone(pkt[:len(pkt)-4])
				bad[at] ^= bit
				to.mustIgnore(t, p.now, withChecksum(bad))
			}
		}
		return pkt
	})
	p.mustSecure()
}

// withChecksum appends the CRC-32C of RFC 6189 §5, bit by bit.
func withChecksum(b []byte) []byte {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			crc = crc>>1 ^ 0x82f63b78*(crc&1)
		}
	}
	return binary.LittleEndian.AppendUint32(b, ^crc)
}
