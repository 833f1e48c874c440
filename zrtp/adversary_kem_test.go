package zrtp

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

var kemModes = []string{"K255", "K448", "X1M1", "X3M3"}

// inKEMMode is a pair of which a commits to a public key.
func inKEMMode(t testing.TB, name string) *pair {
	a, b := configA(1), configB(1)
	b.Passive = true
	a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(name), algos(name)
	return newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
}

// withPV changes the public key, ciphertext or nonce of one message. MACs are
// not mended.
func withPV(t testing.TB, e *end, what wire.Type, change func(pv []byte) []byte) {
	replace(e, what, func(m []byte) []byte {
		if what == wire.TypeCommit {
			c, err := wire.ParseCommit(m)
			if err != nil {
				t.Fatal(err)
			}
			c.PV = change(c.PV)
			return c.Append(nil)
		}
		part, err := wire.ParseDHPart(m)
		if err != nil {
			t.Fatal(err)
		}
		part.PV = change(part.PV)
		return part.Append(nil)
	})
}

// committed is withPV of an initiator that is the attacker: its MAC is right.
func committed(t testing.TB, e *end, change func(pv []byte) []byte) {
	replace(e, wire.TypeCommit, func(m []byte) []byte {
		c, err := wire.ParseCommit(m)
		if err != nil {
			t.Fatal(err)
		}
		c.PV = change(c.PV)
		return e.recommit(c)
	})
}

func flipped(at int) func([]byte) []byte {
	return func(pv []byte) []byte {
		pv[(at+len(pv))%len(pv)] ^= 1
		return pv
	}
}

func TestAdversary_A4_NonceIsNotTheCommittedOne(t *testing.T) {
	for _, name := range kemModes {
		for at := range kemNonceLen {
			p := inKEMMode(t, name)
			withPV(t, p.a, wire.TypeDHPart2, flipped(at))
			p.run()
			p.b.mustFail(t, wire.ErrorHVI)
			if p.b.recv != nil || p.a.send != nil || !p.a.failed.Remote || p.a.failed.Code != wire.ErrorHVI {
				t.Errorf("%s: the initiator goes on: %+v", name, p.a.failed)
			}
		}
	}
}

// The first of two different Commits counts, and so does the first of two
// DHPart1: neither a key nor a ciphertext can be exchanged afterwards.
func TestAdversary_A4_ExchangedBetweenRepetitions(t *testing.T) {
	for _, name := range kemModes {
		for _, what := range []wire.Type{wire.TypeCommit, wire.TypeDHPart1} {
			p := inKEMMode(t, name)
			from, to := p.a, p.b
			if what == wire.TypeDHPart1 {
				from, to = p.b, p.a
			}
			var other []byte
			from.onMessage = func(mt wire.Type, msg []byte) []byte {
				if mt == what {
					other = bytes.Clone(msg)
					other[len(other)-macLen-1] ^= 1 // the last byte of the key or ciphertext
				}
				return msg
			}
			refused := 0
			to.onTaken = func(State, []byte) {
				if other == nil || to.State() != DHPart1Sent && to.State() != DHPart2Sent {
					return
				}
				part := wire.Packet{Seq: 9, SSRC: from.cfg.SSRC, Message: other}
				if to.State() == DHPart1Sent { // a Commit must be the same; DHPart1 is not awaited any more
					part.Message = appendMAC(bytes.Clone(other), from.chain.h[1])
				}
				before := len(to.out)
				if err := to.handleWhole(p.now, part); err == nil || len(to.out) != before {
					t.Errorf("%s: another %s is taken: %v", name, what, err)
				}
				refused++
			}
			p.mustSecure()
			if refused == 0 {
				t.Errorf("%s: no other %s was tried", name, what)
			}
		}
	}
}

// handleWhole hands over a message as if its fragments had come together.
func (e *end) handleWhole(now time.Time, p wire.Packet) error {
	for sent := 0; ; {
		part := p
		if len(p.Message) > maxPacketLen-wire.PacketOverhead {
			part.Message = p.Message[sent:min(sent+maxPacketLen-wire.FragmentOverhead, len(p.Message))]
			part.Fragment = wire.Fragment{ID: 0x7777, Total: uint16(len(p.Message) / 4), Offset: uint16(sent / 4)}
		}
		sent += len(part.Message)
		if err := e.HandlePacket(now, wire.AppendPacket(nil, part)); err != nil || sent == len(p.Message) {
			return err
		}
	}
}

