package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// Our own Hello comes back: Error 0x90. Whatever else comes back is refused,
// even if the attacker writes the peer's SSRC over ours.
func TestAdversary_D1_Reflection(t *testing.T) {
	p := initiatedByA(t)
	p.a.Start(p.now)
	pkt, _ := p.a.AppendPacket(nil)
	if err := p.a.HandlePacket(p.now, pkt); err != nil {
		t.Fatal(err)
	}
	p.a.HandleTimeout(p.now.Add(stepRhythm.longest)) // until then the peer's own may come
	p.a.drain(p.now, p.ab)
	p.a.mustFail(t, wire.ErrorEqualZIDs)

	p = initiatedByA(t)
	sender := map[*end]*end{p.a: p.b, p.b: p.a}
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		from := sender[to]
		if from.theirs.hello == nil {
			return pkt
		}
		from.mustIgnore(t, p.now, pkt)
		if w, err := wire.ParsePacket(pkt); err == nil {
			if mt, _ := wire.MessageType(w.Message); mt != wire.TypeHelloACK { // that one says nothing of who sent it
				from.mustIgnore(t, p.now, packetFrom(to.cfg.SSRC, w.Message))
			}
		}
		return pkt
	})
	p.mustSecure()
}

// A call is disturbed with every message of an earlier one between the same two
// phones, at every step.
func TestAdversary_D1_Replay(t *testing.T) {
	fromA, fromB := allPackets(t, configA(1), configB(1))
	for _, announced := range []bool{false, true} {
		p := newPair(t, configA(2), configB(2), netsim.Config{Delay: time.Millisecond})
		if announced { // or an old Hello would pass for the first word of the peer
			p.a.SetPeerHelloHash(p.now, p.b.HelloHash())
			p.b.SetPeerHelloHash(p.now, p.a.HelloHash())
		}
		p.start()
		for again := true; again; again = p.step() {
			for e, old := range map[*end][][]byte{p.a: fromB, p.b: fromA} {
				if e.theirs.hello == nil && !announced {
					continue
				}
				for _, pkt := range old {
					state, heard := e.State(), e.theirs.hello
					_ = e.HandlePacket(p.now, pkt) // an acknowledgement has no sender; the rest is refused
					if e.State() == Secure && state == Confirm2Sent {
						continue // Conf2ACK: media goes out early, to nobody else
					}
					if e.State() != state || !bytes.Equal(e.theirs.hello, heard) || len(e.out) != 0 {
						t.Fatalf("an old message leads from %s to %s", state, e.State())
					}
				}
			}
			p.drain()
		}
		if p.a.secured == nil || p.b.secured == nil {
			t.Fatalf("announced %v: a %+v, b %+v", announced, p.a.failed, p.b.failed)
		}
		p.mustAgree()
	}
	// An attacker who has nothing but the old call gets no keys.
	fresh := newEnd(t, configA(99))
	fresh.Start(epoch)
	for range 3 {
		for _, pkt := range fromB {
			_ = fresh.HandlePacket(epoch, pkt) // any verdict will do
		}
	}
	fresh.drain(epoch, netsim.NewLink(netsim.Config{}))
	if fresh.secured != nil || fresh.send != nil || fresh.recv != nil {
		t.Fatal("a replayed call gave keys")
	}
}

// Every message comes before its time: those of the same call, which the same
// seeds make again, are shown to the other side at every step.
func TestAdversary_D1_OutOfOrder(t *testing.T) {
	for seed := range uint64(6) {
		a, b := configA(seed), configB(seed)
		a.Passive, b.Passive = seed%3 == 1, seed%3 == 2
		again := func() (Config, Config) {
			x, y := configA(seed), configB(seed)
			x.Passive, y.Passive = a.Passive, b.Passive
			return x, y
		}
		fromA, fromB := allPackets(t, a, b)
		ca, cb := again()
		p := newPair(t, ca, cb, netsim.Config{Delay: time.Millisecond})
		p.start()
		for n := 0; p.a.secured == nil || p.b.secured == nil; n++ {
			if n == 1000 {
				t.Fatalf("seed %d: hang: a in %s, b in %s", seed, p.a.State(), p.b.State())
			}
			for e, list := range map[*end][][]byte{p.a: fromB, p.b: fromA} {
				for i := range list {
					pkt := list[len(list)-1-i] // the last first
					_ = e.HandlePacket(p.now, pkt)
					if len(e.out) > 1 {
						t.Fatalf("%d answers in %s", len(e.out), e.State())
					}
					p.drain()
				}
			}
			p.step()
		}
		p.mustAgree()
	}
}

