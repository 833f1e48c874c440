package realtime

import (
	"math/bits"
	"sync/atomic"
	"time"

	"sotto/media"
)

// Trace is a [media.Tracer] that keeps the latest stamps in memory. A stamp
// costs a look at the clock and an addition, and allocates nothing. Stamps may
// come from any number of goroutines; they are read when none comes any more.
type Trace struct {
	began  time.Time
	next   atomic.Uint64 // stamps so far
	stamps []Stamp       // a ring; its length is a power of two
}

// Stamp is one frame at one stage.
type Stamp struct {
	At        time.Duration // since the Trace began
	Timestamp uint32        // RTP's
	Stage     media.Stage
}

// NewTrace makes a Trace that keeps at least the latest n stamps.
func NewTrace(n int) *Trace {
	return &Trace{began: time.Now(), stamps: make([]Stamp, 1<<bits.Len(uint(max(n, 1)-1)))}
}

// Began is the time that stamps count from.
func (t *Trace) Began() time.Time { return t.began }

// Stamp implements [media.Tracer].
func (t *Trace) Stamp(stage media.Stage, timestamp uint32) {
	at := time.Since(t.began)
	i := t.next.Add(1) - 1
	t.stamps[i&uint64(len(t.stamps)-1)] = Stamp{at, timestamp, stage}
}

// Stamps are those that are kept, in the order in which they came. They stay
// the Trace's.
func (t *Trace) Stamps() []Stamp {
	n, room := t.next.Load(), uint64(len(t.stamps))
	if n <= room {
		return t.stamps[:n]
	}
	oldest := n % room
	return append(append(make([]Stamp, 0, room), t.stamps[oldest:]...), t.stamps[:oldest]...)
}
