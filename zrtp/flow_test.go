package zrtp

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// Every message in every state, forged: the peer's own with a bit changed, or
// what needs no secret to make. It brings no keys and ends no encryption, and goes
// on only where the RFC has the message proven by a later one.
func TestTransitionsForged(t *testing.T) {
	listed, provenLater := map[tableKey]bool{}, map[tableKey]bool{
		{Discovery, wire.TypeHello}: true, {Discovery, wire.TypeCommit}: true,
		{CommitSent, wire.TypeCommit}: true, {CommitSent, wire.TypeDHPart1}: true,
	}
	for _, r := range Transitions() {
		listed[tableKey{r.From, r.Message}] = true
	}
	samples := handshakeMessages(t)
	for state := Idle; state <= Closed; state++ {
		for _, m := range samples {
			for _, at := range []int{11, 12, len(m) / 2, len(m) - 1} { // 11 ends the name of the type
				if at >= len(m) {
					continue
				}
				forged := slices.Clone(m)
				forged[at] ^= 1
				mt, err := wire.MessageType(forged)
				key := tableKey{state, mt}
				s := sessionIn(t, state)
				err = errors.Join(err, s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: forged})))
				if !listed[key] && (err == nil || s.state != state || len(s.out)+len(s.events) != 0) {
					t.Errorf("%q in %s, byte %d: not silent, now in %s", mt, state, at, s.state)
				}
				if s.state != state && s.state != ErrorSent && !provenLater[key] {
					t.Errorf("%q in %s, byte %d: now in %s", mt, state, at, s.state)
				}
				for _, e := range s.events {
					switch e.(type) {
					case Failed, PeerFound:
					default:
						t.Errorf("%q in %s, byte %d: %T", mt, state, at, e)
					}
				}
			}
		}
	}
}

// What a Session does is what Transitions says: in many handshakes over bad
// networks every message that is taken leads where its row says and is
// answered as it says, and every row is seen.
func TestTransitionsAreWhatHappens(t *testing.T) {
	rows, seen := map[tableKey]Transition{}, map[tableKey]bool{}
	for _, r := range Transitions() {
		rows[tableKey{r.From, r.Message}] = r
	}
	for seed := range uint64(400) {
		a, b := configA(seed), configB(seed)
		a.Passive = seed%4 == 1
		b.Passive = seed%4 == 2
		if seed%16 == 3 {
			b.Policy.Offer.SASTypes, a.Policy.Offer.SASTypes = algos("B32"), algos("B256")
		}
		network := badNetwork(seed)
		network.Flip, network.Duplicate = 0, 0.5
		p := newPair(t, a, b, network)
		if seed%8 == 4 {
			p = newPair(t, a, b, netsim.Config{})
			p.mustSecure()
			p = p.furtherStream(2, network)
		}
		for _, e := range []*end{p.a, p.b} {
			e.onTaken = func(from State, pkt []byte) {
				w, err := wire.ParsePacket(pkt)
				if err != nil {
					t.Fatal(err)
				}
				mt, _ := wire.MessageType(w.Message)
				key := tableKey{from, mt}
				seen[key] = true
				checkRow(t, rows[key], e)
			}
		}
		p.run()
	}
	afterSecure(t, func(row tableKey, e *end) {
		seen[row] = true
		checkRow(t, rows[row], e)
	})
	// What a good handshake hardly ever shows is shown to a Session in that
	// state.
	e := wire.Error{Code: wire.ErrorTimeout}
	for key, row := range rows {
		if seen[key] {
			continue
		}
		s := &end{Session: sessionIn(t, key.state)}
		if key == (tableKey{Discovery, wire.TypeHelloACK}) {
			s.Session = passiveThatHeard(t)
		}
		msg := map[wire.Type][]byte{
			wire.TypeError: e.Append(nil), wire.TypeHello: s.theirs.hello,
			wire.TypeErrorACK: wire.AppendACK(nil, wire.TypeErrorACK), wire.TypeHelloACK: wire.AppendACK(nil, wire.TypeHelloACK),
		}[key.message]
		if s.theirs.hello == nil && key.message == wire.TypeError {
			continue // Discovery: TestAdversary_D4 has it
		}
		if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: msg})); err == nil {
			seen[key] = true
			checkRow(t, row, s)
		}
	}
	for key := range rows {
		if !seen[key] && key != (tableKey{Discovery, wire.TypeError}) {
			t.Errorf("%s in %s was never seen", key.message, key.state)
		}
	}
}