// When all is over every message comes once more.
func TestAdversary_D1_Late(t *testing.T) {
	p := initiatedByA(t)
	said := map[*end][][]byte{}
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		said[to] = append(said[to], bytes.Clone(pkt))
		return pkt
	})
	p.mustSecure()
	for e, list := range said {
		for _, pkt := range list {
			_ = e.HandlePacket(p.now.Add(time.Hour), pkt)
			if e.State() != Secure || len(e.events) != 0 || len(e.out) > 1 || !e.Deadline().IsZero() {
				t.Fatalf("%q after the end: %s, %d answers", pkt[16:24], e.State(), len(e.out))
			}
			for _, o := range e.out {
				if mt, _ := wire.MessageType(o.msg); mt != wire.TypeHelloACK && mt != wire.TypeConf2ACK {
					t.Errorf("answered with %s", mt)
				}
			}
			e.out = nil
		}
	}
	p.mustAgree()
}

func TestAdversary_D1_EverythingTwice(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{Duplicate: 1, Delay: time.Millisecond})
	p.mustSecure()
	for _, e := range []*end{p.a, p.b} {
		if e.failed != nil {
			t.Error(e.failed)
		}
	}
}

// Six packets of ten are lost in either direction: keys on both sides or a
// clean end; keys in every second call, or nearly.
func TestAdversary_D2_HeavyLoss(t *testing.T) {
	secure := 0
	for seed := range uint64(300) {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{Seed: seed, Loss: 0.6, Delay: 20 * time.Millisecond})
		p.run()
		if p.judge() == bothSecure {
			secure++
		}
	}
	if secure < 120 {
		t.Errorf("%d of 300 secure", secure)
	}
}

// Nothing arrives in one direction, from the start or from some message on.
func TestAdversary_D2_OneWayLoss(t *testing.T) {
	for _, deaf := range []string{"a", "b"} {
		for through := range 6 {
			p := initiatedByA(t)
			from := p.b
			if deaf == "b" {
				from = p.a
			}
			left := through
			from.onSend = func(pkt []byte) []byte {
				if left--; left < 0 {
					return nil
				}
				return pkt
			}
			p.run()
			if p.judge() == bothSecure && left < 0 {
				t.Errorf("%s got %d packets: both secure", deaf, through)
			}
			if d := p.now.Sub(epoch); d > longestWait+12*time.Second {
				t.Errorf("%s got %d packets: over after %v", deaf, through, d)
			}
		}
	}
}

// The timers of RFC 6189 §6: T1 from 50 to 200 ms and 20 repetitions, T2 from
// 150 to 1200 ms and 10 repetitions.
func TestAdversary_D2_Timers(t *testing.T) {
	doubling := func(first, longest, n int) (at []time.Duration) {
		sum := 0
		for pause := first; len(at) <= n; pause = min(2*pause, longest) {
			at = append(at, time.Duration(sum)*time.Millisecond)
			sum += pause
		}
		return at
	}
	t1, t2 := doubling(50, 200, 20), doubling(150, 1200, 10)
	order := []wire.Type{{}, wire.TypeHello, wire.TypeHelloACK, wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2}
	for _, c := range []struct {
		a, b, repeated wire.Type // the last messages that come through, and what a sends again and again
		want           []time.Duration
	}{
		{wire.Type{}, wire.Type{}, wire.TypeHello, t1},
		{wire.TypeCommit, wire.TypeHello, wire.TypeCommit, t2},
		{wire.TypeDHPart2, wire.TypeDHPart1, wire.TypeDHPart2, t2},
		{wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2, t2},
		{wire.TypeConfirm2, wire.TypeConfirm1, wire.TypeError, t2},
	} {
		p := initiatedByA(t)
		var at []time.Duration
		for from, last := range map[*end]wire.Type{p.a: c.a, p.b: c.b} {
			from.onSend = func(pkt []byte) []byte {
				mt, _ := wire.MessageType(messageIn(t, pkt))
				if mt == c.repeated && from == p.a {
					at = append(at, p.now.Sub(epoch))
				}
				if i := slices.Index(order, mt); i < 0 || i > slices.Index(order, last) {
					return nil
				}
				return pkt
			}
		}
		p.run()
		for i, first := 0, append(at, 0)[0]; i < len(at); i++ {
			at[i] -= first
		}
		if !slices.Equal(at, c.want) {
			t.Errorf("%s: sent %d times, at %v, want %v", c.repeated, len(at), at, c.want)
		}
	}
}