// The key is not in hvi; the Commit's MAC and total_hash guard it.
func TestAdversary_A4_ExchangedFromTheBeginning(t *testing.T) {
	for _, name := range kemModes {
		p := inKEMMode(t, name)
		other := inKEMMode(t, name) // the attacker's own key pair
		var key []byte
		withPV(t, other.a, wire.TypeCommit, func(pv []byte) []byte { key = bytes.Clone(pv); key[0] ^= 2; return pv })
		other.run()
		withPV(t, p.a, wire.TypeCommit, func([]byte) []byte { return key })
		p.run()
		p.b.mustFail(t, wire.ErrorHVI)
		if p.a.send != nil || p.a.recv != nil {
			t.Errorf("%s: the initiator has keys", name)
		}

		p = inKEMMode(t, name)
		withPV(t, p.b, wire.TypeDHPart1, flipped(-1))
		p.run()
		if p.a.send != nil || p.a.recv != nil || p.b.secured != nil || p.a.failed == nil {
			t.Errorf("%s: another ciphertext: %+v", name, p.a.failed)
		}
	}
}

func TestAdversary_B4_WrongLength(t *testing.T) {
	for _, name := range kemModes {
		for _, more := range []int{-4, 4} {
			p := inKEMMode(t, name)
			committed(t, p.a, resized(more))
			p.run()
			p.b.mustFail(t, wire.ErrorPublicValue)
			p = inKEMMode(t, name)
			withPV(t, p.b, wire.TypeDHPart1, resized(more))
			p.run()
			p.a.mustFail(t, wire.ErrorPublicValue)
			p = inKEMMode(t, name) // the nonce, committed to as it is
			lie(t, p.a, func(l *liar) {
				part, err := wire.ParseDHPart(l.part)
				if err != nil {
					t.Fatal(err)
				}
				part.PV = resized(more)(part.PV)
				l.part = part.Append(nil)
			})
			p.run()
			p.b.mustFail(t, wire.ErrorPublicValue)
		}
		p := inKEMMode(t, name)
		committed(t, p.a, func([]byte) []byte { return nil })
		p.run()
		p.b.mustFail(t, wire.ErrorPublicValue)
	}
	// A key where none belongs.
	p := initiatedByA(t)
	committed(t, p.a, func([]byte) []byte { return make([]byte, 32) })
	p.run()
	p.b.mustFail(t, wire.ErrorPublicValue)
}

// A flipped bit of a lattice ciphertext or key makes another secret, and that
// shows in the Confirm's MAC; one of a key beyond the modulus is refused.
func TestAdversary_B4_FlippedBits(t *testing.T) {
	for name, curve := range map[string]int{"X1M1": 32, "X3M3": 56} {
		for _, at := range []int{curve, curve + 1, curve + 383, curve + 700, -33, -32, -1} {
			p := inKEMMode(t, name)
			withPV(t, p.b, wire.TypeDHPart1, flipped(at))
			p.run()
			p.a.mustFail(t, wire.ErrorConfirmMAC)

			p = inKEMMode(t, name)
			committed(t, p.a, flipped(at))
			p.run()
			if f := cmpFailed(p); f != wire.ErrorConfirmMAC && f != wire.ErrorPublicValue || p.a.recv != nil || p.b.recv != nil {
				t.Errorf("%s, byte %d of the key: %+v, %+v", name, at, p.a.failed, p.b.failed)
			}
		}
	}
}

// cmpFailed is the code with which the side failed that saw the fault.
func cmpFailed(p *pair) wire.ErrorCode {
	for _, e := range []*end{p.a, p.b} {
		if e.failed != nil && !e.failed.Remote {
			return e.failed.Code
		}
	}
	return 0
}

func TestAdversary_B4_LowOrderPointsInAKey(t *testing.T) {
	for name, curve := range map[string]int{"K255": 32, "K448": 56, "X1M1": 32, "X3M3": 56} {
		zero := func(pv []byte) []byte { clear(pv[:curve]); return pv }
		p := inKEMMode(t, name)
		committed(t, p.a, zero)
		p.run()
		p.b.mustFail(t, wire.ErrorPublicValue)
		p = inKEMMode(t, name)
		withPV(t, p.b, wire.TypeDHPart1, zero)
		p.run()
		p.a.mustFail(t, wire.ErrorPublicValue)
	}
}

// forgedFragments are parts that never make a message, all of the peer's SSRC.
func forgedFragments() (all []wire.Fragment) {
	for _, total := range []uint16{1, 3, 300, 500, wire.MaxMessageLen / 4, wire.MaxMessageLen/4 + 1, 0xffff} {
		for _, offset := range []uint16{0, 1, total / 2, total - 1} {
			for _, id := range []uint16{0, 1, 2, 0x7777} {
				all = append(all, wire.Fragment{ID: id, Total: total, Offset: offset})
			}
		}
	}
	return all
}

