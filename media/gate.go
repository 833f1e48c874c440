package media

import (
	"sync/atomic"

	"sotto/media/route"
)

// Gate lets voice through, both ways at once, or silence in its place: a Sender
// then sends packets as long as ever, a Receiver plays on without a sound. The
// zero value is shut. A nil Gate lets everything through.
//
// Whoever sees that the audio route may have changed shuts it first and asks
// then. What is found out opens it only if nothing has shut it since.
type Gate struct {
	shuts  atomic.Uint64 // how often it was shut
	opened atomic.Uint64 // after how many of these it was opened, and one; 0: never
}

// Shut takes effect with the next frame. The number is for Open. Any goroutine
// may call it.
func (g *Gate) Shut() uint64 { return g.shuts.Add(1) }

// Shuts is how often the gate was shut: the number for Open where nobody had to
// shut it.
func (g *Gate) Shuts() uint64 { return g.shuts.Load() }

// Open opens the gate unless it was shut after the call of Shut that returned
// n. It demands that the route was verified after that call; the error is
// [ErrRoute]. One goroutine may call it.
func (g *Gate) Open(v route.Verified, n uint64) error {
	if !v.Valid() {
		return ErrRoute
	}
	g.opened.Store(n + 1)
	return nil
}

// Passes reports whether voice goes through now.
func (g *Gate) Passes() bool { return g == nil || g.opened.Load() == g.shuts.Load()+1 }
