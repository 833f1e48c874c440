package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// rewrite is an attacker in the path: it changes messages of one type and
// mends the checksum.
func rewrite(t testing.TB, what wire.Type, change func(msg []byte) []byte) func([]byte) []byte {
	return func(pkt []byte) []byte {
		p, err := wire.ParsePacket(pkt)
		if err != nil {
			t.Fatal(err)
		}
		if mt, _ := wire.MessageType(p.Message); mt != what {
			return pkt
		}
		p.Message = change(bytes.Clone(p.Message))
		return wire.AppendPacket(nil, p)
	}
}

// initiatedByA is a pair in which a commits and b responds.
func initiatedByA(t testing.TB) *pair {
	a, b := configA(1), configB(1)
	b.Passive = true
	return newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
}

func (e *end) mustFail(t testing.TB, code wire.ErrorCode) {
	t.Helper()
	if e.secured != nil || e.send != nil {
		t.Fatal("keys were given out")
	}
	if e.failed == nil || e.failed.Code != code {
		t.Fatalf("want error %#x, got %+v in %s", uint32(code), e.failed, e.State())
	}
}

// offset of the public value in a DHPart message.
const pvAt = 4 + 8 + 32 + 4*8

// packetFrom is a packet of an attacker, its checksum right.
func packetFrom(ssrc uint32, msg []byte) []byte {
	return wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: ssrc, Message: msg})
}

// messageIn is the message of a packet of our own, not shared with it.
func messageIn(t testing.TB, pkt []byte) []byte {
	t.Helper()
	p, err := wire.ParsePacket(pkt)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(p.Message)
}

// start sends both Hellos on their way.
func (p *pair) start() {
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
}

// mustIgnore demands that a packet is refused and has no effect at all.
func (e *end) mustIgnore(t testing.TB, now time.Time, pkt []byte) {
	t.Helper()
	state, deadline, out, events := e.State(), e.Deadline(), len(e.out), len(e.events)
	err := e.HandlePacket(now, pkt)
	if err == nil || e.State() != state || !e.Deadline().Equal(deadline) || len(e.out) != out || len(e.events) != events {
		t.Fatalf("%d bytes %.24q in %s: %v, now in %s with %d packets to send", len(pkt), pkt, state, err, e.State(), len(e.out))
	}
}

// liar is what an initiator computes its hvi from.
type liar struct{ part, hello []byte }

// lie makes an initiator commit to what the attacker likes; the hvi and all
// MACs are right.
func lie(t testing.TB, e *end, change func(*liar)) {
	replace(e, wire.TypeCommit, func(m []byte) []byte {
		l := liar{bytes.Clone(e.ours.dhPart), e.theirs.hello}
		change(&l)
		e.ours.dhPart = appendMAC(l.part, e.chain.h[0])
		commit, err := wire.ParseCommit(m)
		if err != nil {
			t.Fatal(err)
		}
		h := newHash(commit.Hash)()
		h.Write(e.ours.dhPart)
		h.Write(l.hello)
		commit.HVI = [32]byte(h.Sum(nil)[:32])
		return e.recommit(commit)
	})
}

// replace changes messages of one type before they are cut into packets.
func replace(e *end, what wire.Type, change func(msg []byte) []byte) {
	e.onMessage = func(mt wire.Type, msg []byte) []byte {
		if mt == what {
			return change(msg)
		}
		return msg
	}
}

// recommit makes another Commit the one that e has sent.
func (e *end) recommit(c wire.Commit) []byte {
	e.ours.commit = appendMAC(c.Append(nil), e.chain.h[1])
	e.step.msg = e.ours.commit
	return bytes.Clone(e.ours.commit)
}

// reconfirm changes what e's Confirm of that type holds encrypted; its MAC is
// right.
func reconfirm(t testing.TB, e *end, what wire.Type, change func(plain []byte)) func([]byte) []byte {
	return rewrite(t, what, func(m []byte) []byte {
		c, err := wire.ParseSealed(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := cfb(e.keys.confirm[side(e.role)], c.IV, c.Encrypted, decrypt); err != nil {
			t.Fatal(err)
		}
		change(c.Encrypted)
		if c.MAC, err = e.seal(c.IV, c.Encrypted); err != nil {
			t.Fatal(err)
		}
		return c.Append(nil)
	})
}

func name(algo string) []byte {
	a := wire.A(algo)
	return a[:]
}

// spoilt is a handshake of which one packet reached its receiver changed.
type spoilt struct {
	*pair
	to   *end
	from State // of the receiver, when the packet came
	mt   wire.Type
	// proven: the message has a length word that fits, its type and the
	// hash image of its sender.
	proven bool
}

// spoilNth runs a handshake that a initiates and changes its nth packet; nil:
// there were not so many.
func spoilNth(t testing.TB, n int, spoil func(pkt []byte) []byte) *spoilt {
	t.Helper()
	s := &spoilt{pair: initiatedByA(t)}
	s.eachDelivery(func(to *end, pkt []byte) []byte {
		if n--; n != -1 {
			return pkt
		}
		s.to, s.from = to, to.State()
		bad := spoil(pkt)
		if p, err := wire.ParsePacket(bad); err == nil {
			s.mt, err = wire.MessageType(p.Message)
			s.proven = err == nil && len(p.Message) >= 44 && bytes.Equal(p.Message[4:44], pkt[16:56]) &&
				(s.mt == wire.TypeCommit || s.mt == wire.TypeDHPart1 || s.mt == wire.TypeDHPart2)
		}
		return bad
	})
	s.run()
	if s.to == nil {
		return nil
	}
	return s
}

// eachDelivery shows every packet together with its receiver, and delivers
// what look gives.
func (p *pair) eachDelivery(look func(to *end, pkt []byte) []byte) {
	for _, way := range []struct{ from, to *end }{{p.a, p.b}, {p.b, p.a}} {
		way.from.onSend = func(pkt []byte) []byte { return look(way.to, pkt) }
	}
}

// mustEnd demands this error of a receiver that knows the message for its
// peer's. Any other drops it, and the call goes on with the sender's next
// repetition.
func (s *spoilt) mustEnd(code wire.ErrorCode) {
	s.t.Helper()
	if s.proven {
		s.to.mustFail(s.t, code)
		if !slices.Contains(s.to.errors, code) {
			s.t.Fatal("the peer was not told")
		}
		return
	}
	if s.a.secured == nil || s.b.secured == nil {
		s.t.Fatalf("%q in %s: not dropped, a in %s, b in %s", s.mt, s.from, s.a.State(), s.b.State())
	}
	s.mustAgree()
}

// allPackets are the packets of a whole handshake of these two, in order.
func allPackets(t testing.TB, a, b Config) (fromA, fromB [][]byte) {
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		list := &fromA
		if to == p.a {
			list = &fromB
		}
		*list = append(*list, bytes.Clone(pkt))
		return pkt
	})
	p.mustSecure()
	return fromA, fromB
}