// passiveThatHeard is a session that only responds, and has a Hello. A peer of
// ours answers its Hello with a Commit, others with a HelloACK first.
func passiveThatHeard(t *testing.T) *Session {
	t.Helper()
	a := configA(1)
	a.Passive = true
	p := newPair(t, a, configB(1), netsim.Config{})
	p.a.Start(epoch)
	p.b.Start(epoch)
	hello, _ := p.b.AppendPacket(nil)
	if err := p.a.HandlePacket(epoch, hello); err != nil {
		t.Fatal(err)
	}
	p.a.out = nil
	return p.a.Session
}

func checkRow(t *testing.T, row Transition, e *end) {
	t.Helper()
	to, reply := row.To, row.Reply
	switch {
	case e.call != nil && row.Message == wire.TypeCommit && e.State() == Confirm1Sent:
		to, reply = Confirm1Sent, wire.TypeConfirm1 // there are no DHParts
	case e.State() == ErrorSent: // a check has failed
		reply = wire.TypeError
		to = ErrorSent
	case row.From == Discovery && !e.believeAt.IsZero(): // nothing can follow, unless another Hello comes
		to, reply = Discovery, wire.Type{}
	case row.From == Discovery && row.Message == wire.TypeHello && e.cfg.Passive:
		to, reply = Discovery, wire.TypeHelloACK
	case row.From == CommitSent && row.Message == wire.TypeCommit && e.State() == CommitSent:
		to, reply = CommitSent, wire.Type{} // our Commit wins
	}
	if e.State() != to {
		t.Errorf("%s in %s led to %s, want %s", row.Message, row.From, e.State(), to)
	}
	var got wire.Type
	if len(e.out) > 0 {
		got, _ = wire.MessageType(e.out[len(e.out)-1].msg)
	}
	if got != reply || len(e.out) > 1 {
		t.Errorf("%s in %s was answered by %q (%d messages), want %q", row.Message, row.From, got, len(e.out), reply)
	}
}

// A peer that comes after our Hellos have run out still gets one.
func TestLatePeer(t *testing.T) {
	p := newPair(t, configA(1), configB(1), netsim.Config{Delay: time.Millisecond})
	p.a.Start(p.now)
	p.drain()
	for p.a.noPeer == nil && p.step() {
	}
	p.now = epoch.Add(5 * time.Second)
	p.b.Start(p.now)
	p.drain()
	for p.now.Before(epoch.Add(time.Minute)) && p.step() {
	}
	if p.a.secured == nil || p.b.secured == nil {
		t.Errorf("a in %s: %+v", p.a.State(), p.a.failed)
	}
}

// A peer known to speak ZRTP is waited for longer (RFC 6189 §6).
func TestPatienceWithAKnownPeer(t *testing.T) {
	for _, how := range []string{"announced", "heard"} {
		p := newPair(t, configA(1), configB(1), netsim.Config{})
		p.b.onSend = func(pkt []byte) []byte {
			if how == "heard" && is(pkt, wire.TypeHello) {
				return pkt
			}
			return nil
		}
		p.a.cfg.Passive = true // no Commit that would time out before
		if how == "announced" {
			p.a.SetPeerHelloHash(p.now, p.b.HelloHash())
		}
		p.run()
		if n := count(p.a.sent, wire.TypeHello); n != 1+helloPatient {
			t.Errorf("%s: %d Hellos", how, n)
		}
	}
}

