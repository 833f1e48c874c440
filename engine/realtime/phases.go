package realtime

import (
	"sync/atomic"
	"time"

	"sotto/media"
)

const (
	// slot is what the deadlines of different streams lie apart. Those that share
	// one share the waking of a processor, which costs more than a frame does
	// without its codec; and they have it for encoding until their packets leave,
	// Departure later and before the next slot.
	slot  = 4 * time.Millisecond
	slots = uint64(media.FrameDuration / slot)
	// stride has no divisor in common with slots, and is about their golden
	// section: one after the other lies far from those before.
	stride = 3
)

// Phases spreads the frames of many streams over the 20 ms that all of them
// have: what chance would heap up has to wait for itself. Its methods may be
// called from any goroutine.
type Phases struct {
	began time.Time
	taken atomic.Uint64
}

// NewPhases makes Phases of which none is taken.
func NewPhases() *Phases { return &Phases{began: time.Now()} }

// Next takes a phase and returns the first deadline in it that lies ahead.
func (p *Phases) Next() time.Time {
	first := p.began.Add(time.Duration(p.taken.Add(1)*stride%slots) * slot)
	return first.Add((time.Since(first) + media.FrameDuration) / media.FrameDuration * media.FrameDuration)
}
