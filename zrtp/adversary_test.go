package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/internal/secret"
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

func TestAdversary_A1_CommitmentBroken(t *testing.T) {
	p := initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeDHPart2, func(m []byte) []byte { m[pvAt] ^= 1; return m })
	p.run()
	p.b.mustFail(t, wire.ErrorHVI)
	if !p.a.failed.Remote {
		t.Error("the initiator was not told")
	}
}

func TestAdversary_A1_CommitOverAnotherHello(t *testing.T) {
	// The attacker shows the initiator a weaker Hello of the responder; the
	// initiator's hvi covers what it saw (RFC 6189 §4.4.1.1).
	p := initiatedByA(t)
	p.b.onSend = rewrite(t, wire.TypeHello, func(m []byte) []byte {
		return bytes.Replace(m, []byte("S384"), []byte("S256"), 1)
	})
	p.run()
	if p.a.secured != nil || p.b.secured != nil {
		t.Fatal("bidding down went unnoticed")
	}
}

func TestAdversary_A1_CommitChanged(t *testing.T) {
	p := initiatedByA(t)
	p.a.onSend = rewrite(t, wire.TypeCommit, func(m []byte) []byte {
		return bytes.Replace(m, []byte("AES3"), []byte("AES1"), 1)
	})
	p.run()
	p.b.mustFail(t, wire.ErrorHVI)
}

func TestAdversary_A2_Contention(t *testing.T) {
	for seed := range uint64(50) {
		p := newPair(t, configA(seed), configB(seed), netsim.Config{Delay: time.Millisecond})
		p.mustSecure()
		if count(p.a.sent, wire.TypeCommit) != 1 || count(p.b.sent, wire.TypeCommit) != 1 {
			t.Fatal("no contention")
		}
		initiator, responder := p.a, p.b
		if p.a.secured.Role == Responder {
			initiator, responder = p.b, p.a
		}
		winner, err := wire.ParseCommit(initiator.ours.commit)
		if err != nil {
			t.Fatal(err)
		}
		if responder.ours.commit != nil {
			t.Fatal("the loser kept its Commit")
		}
		if !bytes.Equal(responder.theirs.commit, initiator.ours.commit) || winner.HVI == [32]byte{} {
			t.Fatal("the winner's Commit was not followed")
		}
	}
}

func TestAdversary_A2_LowerCommitYields(t *testing.T) {
	p := newPair(t, configA(7), configB(7), netsim.Config{Delay: time.Millisecond})
	commits := map[*end]wire.Commit{}
	for _, e := range []*end{p.a, p.b} {
		e.onSend = func(pkt []byte) []byte {
			if is(pkt, wire.TypeCommit) {
				w, _ := wire.ParsePacket(pkt)
				c, err := wire.ParseCommit(w.Message)
				if err != nil {
					t.Fatal(err)
				}
				commits[e] = c
			}
			return pkt
		}
	}
	p.mustSecure()
	ca, cb := commits[p.a].HVI, commits[p.b].HVI
	if aWins := bytes.Compare(ca[:], cb[:]) > 0; aWins != (p.a.secured.Role == Initiator) {
		t.Error("the lower hvi won")
	}
}

func TestAdversary_A2_ReflectedCommitIsNoTie(t *testing.T) {
	p := initiatedByA(t)
	var commit []byte
	p.a.onSend = func(pkt []byte) []byte {
		if is(pkt, wire.TypeCommit) {
			commit = pkt
			return nil
		}
		return pkt
	}
	p.a.Start(p.now)
	p.b.Start(p.now)
	p.drain()
	for commit == nil && p.step() {
	}
	w, err := wire.ParsePacket(commit)
	if err != nil {
		t.Fatal(err)
	}
	w.SSRC = 0xb
	if err := p.a.HandlePacket(p.now, wire.AppendPacket(nil, w)); err == nil || p.a.State() != CommitSent {
		t.Errorf("our own Commit came back and was taken: %v", err)
	}
}