func TestAdversary_D2_OneReplyAPacket(t *testing.T) {
	for state := Idle; state <= Closed; state++ {
		for _, m := range handshakeMessages(t) {
			s := sessionIn(t, state)
			_ = s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: m}))
			if len(s.out) > 1 {
				mt, _ := wire.MessageType(m)
				t.Errorf("%d replies to one %s in %s", len(s.out), mt, state)
			}
		}
	}
}

func TestAdversary_D3_BadConfirm(t *testing.T) {
	for name, at := range map[string]int{"MAC": 12, "ciphertext": 12 + 8 + 16} {
		p := initiatedByA(t)
		p.b.onSend = rewrite(t, wire.TypeConfirm1, func(m []byte) []byte { m[at] ^= 1; return m })
		p.run()
		p.a.mustFail(t, wire.ErrorConfirmMAC)
		p = initiatedByA(t)
		p.a.onSend = rewrite(t, wire.TypeConfirm2, func(m []byte) []byte { m[at] ^= 1; return m })
		p.run()
		p.b.mustFail(t, wire.ErrorConfirmMAC)
		if p.a.send != nil {
			t.Errorf("%s: the initiator may send to a responder that refused", name)
		}
	}
}

func TestAdversary_D3_BrokenChain(t *testing.T) {
	// A forged message whose hash image proves nothing is dropped; the
	// call goes on with the true one.
	for _, mt := range []wire.Type{wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2} {
		p := initiatedByA(t)
		forge := func(to *end, link func() *netsim.Link) func([]byte) []byte {
			return func(pkt []byte) []byte {
				if is(pkt, mt) {
					w, _ := wire.ParsePacket(bytes.Clone(pkt))
					w.Message[12] ^= 1 // H2 or H1
					link().Send(p.now, wire.AppendPacket(nil, w))
				}
				return pkt
			}
		}
		p.a.onSend = forge(p.b, func() *netsim.Link { return p.ab })
		p.b.onSend = forge(p.a, func() *netsim.Link { return p.ba })
		p.mustSecure()
	}
}

// A Confirm with a right MAC whose H0 proves nothing is dropped too, and the
// call goes on with the next one.
func TestAdversary_D3_BrokenChainInConfirm(t *testing.T) {
	for _, mt := range []wire.Type{wire.TypeConfirm1, wire.TypeConfirm2} {
		p := initiatedByA(t)
		from, to := p.b, p.a
		if mt == wire.TypeConfirm2 {
			from, to = p.a, p.b
		}
		broken := reconfirm(t, from, mt, func(plain []byte) { plain[0] ^= 1 })
		tried := false
		from.onSend = func(pkt []byte) []byte {
			if is(pkt, mt) && !tried {
				tried = true
				to.mustIgnore(t, p.now, broken(pkt))
			}
			return pkt
		}
		p.mustSecure()
		if !tried || p.a.failed != nil || p.b.failed != nil {
			t.Errorf("%s: tried %v, %+v, %+v", mt, tried, p.a.failed, p.b.failed)
		}
	}
}

