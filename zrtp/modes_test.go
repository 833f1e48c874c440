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
