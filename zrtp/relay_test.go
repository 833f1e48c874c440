package zrtp

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/netsim"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// The parties of these tests: a phone (A) and the PBX (B), and a far phone (C).
var zidC = wire.ZID{1, 0xc}

// enrolment is a secure call of the phone with a PBX that asks to be trusted.
func enrolment(t testing.TB, seed uint64) *pair {
	a, b := configA(seed), configB(seed)
	a.Store, b.Store = newMemoryStore(), newMemoryStore()
	a.Policy.AllowClear, b.Policy.AllowClear = true, true
	b.MiTM, b.Enroll = true, true
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.mustSecure()
	return p
}

type stores struct{ phone, pbx *memoryStore }

// enrolled is what a phone and a PBX remember of an enrolment.
func enrolled(t testing.TB) stores {
	t.Helper()
	p := enrolment(t, 1)
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if err := p.a.Enroll(); err != nil {
		t.Fatal(err)
	}
	return stores{p.a.store, p.b.store}
}

// farCall is the PBX's other leg, with a party that has not enrolled.
func farCall(t testing.TB) *pair {
	c, b := configA(7), configB(8)
	c.ZID, b.MiTM = zidC, true
	c.Policy.Offer.SASTypes = algos("B32")
	p := newPair(t, c, b, netsim.Config{Delay: time.Millisecond})
	p.mustSecure()
	return p
}

// nearCall is the PBX's leg with the phone.
func nearCall(t testing.TB, s stores) *pair {
	a, b := configA(2), configB(2)
	a.Store, b.Store, b.MiTM = s.phone, s.pbx, true
	p := newPair(t, a, b, netsim.Config{Delay: time.Millisecond})
	p.mustSecure()
	return p
}

// relays is a call of an enrolled phone to which a SAS is being relayed.
func relays(t testing.TB) *pair {
	t.Helper()
	p := nearCall(t, enrolled(t))
	p.relay(p.b, farCall(t).b)
	return p
}

func (p *pair) relay(e, far *end) {
	p.t.Helper()
	if err := e.RelaySAS(p.now, far.Session); err != nil {
		p.t.Fatal(err)
	}
	p.drain()
}

func TestAdversary_E6_EnrolmentNeedsConsent(t *testing.T) {
	p := enrolment(t, 1)
	if p.a.asked != 1 || p.b.asked != 0 || p.a.secured.Enrolled {
		t.Fatalf("asked %d and %d times", p.a.asked, p.b.asked)
	}
	if r := p.a.store.records[zidB]; r.PBXSecret.Len() != 0 {
		t.Fatal("enrolled without asking")
	}
	if err := p.a.Enroll(); err == nil {
		t.Error("enrolled though nobody has compared anything")
	}
	if err := p.b.Enroll(); err == nil {
		t.Error("the PBX enrols with the phone")
	}
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	p.a.store.full = errStore
	if err := p.a.Enroll(); err == nil {
		t.Error("a full store is no error")
	}
	p.a.store.full = nil
	if r := p.a.store.records[zidB]; r.PBXSecret.Len() != 0 {
		t.Fatal("enrolled before the user has agreed")
	}
	if err := p.a.Enroll(); err != nil {
		t.Fatal(err)
	}
	ours, theirs := p.a.store.records[zidB], p.b.store.records[zidA]
	if !ours.PBXSecret.Equal(theirs.PBXSecret) || ours.PBXSecret.Len() != 32 {
		t.Error("the two sides store different secrets")
	}
	// RFC 6189 §7.3.1, computed by hand.
	zids := append(bytes.Clone(zidA[:]), zidB[:]...)
	if p.a.role == Responder {
		zids = append(zids[12:], zids[:12]...)
	}
	want := hmac.Sum(newHash(p.a.suite.Hash), p.a.keys.zrtpSess.Reveal(), slices.Concat([]byte("\x00\x00\x00\x01Trusted MiTM key\x00"), zids, []byte{0, 0, 1, 0}))
	if !bytes.Equal(want[:32], ours.PBXSecret.Reveal()) {
		t.Error("not the key of the specification")
	}
	// The user finds out that the SAS differs: nothing stays.
	if err := p.a.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	if r := p.a.store.records[zidB]; r.PBXSecret.Len() != 0 || p.a.Enroll() == nil {
		t.Error("an enrolment outlives the discovery of an attacker")
	}
}