func TestAdversary_D4_Injection(t *testing.T) {
	e := wire.Error{Code: wire.ErrorTimeout}
	g := wire.GoClear{ClearMAC: [8]byte{1}}
	forged := [][]byte{
		e.Append(nil), g.Append(nil),
		wire.AppendACK(nil, wire.TypeConf2ACK), wire.AppendACK(nil, wire.TypeErrorACK),
		wire.AppendACK(nil, wire.TypeClearACK), wire.AppendACK(nil, wire.TypeRelayACK),
	}
	// Before the peer has spoken nothing but a Hello counts; after the
	// secure state nothing counts.
	for _, state := range []State{Discovery, Secure} {
		for _, m := range forged {
			s := sessionIn(t, state)
			if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0xb, Message: m})); err == nil {
				mt, _ := wire.MessageType(m)
				t.Errorf("%s in %s is believed", mt, state)
			}
			if s.State() != state || s.NextEvent() != nil || len(s.out) != 0 {
				t.Errorf("injected %q in %s had an effect", m[4:12], state)
			}
		}
	}
	// Another stream's packets never count.
	s := sessionIn(t, CommitSent)
	if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: 0xc, Message: forged[0]})); err == nil {
		t.Error("a packet of another stream is believed")
	}
}

// Hello and Commit of somebody else, with the peer's SSRC: once a Hello was
// heard, or was announced, another one counts for nothing, and a Commit that
// does not continue it never does.
func TestAdversary_D4_ForeignHelloAndCommit(t *testing.T) {
	c := configB(77)
	foreign, _ := allPackets(t, c, configA(77))
	for _, passive := range []bool{false, true} {
		for _, at := range []uint32{0xb, 0xbad} {
			a, b := configA(1), configB(1)
			a.Passive, b.Passive = passive, !passive
			p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
			p.a.SetPeerHelloHash(p.now, p.b.HelloHash())
			tried := 0
			p.start()
			for more := true; more; more = p.step() {
				for _, pkt := range foreign {
					if is(pkt, wire.TypeHello) || is(pkt, wire.TypeCommit) {
						p.a.mustIgnore(t, p.now, packetFrom(at, messageIn(t, pkt)))
						tried++
					}
				}
			}
			if p.a.secured == nil || tried < 10 {
				t.Fatalf("%+v after %d attempts", p.a.failed, tried)
			}
			p.mustAgree()
		}
	}
}

// Whoever does not know the peer's SSRC reaches nothing at all, not even a
// message that is right but for it.
func TestAdversary_D4_AnotherSSRC(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{Delay: time.Millisecond})
	e := wire.Error{Code: wire.ErrorTimeout}
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		if to.theirs.hello == nil {
			return pkt
		}
		for _, msg := range [][]byte{messageIn(t, pkt), e.Append(nil), wire.AppendACK(nil, wire.TypeConf2ACK), wire.AppendACK(nil, wire.TypeErrorACK)} {
			to.mustIgnore(t, p.now, packetFrom(0xbad, msg))
		}
		return pkt
	})
	p.mustSecure()
}

