package realtime

import (
	"sync/atomic"
	"time"

	"sotto/media"
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
// Multiples of the golden ratio lie apart from each other however many there
// are: the widest gap between n of them is less than three n-ths.
func (p *Phases) Next() time.Time {
	const golden = 0x9e3779b97f4a7c15 // of 2^64
	turn := time.Duration((p.taken.Add(1)*golden)>>32) * media.FrameDuration >> 32
	past := (time.Since(p.began) - turn + media.FrameDuration) / media.FrameDuration
	return p.began.Add(turn + past*media.FrameDuration)
}
