package zrtp

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"sotto/internal/netsim"
	"sotto/zrtp/wire"
)

// meddler is in the path of both directions and does to the packets what its
// seed says: changes a bit and mends the checksum, holds a packet back for up
// to half a minute, sends it back to its sender, or puts in one of another
// session of the same two phones.
type meddler struct {
	*pair
	rand                          *rand.Rand
	old                           [][]byte // of other sessions
	tamper, hold, reflect, replay float64
	held                          []heldBack
	tampered                      int
}

type heldBack struct {
	due  time.Time
	link *netsim.Link
	pkt  []byte
}

// meddle puts a meddler between a pair. Half of them change nothing, so that
// there are keys to compare.
func meddle(p *pair, seed uint64, old [][]byte) *meddler {
	r := rand.New(rand.NewPCG(seed, 2))
	m := &meddler{pair: p, rand: r, old: old, hold: 0.05 * r.Float64(), reflect: 0.1 * r.Float64(), replay: 0.2 * r.Float64()}
	if seed%2 == 1 {
		m.tamper = 0.3 * r.Float64()
	}
	p.eachDelivery(func(to *end, pkt []byte) []byte {
		there, back := p.ab, p.ba
		if to == p.a {
			there, back = back, there
		}
		return m.pass(there, back, pkt)
	})
	return m
}

func (m *meddler) pass(there, back *netsim.Link, pkt []byte) []byte {
	m.held = slices.DeleteFunc(m.held, func(h heldBack) bool {
		if h.due.After(m.now) {
			return false
		}
		h.link.Send(m.now, h.pkt)
		return true
	})
	if m.rand.Float64() < m.reflect {
		back.Send(m.now, pkt)
	}
	if m.rand.Float64() < m.replay {
		there.Send(m.now, m.old[m.rand.IntN(len(m.old))])
	}
	if m.rand.Float64() < m.tamper {
		w, err := wire.ParsePacket(pkt)
		if err != nil {
			m.t.Fatal(err)
		}
		w.Message = bytes.Clone(w.Message)
		bit := m.rand.IntN(8 * len(w.Message))
		w.Message[bit/8] ^= 1 << (bit % 8)
		m.tampered++
		return wire.AppendPacket(nil, w)
	}
	if m.rand.Float64() < m.hold {
		m.held = append(m.held, heldBack{m.now.Add(time.Duration(m.rand.IntN(30_000)) * time.Millisecond), there, bytes.Clone(pkt)})
		return nil
	}
	return pkt
}

// worstNetwork draws a network with loss to 60 % and a delay to 30 s, most of
// them better.
func worstNetwork(seed uint64) netsim.Config {
	r := rand.New(rand.NewPCG(seed, 3))
	n := badNetwork(seed)
	n.Loss = 0.6 * r.Float64() * r.Float64()
	if seed%16 == 0 {
		n.Loss = 0.6
	}
	switch seed % 20 {
	case 7:
		n.Delay = time.Duration(r.IntN(30_000)) * time.Millisecond
	case 8, 9:
		n.Delay = time.Duration(r.IntN(3000)) * time.Millisecond
	}
	return n
}

// drawn is a pair as a seed says: any mode of key agreement, either side or
// none passive, the Hellos announced or not.
func drawn(t *testing.T, seed uint64) *pair {
	r := rand.New(rand.NewPCG(seed, 4))
	a, b := configA(seed), configB(seed)
	a.Passive, b.Passive = seed%5 == 1, seed%5 == 2
	network := worstNetwork(seed)
	var p *pair
	switch mode := r.IntN(20); {
	case mode < 2:
		kem := algos([]string{"K255", "X1M1", "X3M3"}[r.IntN(3)])
		a.Policy.Offer.KeyAgreements, b.Policy.Offer.KeyAgreements = kem, kem
		p = newPair(t, a, b, network)
	case mode < 4:
		storeA, storeB := verifiedStores(t)
		p = presharedPair(t, seed+2, network, func(a, b *Config) {
			if a.Store = storeA; r.IntN(2) == 0 {
				b.Store = storeB
			}
		})
	case mode < 6:
		first := newPair(t, configA(seed), configB(seed), netsim.Config{})
		first.mustSecure()
		p = first.furtherStream(0, network)
	case mode < 7:
		a.Policy.Offer.KeyAgreements = algos("EC25", "X255") // not what the peer would choose
		p = newPair(t, a, b, network)
	default:
		p = newPair(t, a, b, network)
	}
	if r.IntN(2) == 0 {
		p.a.SetPeerHelloHash(p.now, p.b.HelloHash())
		p.b.SetPeerHelloHash(p.now, p.a.HelloHash())
	}
	return p
}

// otherSessions are the packets of some calls of the same two phones, by the
// same SSRCs.
func otherSessions(t *testing.T) (packets [][]byte) {
	for seed := range uint64(4) {
		a, b := configA(1<<40+seed), configB(1<<40+seed)
		b.Passive = seed%2 == 0
		fromA, fromB := allPackets(t, a, b)
		packets = append(packets, slices.Concat(fromA, fromB)...)
	}
	return packets
}

// Whatever a network and somebody in the path do to a handshake: it ends in
// bounded time, nobody panics, no packet has two answers, two that are secure
// have the same keys, and nobody has keys of a handshake that was changed.
//
// In the long form these are 100,000 schedules. They took 188 s on a busy
// machine, and 73,551 ended with keys on both sides.
func TestSchedules(t *testing.T) {
	seeds := uint64(4000)
	switch {
	case raceEnabled:
		seeds = 300
	case os.Getenv("SOTTO_LONG") != "":
		seeds = 100_000
	}
	old := otherSessions(t)
	var outcomes [bothSecure + 1]uint64
	tampered := 0
	for seed := range seeds {
		p := drawn(t, seed)
		p.seed = seed
		m := meddle(p, seed, old)
		p.start()
		p.settle()
		outcomes[p.judge()]++
		tampered += m.tampered
	}
	t.Logf("%d both secure, %d one-sided, %d without keys; %d messages changed", outcomes[bothSecure], outcomes[oneSided], outcomes[nobody], tampered)
	if outcomes[bothSecure] < seeds/3 || outcomes[nobody] < seeds/20 || tampered < int(seeds) {
		t.Error("the schedules are too easy or too hard to show anything")
	}
}
