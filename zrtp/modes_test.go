package zrtp

import (
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// modes begin a handshake of a with b in each mode without public values.
func modes(t *testing.T) map[string]*pair {
	t.Helper()
	first := newPair(t, configA(1), configB(1), netsim.Config{})
	first.mustSecure()
	storeA, storeB := verifiedStores(t)
	return map[string]*pair{
		"Mult": first.furtherStream(1, netsim.Config{Delay: time.Millisecond}),
		"Prsh": presharedPair(t, 2, netsim.Config{Delay: time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store = storeA, storeB
		}),
	}
}

// A DHPart1, of the peer's own hash chain, has no place where the Commit names
// no public values.
func TestAdversary_D1_DHPart1WithoutPublicValues(t *testing.T) {
	for mode, p := range modes(t) {
		part := wire.DHPart{H1: p.b.chain.h[1], PV: make([]byte, 32)}
		p.a.Start(p.now)
		p.b.Start(p.now)
		p.drain()
		for p.a.State() != CommitSent && p.step() {
		}
		if err := p.inject(p.a, p.b, appendMAC(part.Append(nil), p.b.chain.h[0])); err == nil || p.a.State() != CommitSent {
			t.Errorf("%s: %v, now in %s", mode, err, p.a.State())
		}
		if p.settle(); p.a.secured == nil || p.b.secured == nil {
			t.Errorf("%s: %+v, %+v", mode, p.a.failed, p.b.failed)
		}
	}
}

// A stream goes on from what its policy allows, and from nothing else.
func TestMultistreamKeepsToThePolicy(t *testing.T) {
	first := newPair(t, configA(1), configB(1), netsim.Config{})
	first.mustSecure() // by X255
	for name, policy := range map[string]Policy{
		"post-quantum": {PostQuantum: true},
		"refused":      {Refused: algos("X255")},
	} {
		a := configA(2)
		a.First, a.Policy = first.a.Session, policy
		if _, err := New(a); err == nil {
			t.Errorf("%s: the first stream's keys are good enough", name)
		}
	}
}

// What the user has said of the SAS goes for all streams of the call.
func TestMultistreamAfterDenial(t *testing.T) {
	storeA, storeB := verifiedStores(t)
	a, b := configA(2), configB(2)
	a.Store, b.Store = storeA, storeB
	first := newPair(t, a, b, netsim.Config{})
	first.mustSecure()
	second := first.furtherStream(1, netsim.Config{})
	if second.mustSecureFurther(); !second.a.secured.Verified || !second.b.secured.Verified {
		t.Errorf("%+v", second.a.secured)
	}
	if err := first.a.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	third := first.furtherStream(2, netsim.Config{})
	if third.mustSecureFurther(); third.a.secured.Verified || third.b.secured.Verified {
		t.Errorf("verified, though the SAS was different: %+v, %+v", third.a.secured, third.b.secured)
	}
}

func (p *pair) mustSecureFurther() {
	p.t.Helper()
	p.run()
	p.mustBeFurther()
}

// The Confirms of a further stream ask for no expiry (RFC 6189 §4.9), and
// nothing of the signalling is mixed in.
func TestMultistreamConfirm(t *testing.T) {
	p := modes(t)["Mult"]
	key, salt := signalled(7)
	p.a.SetSignalledKey(key, salt)
	if p.a.retained.signalledKey.Len() != 0 {
		t.Error("a signalled key is kept for nothing")
	}
	p.mustSecureFurther()
	if p.a.interval != forever || p.b.interval != forever {
		t.Errorf("%#x, %#x", p.a.interval, p.b.interval)
	}
}

// In Preshared mode too the auxsecret is that of the roles that the Commit has
// settled.
func TestPresharedWithSRTPS(t *testing.T) {
	key, salt := signalled(7)
	for seed := range uint64(6) {
		storeA, storeB := verifiedStores(t)
		p := presharedPair(t, seed+2, netsim.Config{Delay: time.Millisecond}, func(a, b *Config) {
			a.Store, b.Store, b.Passive = storeA, storeB, seed == 0
		})
		p.a.SetSignalledKey(key, salt)
		p.b.SetSignalledKey(key, salt)
		p.mustSecure()
		for _, e := range []*end{p.a, p.b} {
			if e.secured.Suite.KeyAgreement != wire.Preshared || e.secured.AuxMismatch {
				t.Errorf("seed %d: %+v", seed, e.secured)
			}
		}
	}
}

// A Hello that nobody would answer is anybody's: the peer's own comes after all.
func TestAdversary_D4_HellosOfStrangers(t *testing.T) {
	for name, change := range map[string]func(h *wire.Hello, ssrc *uint32){
		"version":   func(h *wire.Hello, _ *uint32) { h.Version = [4]byte{'0', '.', '9', '0'} },
		"our ZID":   func(h *wire.Hello, _ *uint32) { h.ZID = zidA },
		"our SSRC":  func(_ *wire.Hello, ssrc *uint32) { *ssrc = 0xa },
		"wrong ZID": func(h *wire.Hello, _ *uint32) { h.ZID = wire.ZID{9} },
	} {
		first := newPair(t, configA(1), configB(1), netsim.Config{})
		first.mustSecure()
		// The peer's Hello comes before the suspicion is believed, and its
		// Commit after.
		p := first.furtherStream(1, netsim.Config{Delay: 700 * time.Millisecond})
		p.a.cfg.Passive = true
		ssrc := uint32(0xc)
		hello := p.b.newHello()
		if change(&hello, &ssrc); ssrc == 0xa {
			ssrc = p.a.cfg.SSRC
		}
		forged := wire.AppendPacket(nil, wire.Packet{Seq: 1, SSRC: ssrc, Message: hello.Append(nil)})
		p.a.Start(p.now)
		if err := p.a.HandlePacket(p.now, forged); err != nil {
			t.Fatal(err)
		}
		p.run()
		if p.a.failed != nil || p.b.failed != nil {
			t.Errorf("%s: %+v, %+v", name, p.a.failed, p.b.failed)
			continue
		}
		p.mustBeFurther()
	}
}

// Who does not hear a Session can't tell what number its long messages have.
func TestAdversary_C5_FragmentsHaveRandomNumbers(t *testing.T) {
	numbers := map[uint16]bool{}
	for seed := range uint64(20) {
		a, b := configA(seed), configB(seed)
		a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = algos("X3M3"), algos("X3M3")
		b.Passive = true
		p := newPair(t, a, b, netsim.Config{})
		p.a.onSend = func(pkt []byte) []byte {
			if w, err := wire.ParsePacket(pkt); err == nil && w.Fragment.Total > 0 {
				numbers[w.Fragment.ID] = true
			}
			return pkt
		}
		p.mustSecure()
	}
	if len(numbers) < 19 { // two may be alike
		t.Errorf("%d numbers of 20 Commits", len(numbers))
	}
}
