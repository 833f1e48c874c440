package realtime

import (
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"sotto/internal/processor"
	"sotto/media"
)

// Trace is a [media.Tracer] that keeps the latest stamps in memory. A stamp costs a
// look at the processor's time stamp counter, or at the clock where the counter does
// not tell the time ([processor.HasTSC]), and an addition. It allocates nothing. Stamps
// may come from any number of goroutines; they are read when none comes any more. The
// counter knows the machine's time alone, and not that of [testing/synctest].
type Trace struct {
	began    time.Time
	counting bool
	first    mark          // if counting
	next     atomic.Uint64 // stamps so far
	stamps   []instant     // a ring; its length is a power of two
}

// Stamp is one frame at one stage.
type Stamp struct {
	At        time.Duration // since the Trace began
	Timestamp uint32        // RTP's
	Stage     media.Stage
}

// instant is a Stamp before it is read.
type instant struct {
	at        int64 // ticks of the counter, or nanoseconds since the Trace began
	timestamp uint32
	stage     media.Stage
}

// NewTrace makes a Trace that keeps at least the latest n stamps. It has all its
// memory at once: no stamp waits for a page.
func NewTrace(n int) *Trace { return newTrace(n, processor.HasTSC(processor.Clocksource)) }

func newTrace(n int, counting bool) *Trace {
	t := &Trace{counting: counting, stamps: make([]instant, 1<<bits.Len(uint(max(n, 1)-1)))}
	clear(t.stamps) // fresh memory has no pages yet
	t.began = time.Now()
	if counting {
		t.first = t.mark()
	}
	return t
}

// Began is the time that stamps count from.
func (t *Trace) Began() time.Time { return t.began }

// Stamp implements [media.Tracer].
func (t *Trace) Stamp(stage media.Stage, timestamp uint32) {
	var at int64
	if t.counting {
		at = int64(processor.TSC())
	} else {
		at = int64(time.Since(t.began))
	}
	i := t.next.Add(1) - 1
	t.stamps[i&uint64(len(t.stamps)-1)] = instant{at, timestamp, stage}
}

// Stamps are those that are kept, in the order in which they came. The counter is taken
// to have kept one pace since the Trace began: in a machine that was suspended meanwhile
// it has not.
func (t *Trace) Stamps() []Stamp {
	tell := func(at int64) time.Duration { return time.Duration(at) }
	if t.counting {
		tell = between(t.first, t.mark())
	}
	n, room := t.next.Load(), uint64(len(t.stamps))
	kept := min(n, room)
	all := make([]Stamp, 0, kept)
	for i := n - kept; i < n; i++ {
		s := t.stamps[i&(room-1)]
		all = append(all, Stamp{tell(s.at), s.timestamp, s.stage})
	}
	return all
}

// mark is what the counter and the clock show at once.
type mark struct {
	ticks int64
	at    time.Duration // since the Trace began
}

// mark looks at the clock between two looks at the counter: it is wrong by half of what
// lies between these. Of several times the one counts in which that is least.
func (t *Trace) mark() (best mark) {
	least := int64(math.MaxInt64)
	for range 10 {
		before := int64(processor.TSC())
		at := time.Since(t.began)
		if took := int64(processor.TSC()) - before; took < least {
			least, best = took, mark{before + took/2, at}
		}
	}
	return best
}

// between tells the time at so many ticks, by two marks.
func between(a, b mark) func(ticks int64) time.Duration {
	pace := float64(b.at-a.at) / float64(b.ticks-a.ticks)
	return func(ticks int64) time.Duration { return a.at + time.Duration(float64(ticks-a.ticks)*pace) }
}
