package zrtp

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// clearPair is a secure call in which both sides allow clear as told.
func clearPair(t testing.TB, aAllows, bAllows bool) *pair {
	a, b := configA(1), configB(1)
	b.Passive = true
	a.Policy.AllowClear, b.Policy.AllowClear = aAllows, bAllows
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.mustSecure()
	return p
}

func (p *pair) goClear(e *end) {
	p.t.Helper()
	if err := e.GoClear(p.now); err != nil {
		p.t.Fatal(err)
	}
	p.drain()
}

// inject hands a message of the peer's to e, as from off path.
func (p *pair) inject(e *end, from *end, msg []byte) error {
	return e.HandlePacket(p.now, wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: from.cfg.SSRC, Message: msg}))
}

func TestGoClear(t *testing.T) {
	p := clearPair(t, true, true)
	lost := 3
	p.b.onSend = func(pkt []byte) []byte {
		if lost--; lost >= 0 { // ClearACK
			return nil
		}
		return pkt
	}
	before := bytes.Clone(p.a.keys.zrtpSess.Reveal())
	p.goClear(p.a)
	if p.a.State() != GoClearSent || p.a.cleared != nil {
		t.Fatalf("clear before the peer has agreed: %s", p.a.State())
	}
	p.settle()
	if p.a.cleared == nil || p.a.cleared.Remote || p.b.cleared == nil || !p.b.cleared.Remote {
		t.Fatalf("a %+v, b %+v", p.a.cleared, p.b.cleared)
	}
	if n := count(p.a.sent, wire.TypeGoClear); n != 4 {
		t.Errorf("%d GoClear for 3 lost answers", n)
	}
	for _, e := range []*end{p.a, p.b} {
		k := e.keys
		for _, gone := range []*secret.Bytes{k.exported, k.rs, k.srtp[0], k.srtp[1], k.mac[0], k.mac[1], k.confirm[0], k.confirm[1]} {
			if gone.Len() != 0 {
				t.Error("a key outlives the encryption")
			}
		}
		if e.ExportedKey() != nil || e.State() != Clear {
			t.Errorf("in %s", e.State())
		}
		if err := e.GoClear(p.now); err == nil {
			t.Error("clear twice")
		}
	}
	// RFC 6189 §4.7.2.1, computed by hand.
	zids := append(bytes.Clone(zidA[:]), zidB[:]...)
	want := hmac.Sum(newHash(p.a.suite.Hash), before, slices.Concat([]byte("\x00\x00\x00\x01New ZRTP Session\x00"), zids, []byte{0, 0, 1, 0x80}))
	if p.a.suite.Hash != wire.A("S384") || !bytes.Equal(want, p.a.keys.zrtpSess.Reveal()) || !p.a.keys.zrtpSess.Equal(p.b.keys.zrtpSess) {
		t.Error("the session key is not the one derived from the last")
	}
	// Secure again, from that key (RFC 6189 §4.4.3).
	s := p.furtherStream(1, netsim.Config{Delay: time.Millisecond})
	s.run()
	s.mustBeFurther()
	last := p.a.keys.zrtpSess
	p.a.Close()
	if last.Len() != 0 || p.a.clear != (clearMACs{}) {
		t.Error("the session key outlives the call")
	}
}

// A further stream that goes clear renews the session key of the first.
func TestGoClearOfFurtherStream(t *testing.T) {
	p := clearPair(t, true, true)
	s := p.furtherStream(1, netsim.Config{Delay: time.Millisecond})
	s.a.cfg.Policy.AllowClear, s.b.cfg.Policy.AllowClear = true, true
	s.run()
	s.mustBeFurther()
	old := secret.Copy(p.a.keys.zrtpSess.Reveal())
	s.goClear(s.b)
	s.settle()
	if s.a.State() != Clear || p.a.State() != Secure || p.a.keys.zrtpSess.Equal(old) || !p.a.keys.zrtpSess.Equal(p.b.keys.zrtpSess) {
		t.Errorf("%s, the first in %s", s.a.State(), p.a.State())
	}
	s = p.furtherStream(2, netsim.Config{Delay: time.Millisecond})
	s.a.cfg.Policy.AllowClear, s.b.cfg.Policy.AllowClear = true, true
	s.run()
	p.a.Close()
	s.goClear(s.b)
	s.settle()
	if s.a.State() != Clear || s.b.State() != Clear {
		t.Errorf("%s", s.a.State())
	}
}

// Both users press the button at once: each GoClear is answered, and the session
// key replaced once.
func TestGoClearFromBothSides(t *testing.T) {
	p := clearPair(t, true, true)
	p.goClear(p.a)
	p.goClear(p.b)
	p.settle()
	if p.a.State() != Clear || p.b.State() != Clear || !p.a.keys.zrtpSess.Equal(p.b.keys.zrtpSess) {
		t.Errorf("a %s, b %s", p.a.State(), p.b.State())
	}
	if p.a.cleared.Remote || p.b.cleared.Remote {
		t.Error("a user who asked for it is asked again")
	}
}

