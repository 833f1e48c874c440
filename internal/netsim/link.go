// Package netsim is a bad network that behaves the same way in every run.
//
// [Link] is pure: it takes the time as an argument and is meant for two
// endpoints that do no I/O of their own. [Net] carries datagrams between
// goroutines and is meant for testing/synctest, where time is virtual too.
// Both hurt datagrams as [Config] says, and draw every decision from its seed.
package netsim

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// holdBack bounds how much longer a reordered datagram travels. It is longer
// than three 20 ms voice frames and than the first ZRTP retransmission
// (T1, 50 ms: RFC 6189 §6), so that each of them can overtake.
const holdBack = 70 * time.Millisecond

// Config says how bad the network is. The zero value is a perfect one.
type Config struct {
	// Seed selects the run: one seed, one sequence of decisions.
	Seed uint64
	// Loss, Duplicate, Reorder and Flip are the probabilities, from 0 to 1,
	// that a datagram is lost, arrives twice, is overtaken by later ones, or
	// has one of its bits inverted.
	Loss, Duplicate, Reorder, Flip float64
	// Delay is how long every datagram travels.
	Delay time.Duration
	// Jitter is the most that is added to Delay. It delays datagrams but
	// leaves them in order: that is what Reorder is for.
	Jitter time.Duration
}

// check panics on a Config that can't be meant: it is written by a test.
func (c Config) check() {
	for _, p := range []float64{c.Loss, c.Duplicate, c.Reorder, c.Flip} {
		if !(p >= 0 && p <= 1) {
			panic(fmt.Sprintf("netsim: probability %v is not within 0 to 1", p))
		}
	}
	if c.Delay < 0 || c.Jitter < 0 {
		panic("netsim: a datagram can't arrive before it was sent")
	}
}

// Link is one direction between two endpoints, in the caller's time. Two
// directions are two Links, with two seeds. One goroutine owns a Link.
type Link struct {
	path  path
	queue queue
}

// NewLink makes a Link. It panics on probabilities outside 0 to 1 and on
// negative times.
func NewLink(cfg Config) *Link {
	cfg.check()
	return &Link{path: newPath(cfg, 0)}
}

// Send puts a copy of the datagram b on the way at the time now, which must
// not go back between calls.
func (l *Link) Send(now time.Time, b []byte) {
	for _, f := range l.path.send(now, b) {
		l.queue.push(f)
	}
}

// Deadline is when the next datagram arrives; zero when none is on the way.
func (l *Link) Deadline() time.Time { return l.queue.due() }

// Receive takes the next datagram that has arrived by now; false when there
// is none. The caller owns the bytes.
func (l *Link) Receive(now time.Time) ([]byte, bool) {
	f, ok := l.queue.pop(now)
	return f.b, ok
}

// path decides what becomes of each datagram that goes one way.
type path struct {
	cfg  Config
	rand *rand.Rand
	last time.Time // when the latest datagram in order arrives
}

// newPath makes the path number stream of those that share cfg.Seed.
func newPath(cfg Config, stream uint64) path {
	return path{cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, stream))}
}

// send gives the copies of b that will arrive: none, one or two. It draws the
// same number of random values for every datagram, so that a change of one
// probability leaves the fate of all others as it was.
func (p *path) send(now time.Time, b []byte) []flight {
	lost := p.rand.Float64() < p.cfg.Loss
	twice := p.rand.Float64() < p.cfg.Duplicate
	first, second := p.fly(now, b), p.fly(now, b)
	switch {
	case lost:
		return nil
	case twice:
		return []flight{p.order(first), p.order(second)}
	}
	return []flight{p.order(first)}
}

// fly makes one copy of b and decides when and how it arrives.
func (p *path) fly(now time.Time, b []byte) flight {
	late := p.rand.Float64() < p.cfg.Reorder
	flip := p.rand.Float64() < p.cfg.Flip
	jitter, held, bit := p.rand.Float64(), p.rand.Float64(), p.rand.Float64()

	f := flight{b: append([]byte{}, b...), late: late}
	f.due = now.Add(p.cfg.Delay + time.Duration(jitter*float64(p.cfg.Jitter)))
	if late {
		f.due = f.due.Add(1 + time.Duration(held*float64(holdBack)))
	}
	if n := int(bit * float64(8*len(b))); flip && len(b) > 0 {
		f.b[n/8] ^= 1 << (n % 8)
	}
	return f
}

// order keeps f behind the datagrams sent before it, unless it is one of
// those that may be overtaken.
func (p *path) order(f flight) flight {
	if f.late {
		return f
	}
	if f.due.Before(p.last) {
		f.due = p.last
	}
	p.last = f.due
	return f
}