// A SAS compared in an earlier call is evidence enough, unless the user finds
// another in this one.
func TestAdversary_E6_EnrolmentInLaterCall(t *testing.T) {
	for _, denied := range []bool{false, true} {
		s := enrolled(t)
		a, b := configA(3), configB(3)
		a.Store, b.Store, b.MiTM, b.Enroll = s.phone, s.pbx, true, true
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		if denied {
			if err := p.a.SetVerified(false); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.a.Enroll(); (err != nil) != denied {
			t.Errorf("denied %v: %v", denied, err)
		}
	}
}

// The E flag of somebody who is no PBX asks nothing.
func TestAdversary_E6_EnrolmentWithoutM(t *testing.T) {
	a, b := configA(1), configB(1)
	a.Store, b.Store, b.MiTM, b.Enroll = newMemoryStore(), newMemoryStore(), true, true
	p := newPair(t, a, b, netsim.Config{})
	h := p.b.newHello()
	h.MiTM = false
	p.b.ours.hello = appendMAC(h.Append(nil), p.b.chain.h[2])
	p.mustSecure()
	if err := p.a.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if !p.a.secured.PeerFlags.Enrollment || p.a.asked != 0 || p.a.Enroll() == nil {
		t.Error("asked to enrol somebody who is no PBX")
	}
}

// A mismatch puts the PBX's new secret off until somebody has compared.
func TestEnrolmentAfterMismatch(t *testing.T) {
	pbx := enrolled(t).pbx
	old := secret.Copy(pbx.records[zidA].PBXSecret.Reveal())
	a, b := configA(3), configB(3)
	a.Store, b.Store, b.MiTM, b.Enroll = newMemoryStore(), pbx, true, true
	p := newPair(t, a, b, netsim.Config{})
	p.mustSecure()
	if r := pbx.records[zidA]; !r.PBXSecret.Equal(old) || !p.b.secured.CacheMismatch {
		t.Error("a stranger with the phone's ZID displaces its enrolment")
	}
	if err := p.b.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if r := pbx.records[zidA]; r.PBXSecret.Equal(old) || r.PBXSecret.Len() != 32 {
		t.Error("compared, and still not enrolled")
	}
}

func TestRelay(t *testing.T) {
	far := farCall(t)
	near := nearCall(t, enrolled(t))
	if !near.a.secured.Enrolled || !near.b.secured.Enrolled || far.a.secured.Enrolled {
		t.Fatal("who is enrolled does not know it")
	}
	var old []byte
	near.b.onSend = func(pkt []byte) []byte {
		w, err := wire.ParsePacket(pkt)
		if err != nil {
			t.Fatal(err)
		}
		if old == nil && is(pkt, wire.TypeSASRelay) {
			old = bytes.Clone(w.Message)
		}
		return pkt
	}
	near.relay(near.b, far.b)
	far.relay(far.b, near.b)
	near.settle()
	far.settle()
	if len(near.a.relayed) != 1 || len(far.a.relayed) != 1 || near.b.notRelayed+far.b.notRelayed != 0 {
		t.Fatalf("relayed %v, %v", near.a.relayed, far.a.relayed)
	}
	r, f := near.a.relayed[0], far.a.relayed[0]
	if r.SAS != far.a.secured.SAS || r.SAS != f.SAS || !r.Far || f.Far || r.Scheme != wire.A("B32") {
		t.Errorf("the users see %+v and %+v, want %s", r, f, far.a.secured.SAS)
	}
	for _, text := range []string{r.String(), f.String()} {
		if !strings.Contains(text, "PBX") || !strings.Contains(text, r.SAS) {
			t.Errorf("the user reads %q", text)
		}
	}
	near.a.peerFlags.AllowClear = true // as if the PBX itself had allowed it
	if n := count(near.b.sent, wire.TypeSASRelay); n != 1 {
		t.Errorf("%d SASrelays, all but one for nothing", n)
	}
	// The call is connected to somebody else; the old message comes again.
	other := farCall(t)
	other.b.keys.sashash[0] ^= 0xff
	near.relay(near.b, other.b)
	near.settle()
	if near.a.peerFlags.AllowClear {
		t.Error("the PBX's A flag outlives the word of the party beyond it")
	}
	if err := near.inject(near.a, near.b, old); err != nil || len(near.a.events) != 0 {
		t.Errorf("a replayed SAS is shown again: %v", err)
	}
	if len(near.a.relayed) != 2 || near.a.relayed[1].SAS == r.SAS {
		t.Errorf("relayed %v", near.a.relayed)
	}
}

// relayOf is the SASrelay that e sends for far.
func (e *end) relayOf(t *testing.T, far *end) []byte {
	t.Helper()
	if err := e.RelaySAS(epoch, far.Session); err != nil {
		t.Fatal(err)
	}
	msg := e.out[len(e.out)-1].msg
	e.out = e.out[:len(e.out)-1]
	e.step.stop()
	return msg
}

// Of two enrolled parties one sees the SAS of the other, not both; never a PBX
// instead of a phone.
func TestRelayToOneOnly(t *testing.T) {
	near := nearCall(t, enrolled(t))
	far := farCall(t)
	for _, pbx := range []bool{false, true} {
		far.b.continuity.enrolled, far.b.peer.hello.MiTM = true, pbx
		if shown := near.b.isShown(far.b.Session); shown == far.b.isShown(near.b.Session) || pbx && !shown {
			t.Errorf("far end a PBX %v: near shown %v", pbx, shown)
		}
	}
	far.b.peer.hello.MiTM, near.b.peer.hello.MiTM = false, true
	if near.b.isShown(far.b.Session) || !far.b.isShown(near.b.Session) {
		t.Error("a PBX is shown the SAS of a phone")
	}
}

// Only a call's first stream enrols: what a further one has of E is no question.
func TestAdversary_E6_EnrolmentInFurtherStream(t *testing.T) {
	p := enrolment(t, 1)
	s := p.furtherStream(1, netsim.Config{})
	for _, e := range []*end{s.a, s.b} {
		e.cfg.MiTM, e.cfg.Enroll = true, true
		h := e.newHello()
		e.ours.hello = appendMAC(h.Append(nil), e.chain.h[2])
	}
	s.run()
	s.mustBeFurther()
	if s.a.secured.PeerFlags.Enrollment || s.b.secured.PeerFlags.Enrollment {
		t.Error("a further stream carries the E flag")
	}
	if s.a.peerFlags.Enrollment = true; !s.a.peer.hello.MiTM || s.a.asksToEnroll() || s.a.Enroll() == nil {
		t.Error("a further stream enrols")
	}
}

func TestRelayRefused(t *testing.T) {
	near, far := nearCall(t, stores{newMemoryStore(), newMemoryStore()}), farCall(t)
	if near.b.RelaySAS(near.now, far.b.Session) == nil {
		t.Error("relayed with nobody enrolled")
	}
	p := relays(t)
	p.settle()
	if p.a.RelaySAS(p.now, far.b.Session) == nil {
		t.Error("a phone relays")
	}
	further := p.furtherStream(1, netsim.Config{})
	further.run()
	further.mustBeFurther()
	if p.b.RelaySAS(p.now, further.b.Session) == nil || further.b.RelaySAS(p.now, p.b.Session) == nil {
		t.Error("relayed for a stream that has no SAS")
	}
	p.b.Close()
	if p.b.RelaySAS(p.now, far.b.Session) == nil {
		t.Error("relayed without a call")
	}
	cfg := configB(1)
	cfg.Enroll, cfg.Store = true, newMemoryStore()
	if _, err := New(cfg); err == nil {
		t.Error("a phone enrols others")
	}
}

func TestRelayUnanswered(t *testing.T) {
	p := nearCall(t, enrolled(t))
	p.a.onSend = func([]byte) []byte { return nil }
	p.relay(p.b, farCall(t).b)
	p.settle()
	if n := count(p.b.sent, wire.TypeSASRelay); n != 11 || p.b.notRelayed != 1 || p.b.State() != Secure || p.b.failed != nil {
		t.Errorf("%d SASrelays, %d events, %s", n, p.b.notRelayed, p.b.State())
	}
	if len(p.a.relayed) != 1 {
		t.Errorf("shown %d times", len(p.a.relayed))
	}
}

// A SASrelay counts only from an enrolled PBX with M and a right MAC.
func TestAdversary_E6_Relay(t *testing.T) {
	far := farCall(t)
	shows := func(near *pair, msg []byte) error {
		t.Helper()
		err := near.inject(near.a, near.b, msg)
		near.a.drain(near.now, near.ab)
		if len(near.a.relayed) != 0 {
			t.Errorf("shown: %+v", near.a.relayed)
		}
		return err
	}
	near := nearCall(t, enrolled(t))
	msg := near.b.relayOf(t, far.b)
	for i := 12; i < len(msg); i++ {
		bad := bytes.Clone(msg)
		bad[i] ^= 1
		if err := shows(near, bad); err == nil || near.a.State() != Secure || count(near.a.sent, wire.TypeRelayACK) != 0 {
			t.Fatalf("byte %d changed: %v, now in %s", i, err, near.a.State())
		}
	}

	// Not enrolled: an attack, and the call ends.
	near = nearCall(t, stores{newMemoryStore(), newMemoryStore()})
	near.b.continuity.enrolled = true // so it says
	if err := shows(near, near.b.relayOf(t, far.b)); err != nil || near.a.failed == nil || near.a.failed.Code != wire.ErrorUntrustedMiTM {
		t.Errorf("%v, %+v", err, near.a.failed)
	}

	// No M flag: acknowledged, not shown.
	near = nearCall(t, enrolled(t))
	near.a.peer.hello.MiTM = false
	if err := shows(near, near.b.relayOf(t, far.b)); err != nil || near.a.State() != Secure || count(near.a.sent, wire.TypeRelayACK) != 1 {
		t.Errorf("%v in %s", err, near.a.State())
	}

	// An unknown rendering can't be compared.
	near = nearCall(t, enrolled(t))
	other := farCall(t)
	other.b.suite.SAS = wire.A("B999")
	if err := shows(near, near.b.relayOf(t, other.b)); err == nil || near.a.State() != Secure {
		t.Errorf("%v in %s", err, near.a.State())
	}
}

func TestRelaysAreBounded(t *testing.T) {
	near, far := nearCall(t, enrolled(t)), farCall(t)
	for i := range 2 * maxRelays {
		far.b.keys.sashash[31] = byte(i)
		err := near.inject(near.a, near.b, near.b.relayOf(t, far.b))
		if (err == nil) != (i < maxRelays) {
			t.Fatalf("relay %d: %v", i, err)
		}
	}
	if len(near.a.relays) != maxRelays || len(near.a.events) != maxRelays {
		t.Errorf("%d kept, %d events wait", len(near.a.relays), len(near.a.events))
	}
}

// Signatures go to those who can verify them, and come out as they went in.
func TestSignatures(t *testing.T) {
	for _, verifies := range []bool{true, false} {
		a, b := configA(1), configB(1)
		a.SASSigning = verifies
		var signed [32]byte
		b.Sign = func(sashash [32]byte) Signature {
			signed = sashash
			return Signature{wire.A("X509"), []byte("seventeen letters")}
		}
		p := newPair(t, a, b, netsim.Config{})
		p.mustSecure()
		got := p.a.secured.Signature
		if !verifies {
			if got.Type != (wire.Algo{}) || len(got.Block) != 0 || signed != [32]byte{} {
				t.Errorf("signed for somebody who can't verify: %+v", got)
			}
			continue
		}
		if got.Type != wire.A("X509") || !bytes.Equal(got.Block, []byte("seventeen letters\x00\x00\x00")) || signed != p.a.keys.sashash {
			t.Errorf("%+v", got)
		}
		if p.b.secured.Signature.Block != nil {
			t.Error("who has no key has signed")
		}
		s := p.furtherStream(1, netsim.Config{})
		s.b.cfg.Sign = b.Sign
		s.b.peer.hello.SASSigning = true
		signed = [32]byte{}
		if _, err := s.b.sign([32]byte{1}); err != nil || signed != [32]byte{} {
			t.Error("a further stream has no SAS to sign")
		}
	}
	b := configB(1)
	b.Sign = func([32]byte) Signature { return Signature{wire.A("PGP"), make([]byte, wire.MaxSignatureLen+1)} }
	a := configA(1)
	a.SASSigning = true
	p := newPair(t, a, b, netsim.Config{})
	p.run()
	p.b.mustFail(t, wire.ErrorSoftware)

	// A PBX signs what it relays.
	near, far := nearCall(t, enrolled(t)), farCall(t)
	near.b.peer.hello.SASSigning = true
	near.b.cfg.Sign = func(sashash [32]byte) Signature { return Signature{wire.A("PGP"), sashash[:]} }
	near.relay(near.b, far.b)
	near.settle()
	if s := near.a.relayed[0].Signature; s.Type != wire.A("PGP") || !bytes.Equal(s.Block, far.a.keys.sashash[:]) {
		t.Errorf("%+v", s)
	}
}
