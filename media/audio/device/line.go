package device

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// EventKind is what has happened to an open device.
type EventKind uint8

// The kinds of events.
const (
	// Lost: the device gives or takes nothing. It may be unplugged, suspended,
	// or the sound server is gone or hangs. Silence takes its place.
	Lost EventKind = iota + 1
	// Returned: the same device, by its ID, works again. After Gone, what it is
	// now has to be asked anew.
	Returned
	// Gone: it did not go on by itself for half a second after Lost, longer than
	// a busy machine stands still. Its stream is closed, and opened again when
	// the device is back.
	Gone
)

// String is the kind in a word.
func (k EventKind) String() string {
	switch k {
	case Lost:
		return "lost"
	case Returned:
		return "returned"
	case Gone:
		return "gone"
	}
	return "unknown"
}

// Event is what has happened to an open device.
type Event struct {
	Kind      EventKind
	At        time.Time // when it was noticed, with the monotonic clock
	Device    string    // the ID
	Direction Direction
}

const (
	// look is how often a device is looked after, silent how long it may do
	// nothing before it counts as lost.
	look, silent = 10 * time.Millisecond, 70 * time.Millisecond
	// paused is how late the next look may be: if it is later, this whole process
	// stood still, as all do on a busy machine, and nobody knows of the device.
	paused = 2 * look
	// begins is how long a device may take to do something at first. PulseAudio's
	// null sink has 2 s of silence ahead when nobody plays.
	begins = 3 * time.Second
	// patience is how long a lost device may take to go on by itself before it
	// is closed, retry how long after that it is opened again.
	patience, retry = 500 * time.Millisecond, 500 * time.Millisecond
	// closes is how long Close waits for a sound system that hangs.
	closes = 500 * time.Millisecond
)

// opener is open, or what stands for it in tests.
type opener func(id string, d Direction, c card) (io.Closer, error)

// line is a device as long as somebody wants it, through loss and return. One
// goroutine opens, looks after and closes it, because a sound system that hangs
// keeps whoever calls it.
type line struct {
	id        string
	direction Direction
	exchanged func(samples []int16)

	beats  atomic.Uint64 // how often the card has exchanged samples
	gone   atomic.Bool   // it has been, be it that it has returned
	halted chan struct{} // has one value when the card has said that it stopped
	events chan Event
	cancel context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended
}

// newLine is a line to the device of exactly that ID. exchanged is called on the
// card's thread.
func newLine(id string, d Direction, exchanged func([]int16)) *line {
	return &line{
		id: id, direction: d, exchanged: exchanged,
		halted: make(chan struct{}, 1), events: make(chan Event, 8), done: make(chan struct{}),
	}
}

// dial opens the device and keeps it open.
func (l *line) dial(ctx context.Context, open opener) error {
	var life context.Context
	life, l.cancel = context.WithCancel(context.Background())
	opened := make(chan error, 1)
	go l.run(life, open, opened)
	_, err := within(ctx, func() (struct{}, error) { return struct{}{}, <-opened })
	if err != nil {
		l.cancel() // should it still open, it is closed at once
	}
	return err
}

func (l *line) exchange(samples []int16) {
	l.exchanged(samples)
	l.beats.Add(1)
}

func (l *line) stopped() {
	select {
	case l.halted <- struct{}{}:
	default:
	}
}

// run is the goroutine. It opens the device once and again, says on opened how
// it went the first time, and ends with life.
func (l *line) run(life context.Context, open opener, opened chan<- error) {
	defer close(l.done)
	defer close(l.events)
	for lost := false; ; {
		stream, err := open(l.id, l.direction, l)
		if opened != nil {
			opened <- err
			if opened = nil; err != nil {
				return
			}
		}
		if err == nil {
			lost = l.attend(life, lost)
			_ = stream.Close() // nothing follows from it
		}
		select {
		case <-life.Done():
			return
		case <-time.After(retry):
		}
	}
}

// attend looks after an open device, says when it is lost and when it has
// returned, and gives it up when it stays lost. It begins and ends with whether
// it is.
func (l *line) attend(life context.Context, lost bool) bool {
	looks := time.NewTicker(look)
	defer looks.Stop()
	still, limit := stillness{beats: l.beats.Load(), at: time.Now()}, begins
	say := func(kind EventKind) {
		lost, still, limit = kind != Returned, stillness{beats: l.beats.Load(), at: time.Now()}, patience
		if kind == Gone {
			l.gone.Store(true)
		}
		l.tell(Event{Kind: kind, At: still.at, Device: l.id, Direction: l.direction})
	}
	for {
		select {
		case <-life.Done():
			return lost
		case <-l.halted:
			if !lost {
				say(Lost)
			}
			continue
		case <-looks.C:
		}
		switch moved := still.look(time.Now(), l.beats.Load()); {
		case moved && lost:
			say(Returned)
			fallthrough
		case moved:
			limit = silent
		case still.lasted <= limit:
		case lost:
			say(Gone)
			return lost
		default:
			say(Lost)
		}
	}
}

// stillness is for how long a device has done nothing, as far as we looked.
type stillness struct {
	beats  uint64
	at     time.Time // of the last look
	lasted time.Duration
}

// look reports whether the device has done something since the last one.
func (s *stillness) look(now time.Time, beats uint64) (moved bool) {
	moved = beats != s.beats
	s.lasted += min(now.Sub(s.at), paused)
	if moved {
		s.lasted = 0
	}
	s.beats, s.at = beats, now
	return moved
}

// tell hands an event over. Who does not listen loses the oldest.
func (l *line) tell(e Event) {
	for {
		select {
		case l.events <- e:
			return
		default:
		}
		select {
		case <-l.events:
		default:
		}
	}
}

// close ends it. A sound system that hangs ends its part when it can.
func (l *line) close() error {
	l.cancel()
	select {
	case <-l.done:
		return nil
	case <-time.After(closes):
		return ErrNoAnswer
	}
}