func TestAdversary_A3_EverythingFresh(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(20) {
		p := initiatedByA(t)
		p.a.cfg.Rand = seededRand(1000 + seed)
		for _, e := range []*end{p.a, p.b} {
			e.Session, _ = New(Config{
				Rand: seededRand(seed*2 + uint64(e.cfg.SSRC)), ZID: e.cfg.ZID, SSRC: e.cfg.SSRC, Passive: e.cfg.Passive,
			})
		}
		p.mustSecure()
		hvi, err := wire.ParseCommit(p.a.ours.commit)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range [][]byte{hvi.HVI[:], p.a.peer.dhPart.PV, p.b.peer.dhPart.PV} {
			if seen[string(v)] {
				t.Fatal("a value was used twice")
			}
			seen[string(v)] = true
		}
	}
}

func TestAdversary_B_BadPublicValues(t *testing.T) {
	for _, ka := range []string{"X255", "X448", "EC25", "EC38", "DH3k", "DH2k"} {
		for name, spoil := range map[string]func(pv []byte){
			"zero":  func(pv []byte) { clear(pv) },
			"one":   func(pv []byte) { one(ka, pv) },
			"ones":  func(pv []byte) { copy(pv, bytes.Repeat([]byte{0xff}, len(pv))) },
			"p-1":   func(pv []byte) { pMinus1(ka, pv) },
			"short": nil,
		} {
			if ka == "X255" && name == "ones" || ka == "X448" && name == "ones" {
				continue // valid, though not canonical (RFC 7748 §5)
			}
			t.Run(ka+"/"+name, func(t *testing.T) {
				a, b := configA(1), configB(1)
				b.Passive = true
				a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos(ka), algos(ka)
				p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
				p.b.onSend = rewrite(t, wire.TypeDHPart1, func(m []byte) []byte {
					if spoil == nil {
						part, err := wire.ParseDHPart(m)
						if err != nil {
							t.Fatal(err)
						}
						part.PV = part.PV[:len(part.PV)-4]
						return part.Append(nil)
					}
					spoil(m[pvAt : len(m)-macLen])
					return m
				})
				p.run()
				p.a.mustFail(t, wire.ErrorPublicValue)
				if p.b.secured != nil {
					t.Error("the responder went on")
				}
			})
		}
	}
}

func name(algo string) []byte {
	a := wire.A(algo)
	return a[:]
}

func one(ka string, pv []byte) {
	clear(pv)
	if ka == "X255" || ka == "X448" { // little-endian
		pv[0] = 1
		return
	}
	pv[len(pv)-1] = 1
}

// pMinus1 writes the field's p-1, which squares to 1.
func pMinus1(ka string, pv []byte) {
	switch ka {
	case "X255": // little-endian 2^255-20
		copy(pv, bytes.Repeat([]byte{0xff}, len(pv)))
		pv[0], pv[31] = 0xec, 0x7f
	case "X448": // little-endian 2^448-2^224-2
		copy(pv, bytes.Repeat([]byte{0xff}, len(pv)))
		pv[0], pv[28] = 0xfe, 0xfe
	case "EC25", "EC38": // no such point on the curve
		copy(pv, bytes.Repeat([]byte{0xff}, len(pv)))
		pv[len(pv)-1] = 0xfe
	default:
		copy(pv, map[string][]byte{"DH3k": modp3072, "DH2k": modp2048}[ka])
		pv[len(pv)-1]--
	}
}

func TestAdversary_C4_WrongChecksum(t *testing.T) {
	p := initiatedByA(t)
	p.a.Start(p.now)
	pkt, _ := p.b.AppendPacket(nil)
	p.b.Start(p.now)
	pkt, _ = p.b.AppendPacket(pkt[:0])
	for i := range pkt {
		bad := bytes.Clone(pkt)
		bad[i] ^= 0x10
		before := p.a.State()
		if err := p.a.HandlePacket(p.now, bad); err == nil || p.a.State() != before {
			t.Fatalf("byte %d changed: accepted", i)
		}
	}
}

