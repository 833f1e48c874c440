package media

import (
	"sync/atomic"

	"sotto/media/route"
)

// Gate lets voice through, both ways at once, while the route that it was opened
// for is verified. Otherwise silence takes the place of voice: a Sender then
// sends packets as long as ever, a Receiver plays on without a sound. The zero
// value is shut. A nil Gate lets everything through.
//
// Whoever sees that the route may have changed revokes the [route.Verified]
// first, which takes effect with the next frame, and asks then.
type Gate struct {
	verified atomic.Pointer[route.Verified]
}

// Open opens the gate for as long as v is valid. The error is [ErrRoute] if it
// is not. Any goroutine may call it.
func (g *Gate) Open(v route.Verified) error {
	if !v.Valid() {
		return ErrRoute
	}
	g.verified.Store(&v)
	return nil
}

// Passes reports whether voice goes through now.
func (g *Gate) Passes() bool {
	if g == nil {
		return true
	}
	v := g.verified.Load()
	return v != nil && v.Valid()
}
