package zrtp

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"sotto/internal/netsim"
)

// badNetwork draws a network from a seed: loss to 40 %, duplication,
// reordering, bit flips and delay.
func badNetwork(seed uint64) netsim.Config {
	r := rand.New(rand.NewPCG(seed, 1))
	return netsim.Config{
		Seed: seed, Loss: 0.4 * r.Float64(), Duplicate: 0.3 * r.Float64(), Reorder: 0.3 * r.Float64(),
		Flip: 0.2 * r.Float64(), Delay: time.Duration(r.IntN(200)) * time.Millisecond,
		Jitter: time.Duration(r.IntN(50)) * time.Millisecond,
	}
}

// outcome is how a run ends.
type outcome int

const (
	nobody   outcome = iota
	oneSided         // the responder has not heard of, or the initiator is missing, the last message
	bothSecure
)

// judge holds a run that is over against what must be true of every one: two
// that are secure have the same keys, nobody has keys of a handshake that was
// tampered with, nobody who fails has keys to send with, and nobody is silent.
func (p *pair) judge() outcome {
	p.t.Helper()
	for _, way := range []struct{ e, peer *end }{{p.a, p.b}, {p.b, p.a}} {
		e := way.e
		switch {
		case e.secured == nil && e.failed == nil && e.noPeer == nil:
			p.t.Fatalf("seed %d: silent in %s", p.seed, e.State())
		case e.failed != nil && e.send != nil:
			p.t.Fatalf("seed %d: failed after giving keys to send: %+v", p.seed, e.failed)
		case e.secured != nil && e.failed != nil:
			p.t.Fatalf("seed %d: secure and failed: %+v", p.seed, e.failed)
		}
		if (e.recv != nil || e.send != nil) && !sameHandshake(e, way.peer) {
			p.t.Fatalf("seed %d: the %s has keys of a handshake that was tampered with", p.seed, e.role)
		}
	}
	switch {
	case p.a.secured != nil && p.b.secured != nil:
		p.mustAgree()
		return bothSecure
	case p.a.secured != nil || p.b.secured != nil:
		return oneSided
	}
	return nobody
}

// sameHandshake says whether what e took for its peer's messages are those.
func sameHandshake(e, peer *end) bool {
	same := bytes.Equal(e.theirs.hello, peer.ours.hello) && bytes.Equal(e.ours.hello, peer.theirs.hello)
	if e.role == Responder {
		same = same && bytes.Equal(e.theirs.commit, peer.ours.commit)
	}
	return same && bytes.Equal(e.theirs.dhPart, peer.ours.dhPart)
}

// Over any bad network both sides end with the same SAS and mirrored keys, or
// say cleanly that they have none; nobody hangs.
func TestLossyNetwork(t *testing.T) {
	seeds := uint64(3000)
	if raceEnabled {
		seeds = 500 // the detector costs a factor of twenty
	}
	var secure, oneSide, failed int
	for seed := range seeds {
		p := newPair(t, configA(seed), configB(seed), badNetwork(seed))
		p.seed = seed
		p.run()
		switch a, b := p.a, p.b; p.judge() {
		case bothSecure:
			secure++
		case oneSided:
			// Only the last acknowledgement can be lost for good.
			oneSide++
			if a.secured != nil && a.secured.Role != Responder || b.secured != nil && b.secured.Role != Responder {
				t.Fatalf("seed %d: the initiator alone is secure", seed)
			}
		default:
			failed++
		}
	}
	t.Logf("%d secure, %d where the initiator heard nothing back, %d failed", secure, oneSide, failed)
	if secure < int(seeds)*95/100 {
		t.Errorf("only %d of %d secure", secure, seeds)
	}
}
