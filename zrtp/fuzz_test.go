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
	opGarbage // a well-framed message of the schedule's bytes, of any type
	opUser    // one user wants to go clear, or has compared the SAS, and enrols
	ops
)

// FuzzSession lets the schedule play with the packets between two Sessions.
// Whatever it does, nobody panics, nobody answers one packet with more than
// one, and two that are secure have the same keys.
func FuzzSession(f *testing.F) {
	for _, schedule := range fuzzSeeds() {
		for seed := range uint64(len(fuzzModes)) {
			f.Add(seed, schedule)
		}
	}
	f.Fuzz(func(t *testing.T, seed uint64, schedule []byte) {
		if len(schedule) > 512 {
			return
		}
		p := fuzzPair(t, seed)
		p.a.Start(p.now)
		p.b.Start(p.now)
		w := &wireless{pair: p}
		for i := range schedule {
			w.step(op(schedule[i])%ops, schedule[i:])
		}
		if p.a.State() != Secure || p.b.State() != Secure || p.a.secured == nil || p.b.secured == nil {
			return // or one has gone clear
		}
		if p.a.call != nil {
			p.mustBeFurther()
		} else {
			p.mustAgree()
		}
	})
}

var fuzzModes = []string{"X255", "X1M1", "Prsh", "Mult", "K255", "EC25", "X3M3"}

// fuzzPair is two Sessions in a mode that the seed chooses, which may go clear
// and where B may be a PBX that asks to be trusted.
func fuzzPair(t *testing.T, seed uint64) *pair {
	a, b := configA(seed), configB(seed)
	a.Passive, b.Passive = seed%3 == 1, seed%3 == 2
	switch mode := fuzzModes[seed%uint64(len(fuzzModes))]; mode {
	case "Mult":
		first := newPair(t, configA(seed), configB(seed), netsim.Config{})
		first.mustSecure()
		return first.furtherStream(seed%100, netsim.Config{})
	case "Prsh":
		a.Store, b.Store = verifiedStores(t)
		a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(mode, "X255"), algos(mode, "X255")
	default:
		a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(mode), algos(mode, "X255")
		a.Store, b.Store = newMemoryStore(), newMemoryStore()
		a.Policy.AllowClear, b.Policy.AllowClear = seed%2 == 0, seed%5 > 0
		b.MiTM, b.Enroll = seed%4 > 1, seed%4 > 2
	}
	return newPair(t, a, b, netsim.Config{})
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
	if do == opUser {
		_ = to.SetVerified(true) // where it is not possible, it is refused
		_ = to.Enroll()
		if rest[len(rest)-1]%4 == 0 {
			_ = to.GoClear(w.now)
		}
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
		mt := pkt[16:24]
		if last := int(rest[len(rest)-1]); last < len(fuzzTypes) {
			mt = fuzzTypes[last][:]
		}
		msg := append([]byte{0x50, 0x5a, 0, 0}, mt...)
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

// fuzzTypes are the types of garbage, beside that of the packet it replaces.
var fuzzTypes = []wire.Type{
	wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1,
	wire.TypeConfirm2, wire.TypeConf2ACK, wire.TypeError, wire.TypeErrorACK, wire.TypeGoClear, wire.TypeClearACK,
	wire.TypeSASRelay, wire.TypeRelayACK, wire.TypePing, wire.TypePingACK,
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