func TestGoClearUnanswered(t *testing.T) {
	p := clearPair(t, true, true)
	p.b.onSend = func([]byte) []byte { return nil }
	p.goClear(p.a)
	p.settle()
	if p.a.cleared != nil || p.a.failed == nil || p.a.failed.Code != wire.ErrorTimeout || p.a.keys != nil {
		t.Errorf("%+v, %+v", p.a.cleared, p.a.failed)
	}
}

// Off unless both Confirms carried the A flag; with enrolment never.
func TestGoClearNotAllowed(t *testing.T) {
	for _, allows := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		p := clearPair(t, allows[0], allows[1])
		if p.a.GoClear(p.now) == nil || p.b.GoClear(p.now) == nil || p.a.State() != Secure {
			t.Errorf("%v: allowed", allows)
		}
		if p.a.secured.PeerFlags.AllowClear != allows[1] {
			t.Errorf("%v: the A flag says otherwise", allows)
		}
	}
	p := enrolment(t, 1)
	if p.a.secured.PeerFlags.AllowClear || p.b.GoClear(p.now) == nil || p.a.GoClear(p.now) == nil {
		t.Error("clear while enrolling")
	}
	p.a.adopt(wire.ConfirmPlain{Flags: Flags{Enrollment: true, AllowClear: true}}, nil)
	if p.a.peerFlags.AllowClear {
		t.Error("an A flag beside an E flag counts")
	}
}

// Keys that were announced but not collected are taken back.
func TestGoClearTakesKeysBack(t *testing.T) {
	p := clearPair(t, true, true)
	key := secret.Copy([]byte("key"))
	p.a.events = append(p.a.events, KeysReady{Send: &SRTPKeys{Key: key}})
	if err := p.inject(p.a, p.b, p.a.goClearOf(p.b.role)); err != nil {
		t.Fatal(err)
	}
	p.drain()
	if key.Len() != 0 || p.a.cleared == nil {
		t.Error("a key outlives the encryption")
	}
}

func TestAdversary_D5_GoClear(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		p := clearPair(t, allowed, true)
		for _, e := range []*end{p.a, p.b} {
			peer := map[*end]*end{p.a: p.b, p.b: p.a}[e]
			forged := []wire.GoClear{{}, {ClearMAC: e.clear.ours}, {ClearMAC: peer.clear.ours}}
			forged[2].ClearMAC[7] ^= 1
			for _, g := range forged { // the second is our own, reflected
				if err := p.inject(e, peer, g.Append(nil)); err == nil || e.State() != Secure || len(e.out)+len(e.events) != 0 {
					t.Errorf("allowed %v: forged GoClear: %v, now in %s", allowed, err, e.State())
				}
			}
		}
		if allowed {
			continue
		}
		g := wire.GoClear{ClearMAC: p.b.clear.ours}
		if err := p.inject(p.a, p.b, g.Append(nil)); err != nil {
			t.Fatal(err)
		}
		p.drain()
		if p.a.failed == nil || p.a.failed.Code != wire.ErrorGoClear || p.a.cleared != nil || count(p.a.sent, wire.TypeClearACK) != 0 {
			t.Errorf("the peer's true GoClear, not allowed: %+v", p.a.failed)
		}
	}
}

// afterSecure plays what follows a handshake, and tells of each message taken.
func afterSecure(t *testing.T, taken func(tableKey, *end)) {
	watch := func(p *pair) *pair {
		for _, e := range []*end{p.a, p.b} {
			e.onTaken = func(from State, pkt []byte) {
				w, _ := wire.ParsePacket(pkt)
				mt, _ := wire.MessageType(w.Message)
				taken(tableKey{from, mt}, e)
			}
		}
		return p
	}
	watch(relays(t)).settle()

	p := watch(clearPair(t, true, true))
	p.goClear(p.a)
	p.settle()
	p.ab.Send(p.now, wire.AppendPacket(nil, wire.Packet{Seq: 9, SSRC: 0xa, Message: p.b.goClearOf(p.b.role.other())}))
	p.settle()

	p = watch(clearPair(t, true, true))
	p.goClear(p.a)
	p.goClear(p.b)
	p.settle()

	// The responder's user is quicker than its Conf2ACK, which gets lost.
	a, b := configA(1), configB(1)
	b.Passive, a.Policy.AllowClear, b.Policy.AllowClear = true, true, true
	p = watch(newPair(t, a, b, netsim.Config{Delay: time.Millisecond}))
	p.b.onSend = func(pkt []byte) []byte {
		if is(pkt, wire.TypeConf2ACK) && p.b.State() == Secure {
			if err := p.b.GoClear(p.now); err != nil {
				t.Fatal(err)
			}
			return nil
		}
		return pkt
	}
	p.run()
	if p.a.State() != Clear || p.b.State() != Clear {
		t.Errorf("a %s, b %s", p.a.State(), p.b.State())
	}
}

// goClearOf is the only GoClear that can come from that role.
func (e *end) goClearOf(r Role) []byte {
	g := wire.GoClear{ClearMAC: e.clear.theirs}
	if r == e.role {
		g.ClearMAC = e.clear.ours
	}
	return g.Append(nil)
}
