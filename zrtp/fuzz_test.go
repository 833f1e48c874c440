package zrtp

import (
	"encoding/binary"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// fuzzSeeds are schedules that get a handshake through, and some that spoil it.
func fuzzSeeds() [][]byte {
	straight := make([]byte, 64)
	late := make([]byte, 64)
	torn := make([]byte, 64)
	for i := range straight {
		straight[i] = byte(opDeliver)
		late[i] = byte([]op{opDeliver, opTimeout}[i%2])
		torn[i] = byte([]op{opDeliver, opFlip, opRepeat, opDrop}[i%4])
	}
	return [][]byte{straight, late, torn, {}}
}

// op is what one byte of a schedule does to the oldest packet on the way.
type op byte

const (
	opDeliver op = iota
	opDrop
	opFlip    // one bit, checksum mended
	opRepeat  // delivered and kept
	opReflect // back to its sender
	opTimeout // time passes instead
	opGarbage // a well-framed message of the schedule's bytes
	ops
)

// FuzzSession lets the schedule play with the packets between two Sessions.
// Whatever it does, nobody panics, nobody answers one packet with more than
// one, and two that are secure have the same keys.
func FuzzSession(f *testing.F) {
	for _, seed := range fuzzSeeds() {
		f.Add(uint64(1), seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64, schedule []byte) {
		if len(schedule) > 512 {
			return
		}
		a, b := configA(seed), configB(seed)
		a.Passive, b.Passive = seed%3 == 1, seed%3 == 2
		p := newPair(t, a, b, netsim.Config{})
		p.a.Start(p.now)
		p.b.Start(p.now)
		w := &wireless{pair: p}
		for i := range schedule {
			w.step(op(schedule[i])%ops, schedule[i:])
		}
		if p.a.secured != nil && p.b.secured != nil {
			p.mustAgree()
		}
	})
}

// wireless is the two queues of packets that a schedule plays with.
type wireless struct {
	*pair
	toA, toB [][]byte
}

func (w *wireless) step(do op, rest []byte) {
	w.collect()
	from, to, queue := w.a, w.b, &w.toB
	if len(rest)%2 == 0 && len(w.toA) > 0 || len(w.toB) == 0 {
		from, to, queue = w.b, w.a, &w.toA
	}
	w.now = w.now.Add(time.Millisecond)
	if do == opTimeout || len(*queue) == 0 {
		w.now = w.now.Add(100 * time.Millisecond)
		w.a.HandleTimeout(w.now)
		w.b.HandleTimeout(w.now)
		return
	}
	pkt := (*queue)[0]
	if do != opRepeat {
		*queue = (*queue)[1:]
	}
	switch do {
	case opDrop:
		return
	case opFlip:
		pkt = flip(w.t, pkt, rest)
	case opReflect:
		to = from
	case opGarbage:
		msg := append([]byte{0x50, 0x5a, 0, 0}, pkt[16:24]...)
		msg = append(msg, rest...)
		msg = msg[:len(msg)&^3]
		binary.BigEndian.PutUint16(msg[2:], uint16(len(msg)/4))
		pkt = wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: from.cfg.SSRC, Message: msg})
	}
	before := len(to.out)
	_ = to.HandlePacket(w.now, pkt) // any verdict will do
	if len(to.out) > before+1 {
		w.t.Fatalf("%d packets for one", len(to.out)-before)
	}
}

// flip inverts one bit that the schedule names and mends the checksum.
func flip(t testing.TB, pkt, rest []byte) []byte {
	p, err := wire.ParsePacket(pkt)
	if err != nil {
		t.Fatal(err)
	}
	at := int(rest[len(rest)-1]) * 8
	msg := append([]byte(nil), p.Message...)
	msg[(at/8)%len(msg)] ^= 1 << (at % 8)
	p.Message = msg
	return wire.AppendPacket(nil, p)
}

// collect takes what both sides want to send.
func (w *wireless) collect() {
	for _, side := range []struct {
		from  *end
		queue *[][]byte
	}{{w.a, &w.toB}, {w.b, &w.toA}} {
		side.from.onSend = func(pkt []byte) []byte {
			*side.queue = append(*side.queue, append([]byte(nil), pkt...))
			return nil
		}
		side.from.drain(w.now, nil)
	}
}
