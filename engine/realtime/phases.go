package realtime

import (
	"sync"
	"time"

	"sotto/media"
)

const (
	// slot is what the deadlines of different streams lie apart. Those that share
	// one share a timer and the waking of a processor, which costs more than a frame
	// does without its codec; but the packets of one leave one after the other.
	slot  = 2 * time.Millisecond
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

	mu     sync.Mutex // guards what follows
	taken  uint64     // places so far
	shifts [slots]shift
}

// shift is the streams whose frames are due in one slot.
type shift struct {
	places int
	alarm  *alarm // for their departures; nil while there are none
}

// Place is a stream's in a slot, until its [Capture] returns.
type Place struct {
	phases *Phases
	shift  *shift
	first  time.Time
	alarm  *alarm // the shift's
}

// NewPhases makes Phases in which no place is taken.
func NewPhases() *Phases { return &Phases{began: time.Now()} }

// Take gives a stream a place, for one [Capture] and one [Playout]. The error is
// the system's, which has no timer left.
func (p *Phases) Take() (*Place, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := (p.taken + 1) * stride % slots
	s := &p.shifts[n]
	if s.places == 0 {
		var err error
		if s.alarm, err = newAlarm(); err != nil {
			return nil, err
		}
	}
	p.taken++
	s.places++
	first := p.began.Add(time.Duration(n) * slot)
	first = first.Add((time.Since(first) + media.FrameDuration) / media.FrameDuration * media.FrameDuration)
	return &Place{p, s, first, s.alarm}, nil
}

// First is the first deadline of a frame: it lay ahead when the place was taken.
func (p *Place) First() time.Time { return p.first }

// leave gives the place back.
func (p *Place) leave() {
	p.phases.mu.Lock()
	defer p.phases.mu.Unlock()
	if p.shift.places--; p.shift.places == 0 {
		p.alarm.close()
		p.shift.alarm = nil
	}
}
