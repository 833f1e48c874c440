package route

import "time"

// World is what the monitors have told of the machine's audio. One goroutine
// feeds and asks it. Its memory is bounded, whatever it is told.
type World struct {
	want []Origin
	at   time.Time
	seen [numOrigins]view
}

// view is what one monitor has told.
type view struct {
	ready bool
	lost  string // why it is not ready
	facts map[ID]Fact
}

// Self says which streams are ours.
type Self struct {
	PID int
	// Playback and Capture are how many streams we have open. If fewer are
	// seen, the route is unknown; a capture stream too many is a [Tap] by a
	// program that gives our PID for its own.
	Playback, Capture int
}

// NewWorld makes a World that knows nothing until all of the monitors in want
// are [Ready].
func NewWorld(want ...Origin) *World {
	return &World{want: want}
}

// Apply takes an Event in.
func (w *World) Apply(e Event) {
	if e.From == 0 || e.From >= numOrigins {
		return
	}
	w.at = e.At
	v := &w.seen[e.From]
	switch f := e.Fact.(type) {
	case Ready:
		v.ready = true
	case Lost:
		*v = view{lost: f.Reason}
	case Gone:
		delete(v.facts, f.ID)
	}
}

// Report says what holds for self.
func (w *World) Report(Self) Report {
	return Report{At: w.at, Unknown: "it has not been looked at"}
}