func TestBothPassive(t *testing.T) {
	a, b := configA(1), configB(1)
	a.Passive, b.Passive = true, true
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.run()
	p.a.mustFail(t, wire.ErrorUnavailable)
}

// A responder whose initiator falls silent gives up, and one whose initiator
// repeats itself for ever does too.
func TestResponderGivesUp(t *testing.T) {
	for _, repeats := range []bool{false, true} {
		p := initiatedByA(t)
		var commit []byte
		p.a.onSend = func(pkt []byte) []byte {
			if is(pkt, wire.TypeCommit) && commit == nil {
				commit = bytes.Clone(pkt)
				return pkt
			}
			if is(pkt, wire.TypeHello) {
				return pkt
			}
			return nil
		}
		p.a.Start(p.now)
		p.b.Start(p.now)
		p.drain()
		for p.b.State() != DHPart1Sent && p.step() {
		}
		now := p.now
		for i := 0; p.b.State() == DHPart1Sent && i < 20; i++ {
			now = now.Add(patience - time.Second)
			if repeats {
				_ = p.b.HandlePacket(now, commit)
			}
			p.b.HandleTimeout(now)
		}
		p.b.drain(now, p.ba)
		p.b.mustFail(t, wire.ErrorTimeout)
		if d := now.Sub(epoch); d > longestWait+patience || !repeats && d > 2*patience {
			t.Errorf("repeats %v: gave up after %v", repeats, d)
		}
	}
}

// Failures before a Hello was accepted are acknowledged as well.
func TestErrorACKBeforeHello(t *testing.T) {
	s := newEnd(t, configA(2))
	s.Start(epoch)
	own, _ := s.AppendPacket(nil)
	if err := s.HandlePacket(epoch, own); err != nil || s.State() != Discovery {
		t.Fatalf("%v in %s", err, s.State())
	}
	if s.HandleTimeout(epoch.Add(stepRhythm.longest)); s.State() != ErrorSent {
		t.Fatalf("in %s", s.State())
	}
	ack := wire.AppendPacket(nil, wire.Packet{Seq: 7, SSRC: 0xb, Message: wire.AppendACK(nil, wire.TypeErrorACK)})
	if err := s.HandlePacket(epoch, ack); err != nil || s.State() != Closed || !s.Deadline().IsZero() {
		t.Errorf("%v in %s", err, s.State())
	}
}

// Acknowledgements have no body.
func TestACKsAreExact(t *testing.T) {
	for state, mt := range map[State]wire.Type{
		Confirm2Sent: wire.TypeConf2ACK, CommitSent: wire.TypeHelloACK, ErrorSent: wire.TypeErrorACK,
	} {
		s := sessionIn(t, state)
		msg := append(wire.AppendACK(nil, mt), make([]byte, 400)...)
		msg[2], msg[3] = 0, byte(len(msg)/4)
		if err := s.HandlePacket(epoch, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xb, Message: msg})); err == nil || s.State() != state {
			t.Errorf("%s of %d bytes is taken; now in %s", mt, len(msg), s.State())
		}
	}
}

// A Hello whose change is proven by its MAC ends the call and says so.
func TestAdversary_D6_HelloChanged(t *testing.T) {
	weaken := func(m []byte) []byte { return bytes.Replace(m, []byte("S384"), []byte("S256"), 1) }
	p := initiatedByA(t)
	p.b.onSend = rewrite(t, wire.TypeHello, weaken)
	p.run()
	p.a.mustFail(t, wire.ErrorHelloMismatch)
	p = initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeHello, weaken)
	p.run()
	p.b.mustFail(t, wire.ErrorHelloMismatch)
}

