package audit

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"

	"sotto/internal/kat"
	"sotto/zrtp/wire"
)

// resealed puts a packet's checksum right in place.
func resealed(b []byte) []byte {
	end := len(b) - 4
	binary.LittleEndian.PutUint32(b[end:], crc32.Checksum(b[:end], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// FuzzAdd plays packets of all recordings in any order, each with a byte
// changed under a right checksum: no sequence may make the Auditor panic, lose
// count, or call one complete that it has not seen to its end.
func FuzzAdd(f *testing.F) {
	var packets []packet
	for _, h := range kat.Handshakes() {
		var whole, broken []byte
		for i := range inOrder(h) {
			at := byte(len(packets) + i)
			whole = append(whole, at, 0, 0, 0)
			broken = append(broken, at, byte(12+i), 0, byte(1<<(i%8)))
		}
		f.Add(whole)
		f.Add(broken)
		packets = append(packets, inOrder(h)...)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		a := New()
		messages, confirms := 0, map[int]int{}
		for ; len(script) >= 4; script = script[4:] {
			p := packets[int(script[0])%len(packets)]
			b := slices.Clone(p.payload)
			if at := int(script[1]) | int(script[2])<<8; at < len(b) {
				b[at] ^= script[3]
			}
			d := Datagram{From: addressA, To: addressB, Payload: resealed(b)}
			if !p.fromA {
				d.From, d.To = d.To, d.From
			}
			m, err := a.Add(d)
			if err != nil {
				return
			}
			if m == nil {
				continue
			}
			messages++
			if m.Type == "Confirm1" || m.Type == "Confirm2" {
				confirms[m.Stream]++
			}
		}
		for _, s := range a.Summaries() {
			messages -= s.Messages
			if s.Outcome == Complete && confirms[s.Stream] < 2 {
				t.Fatalf("%+v", s)
			}
		}
		if messages < 0 {
			t.Fatalf("%d messages too many in the summaries", -messages)
		}
	})
}

// FuzzDatagram takes any one datagram, with its checksum put right.
func FuzzDatagram(f *testing.F) {
	for _, h := range kat.Handshakes() {
		for _, p := range inOrder(h) {
			f.Add(p.payload)
			f.Add(split(p, 1, 5)[0].payload)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) >= wire.PacketOverhead {
			b = resealed(slices.Clone(b))
		}
		_, notZRTP := wire.ParsePacket(b)
		a := New()
		for range 2 {
			m, err := a.Add(Datagram{From: addressA, To: addressB, Payload: b})
			if err != nil || (m == nil) != (notZRTP == wire.ErrNotZRTP) {
				t.Fatalf("%v, %v", m, err)
			}
			if notZRTP != nil && m != nil && m.Faults == nil {
				t.Fatalf("%v without a fault", notZRTP)
			}
		}
	})
}