func TestAdversary_D1_Reflection(t *testing.T) {
	p := initiatedByA(t)
	p.a.Start(p.now)
	pkt, _ := p.a.AppendPacket(nil)
	if err := p.a.HandlePacket(p.now, pkt); err != nil {
		t.Fatal(err)
	}
	p.a.drain(p.now, p.ab)
	p.a.mustFail(t, wire.ErrorEqualZIDs)
}

func TestAdversary_D1_Replay(t *testing.T) {
	// Everything b said in one call is played to a in the next.
	var old [][]byte
	p := initiatedByA(t)
	p.b.onSend = func(pkt []byte) []byte { old = append(old, bytes.Clone(pkt)); return pkt }
	p.mustSecure()
	fresh, err := New(configA(99))
	if err != nil {
		t.Fatal(err)
	}
	fresh.Start(epoch)
	for range 3 {
		for _, pkt := range old {
			_ = fresh.HandlePacket(epoch, pkt) // any verdict will do, but no keys
		}
	}
	for ev := fresh.NextEvent(); ev != nil; ev = fresh.NextEvent() {
		switch ev.(type) {
		case KeysReady, Secured:
			t.Fatalf("a replayed call gave %T", ev)
		}
	}
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

func TestAdversary_E2_FreshZIDIsAStranger(t *testing.T) {
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := configA(1), configB(1)
	a.Store, b.Store = storeA, storeB
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if err := p.b.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	a, b = configA(2), configB(2)
	a.Store, b.ZID = storeA, wire.ZID{9}
	p = newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if s := p.a.secured; s.Verified || s.Continued {
		t.Errorf("a stranger is greeted as a friend: %+v", s)
	}
}

func TestAdversary_E1_StolenZID(t *testing.T) {
	// The attacker shows the known peer's ZID without its secrets.
	storeA, storeB := newMemoryStore(), newMemoryStore()
	a, b := configA(1), configB(1)
	a.Store, b.Store = storeA, storeB
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	fake := newMemoryStore()
	fake.records[zidA] = Record{RS1: secret.Copy(bytes.Repeat([]byte{7}, 32)), Verified: true}
	a, b = configA(2), configB(2)
	a.Store, b.Store = storeA, fake
	p = newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if s := p.a.secured; !s.CacheMismatch || s.Verified || s.Continued {
		t.Errorf("no alarm: %+v", s)
	}
}

// Secrets are gone from the Session after failure and after Close.
func TestWiped(t *testing.T) {
	for _, end := range []string{"close", "failure"} {
		a, b := configA(1), configB(1)
		a.Store, b.Store = newMemoryStore(), newMemoryStore()
		a.AuxSecret, b.AuxSecret = secret.Copy([]byte("aux")), secret.Copy([]byte("aux"))
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		s := p.a.Session
		held := []*secret.Bytes{s.keys.zrtpSess, s.keys.exported}
		if slices.ContainsFunc(held, func(b *secret.Bytes) bool { return b.Len() == 0 }) {
			t.Fatal("wiped too early")
		}
		ours, theirs := side(s.role), side(s.role.other())
		held = append(held, s.keys.mac[theirs], s.keys.confirm[theirs]) // for a SASrelay
		for _, used := range []*secret.Bytes{
			s.keys.srtp[0], s.keys.srtp[1], s.keys.salt[0], s.keys.salt[1], s.keys.mac[ours], s.keys.confirm[ours],
		} {
			if used.Len() != 0 {
				t.Error("a used key is still there")
			}
		}
		if s.retained.aux.Len() != 0 || s.chain.h[0] != [32]byte{} || s.agreement != nil {
			t.Error("what the handshake used up is still there")
		}
		if end == "close" {
			s.Close()
		} else {
			s.fail(p.now, wire.ErrorSoftware, errStore)
		}
		for _, b := range held {
			if b.Len() != 0 {
				t.Errorf("after %s a key is still there", end)
			}
		}
	}
}