// The signalling announces one Hello and another one comes: no keys, and the
// owner hears why.
func TestAdversary_D6_AnnouncedHelloDiffers(t *testing.T) {
	for what, change := range map[string]func(*wire.Hello){
		"an algorithm removed": func(h *wire.Hello) { h.Hashes = h.Hashes[1:] },
		"all removed":          func(h *wire.Hello) { h.KeyAgreements = nil },
		"P flag":               func(h *wire.Hello) { h.Passive = !h.Passive },
		"M flag":               func(h *wire.Hello) { h.MiTM = true },
		"S flag":               func(h *wire.Hello) { h.SASSigning = true },
		"another ZID":          func(h *wire.Hello) { h.ZID[3] ^= 1 },
		"another version":      func(h *wire.Hello) { copy(h.Version[:], "1.00") },
		"a newer version":      func(h *wire.Hello) { copy(h.Version[:], "2.00") },
		"another client":       func(h *wire.Hello) { h.ClientID[0] ^= 1 },
		"another chain":        func(h *wire.Hello) { h.H3[0] ^= 1 },
	} {
		for _, late := range []bool{false, true} {
			p := initiatedByA(t)
			announced := p.b.HelloHash()
			if !late {
				p.a.SetPeerHelloHash(p.now, announced)
			}
			p.b.introduce(change) // as changed on its way, and better: with a right MAC
			p.start()
			if late {
				p.a.onTaken = func(State, []byte) {
					p.a.onTaken = nil
					p.a.SetPeerHelloHash(p.now, announced)
				}
			}
			for p.step() {
			}
			told := p.a.noPeer != nil && p.a.noPeer.HelloMismatch
			if late {
				told = p.a.failed != nil && !p.a.failed.Remote && (p.a.failed.Code == wire.ErrorHelloMismatch || what == "another version")
				told = told || what == "a newer version" && p.a.noPeer != nil
			}
			if !told || p.a.secured != nil || p.a.recv != nil || p.b.send != nil {
				t.Errorf("%s, late %v: %+v, %+v", what, late, p.a.noPeer, p.a.failed)
			}
		}
	}
}

// Both sides offer EC38 and S256, and still they don't go together
// (RFC 6189 §5.1.5).
func TestAdversary_D7_ForbiddenPair(t *testing.T) {
	for _, hash := range []string{"S256", "S512"} {
		a, b := configA(1), configB(1)
		b.Passive = true
		for _, c := range []*Config{&a, &b} {
			c.Policy.Offer.KeyAgreements, c.Policy.Offer.Hashes = algos("EC38"), algos("S384", "S256", "S512")
		}
		p := newPair(t, a, b, netsim.Config{})
		replace(p.a, wire.TypeCommit, func(m []byte) []byte {
			c, err := wire.ParseCommit(m)
			if err != nil {
				t.Fatal(err)
			}
			c.Hash = wire.A(hash)
			return p.a.recommit(c)
		})
		p.run()
		p.b.mustFail(t, wire.ErrorHashUnsupported)
	}
}

func TestAdversary_D7_CommitsToWhatWasNotOffered(t *testing.T) {
	for i, want := range unsupported {
		a, b := configA(1), configB(1)
		b.Passive = true
		narrow := [5]string{"S256", "AES1", "HS80", "X255", "B32"}
		other := [5]string{"S384", "AES3", "HS32", "EC25", "B256"}
		list := b.Policy.Offer.lists()[i]
		*list = algos(narrow[i])
		a.Policy.Offer = DefaultOffer()
		*a.Policy.Offer.lists()[i] = algos(other[i], narrow[i])
		p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
		// The attacker makes the initiator believe in a richer offer.
		p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte {
			return bytes.Replace(m, name(narrow[i]), name(other[i]), 1)
		})
		p.run()
		p.b.mustFail(t, want)
	}
}

// A repetition that is not the message it repeats is dropped: only that one was
// hashed and proven.
func TestAdversary_D1_ChangedRepetitions(t *testing.T) {
	for _, mt := range []wire.Type{wire.TypeHello, wire.TypeCommit, wire.TypeDHPart2, wire.TypeConfirm2} {
		p := initiatedByA(t)
		answer := map[wire.Type]wire.Type{
			wire.TypeHello: wire.TypeHelloACK, wire.TypeCommit: wire.TypeDHPart1, wire.TypeDHPart2: wire.TypeConfirm1, wire.TypeConfirm2: wire.TypeConf2ACK,
		}[mt]
		var msg []byte
		tried := 0
		p.eachDelivery(func(to *end, pkt []byte) []byte {
			switch {
			case to == p.b && is(pkt, mt):
				msg = messageIn(t, pkt)
			case to == p.a && is(pkt, answer) && msg != nil:
				for i := 12; i < len(msg); i++ {
					bad := bytes.Clone(msg)
					bad[i] ^= 1
					p.b.mustIgnore(t, p.now, packetFrom(0xa, bad))
				}
				tried++
			}
			return pkt
		})
		p.mustSecure()
		if tried == 0 {
			t.Errorf("%s was not repeated", mt)
		}
	}
}