func TestSSRCCollision(t *testing.T) {
	b := configB(1)
	b.SSRC = configA(1).SSRC
	p := newPair(t, configA(1), b, netsim.Config{Delay: time.Millisecond})
	p.run()
	p.a.mustFail(t, wire.ErrorSSRCCollision)
}

// A Commit that names another ZID than the Hello is not its continuation.
func TestCommitOfAnotherZID(t *testing.T) {
	p := initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeCommit, func(m []byte) []byte {
		m[12+32] ^= 1
		return appendMAC(m, p.a.chain.h[1])
	})
	p.run()
	if p.b.secured != nil || count(p.b.sent, wire.TypeDHPart1) != 0 {
		t.Error("taken")
	}
}

// Versions are compared by three characters; a lower one can't be spoken, a
// higher one comes down by itself (RFC 6189 §4.1.1).
func TestVersions(t *testing.T) {
	for spoken, want := range map[string]State{"1.10": Secure, "1.1a": Secure, "1.00": Closed, "0.90": Closed, "1.20": Discovery, "2.00": Discovery} {
		p := newPair(t, configA(1), configB(1), netsim.Config{Delay: time.Millisecond})
		h := p.b.newHello()
		copy(h.Version[:], spoken)
		p.b.ours.hello = appendMAC(h.Append(nil), p.b.chain.h[2])
		if want != Secure { // b must not go on by itself
			p.b.onSend = func(pkt []byte) []byte {
				if is(pkt, wire.TypeHello) || is(pkt, wire.TypeErrorACK) {
					return pkt
				}
				return nil
			}
		}
		p.run()
		if want == Closed {
			p.a.mustFail(t, wire.ErrorVersion)
		}
		if p.a.State() != want || want == Discovery && p.a.noPeer == nil {
			t.Errorf("version %s: %s", spoken, p.a.State())
		}
	}
}

// A key pair made for one agreement does not serve another.
func TestContentionBetweenAgreements(t *testing.T) {
	for seed := range uint64(8) {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{Delay: time.Millisecond})
		// a chooses by a rule of its own and commits to DH3k.
		own := p.a.cfg.Policy.Offer.KeyAgreements
		p.a.cfg.Policy.Offer.KeyAgreements = algos("DH3k")
		p.a.onSend = func(pkt []byte) []byte {
			if is(pkt, wire.TypeCommit) {
				p.a.cfg.Policy.Offer.KeyAgreements = own
			}
			return pkt
		}
		p.mustSecure()
	}
}

// Keys that were announced but not collected are taken back on failure.
func TestFailureTakesKeysBack(t *testing.T) {
	p := initiatedByA(t)
	var queued *SRTPKeys
	p.b.onSend = func(pkt []byte) []byte {
		if !is(pkt, wire.TypeConfirm1) {
			return pkt
		}
		if err := p.a.HandlePacket(p.now, pkt); err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(p.a.events, func(e Event) bool { _, ok := e.(KeysReady); return ok })
		queued = p.a.events[at].(KeysReady).Receive
		p.a.fail(p.now, wire.ErrorSoftware, errStore)
		return nil
	}
	p.run()
	p.a.mustFail(t, wire.ErrorSoftware)
	if p.a.recv != nil || queued == nil || queued.Key.Len() != 0 {
		t.Error("keys outlive the failure")
	}
}

// The chain inside a Confirm with a right MAC must hold as well.
func TestConfirmOfAnotherChain(t *testing.T) {
	all := recordings(t)
	r := all["x255"]
	for what, spoil := range map[string]func(*Session){
		"H1":         func(s *Session) { s.peer.h1[0] ^= 1 },
		"DHPart MAC": func(s *Session) { s.theirs.dhPart = bytes.Clone(s.theirs.dhPart); s.theirs.dhPart[pvAt] ^= 1 },
	} {
		s := recordedSession(t, r, Initiator)
		spoil(s)
		if _, ok, err := s.openConfirm(epoch, r.responder[wire.TypeConfirm1]); ok || err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}