// Parts beyond the total, overlapping ones, a total that changes midway, and
// messages that never become whole, between all that the peer sends: its own
// repetitions get through.
func TestAdversary_C5_Fragments(t *testing.T) {
	p := inKEMMode(t, "X3M3")
	forged, next, parts := forgedFragments(), 0, map[*end]int{}
	random := seededRand(7)
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		link := p.ab
		if to == p.a {
			link = p.ba
		}
		w, err := wire.ParsePacket(pkt)
		if err != nil || w.Fragment == (wire.Fragment{}) {
			return pkt
		}
		if parts[to]++; parts[to]%4 == 3 || parts[to]%4 == 0 {
			return pkt // the attacker is late for every second repetition
		}
		overlaps, shorter := w.Fragment, w.Fragment
		overlaps.Offset++
		shorter.Total--
		for _, f := range []wire.Fragment{shorter, forged[next%len(forged)], overlaps} {
			noise := make([]byte, 4*min(20, max(1, int(f.Total)-int(f.Offset))))
			_, _ = random.Read(noise)
			link.Send(p.now, wire.AppendPacket(nil, wire.Packet{SSRC: w.SSRC, Message: noise, Fragment: f}))
		}
		next++
		return pkt
	})
	p.mustSecure()
	if parts[p.b] < 8 || parts[p.a] < 4 {
		t.Errorf("parts: %d of Commits, %d of DHPart1s", parts[p.b], parts[p.a])
	}
}

func TestAdversary_C5_BeyondTotal(t *testing.T) {
	s := &end{Session: sessionIn(t, DHPart1Sent)}
	for _, f := range []wire.Fragment{{ID: 1, Total: 4, Offset: 4}, {ID: 1, Total: 4, Offset: 2}, {ID: 1, Total: 4, Offset: 0xffff}, {ID: 1, Total: 0, Offset: 1}} {
		s.mustIgnore(t, epoch, wire.AppendPacket(nil, wire.Packet{SSRC: 0xb, Message: make([]byte, 12), Fragment: f}))
	}
	// Nor does anybody else's part count, nor one before the peer has spoken.
	f := wire.Fragment{ID: 1, Total: 4}
	s.mustIgnore(t, epoch, wire.AppendPacket(nil, wire.Packet{SSRC: 0xc, Message: make([]byte, 12), Fragment: f}))
	s = &end{Session: sessionIn(t, Discovery)}
	s.mustIgnore(t, epoch, wire.AppendPacket(nil, wire.Packet{SSRC: 0xb, Message: make([]byte, 12), Fragment: f}))
}

// What is put together is one message at a time, and gone with the handshake.
func TestAdversary_C5_Bounds(t *testing.T) {
	for state := Idle; state <= Closed; state++ {
		s := sessionIn(t, state)
		before := heap()
		for id := range uint16(500) {
			for _, f := range forgedFragments() {
				f.ID += id
				part := make([]byte, 4)
				_ = s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{SSRC: 0xb, Message: part, Fragment: f})) // dropped, or kept for a while
			}
		}
		if n := heap() - before; n > 32<<10 {
			t.Errorf("%s: %d bytes are kept", state, n)
		}
		if s.State() != state || len(s.out) != 0 {
			t.Errorf("%s led to %s", state, s.State())
		}
		runtime.KeepAlive(s)
	}
	p := inKEMMode(t, "X3M3")
	p.mustSecure()
	for _, e := range []*end{p.a, p.b} {
		if e.assembler != nil || e.fragmented.first != nil {
			t.Error("parts outlive the handshake")
		}
	}
	p = inKEMMode(t, "X3M3")
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		if w, err := wire.ParsePacket(pkt); err == nil && w.Fragment.Offset > 0 {
			return nil // never completed
		}
		return pkt
	})
	p.run()
	p.a.mustFail(t, wire.ErrorTimeout)
	for _, e := range []*end{p.a, p.b} {
		if e.assembler != nil {
			t.Errorf("parts outlive the failure in %s", e.State())
		}
	}
}

// Who repeats his Hello draws a Commit out of us that is about as long, and never
// the long one of a lattice.
func TestAdversary_D2_RepeatedHello(t *testing.T) {
	for ka, want := range map[string]wire.Type{"X255": wire.TypeCommit, "X1M1": wire.TypeHelloACK, "X3M3": wire.TypeHelloACK} {
		a, b := configA(1), configB(1)
		a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(ka), algos(ka)
		p := newPair(t, a, b, netsim.Config{})
		p.a.Start(epoch)
		p.b.Start(epoch)
		hello, _ := p.b.AppendPacket(nil)
		if err := p.a.HandlePacket(epoch, hello); err != nil {
			t.Fatal(err)
		}
		p.a.out = nil
		if err := p.a.HandlePacket(epoch, hello); err != nil {
			t.Fatal(err)
		}
		if got, err := wire.MessageType(p.a.out[0].msg); err != nil || got != want || len(p.a.out) != 1 {
			t.Errorf("%s: %s, %v", ka, got, err)
		}
	}
}
