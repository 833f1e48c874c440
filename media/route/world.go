package route

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// What one monitor may tell of. Who tells of more is not believed any more:
// the route is unknown until the monitor has begun again.
const (
	maxObjects = 2048
	maxBytes   = 8 << 20 // in them
	entryBytes = 64      // what a property takes besides its text
	maxID      = 256     // bytes
)

// World is what the monitors have told of the machine's audio. One goroutine
// feeds and asks it. Its memory is bounded, whatever it is told.
type World struct {
	want  []Origin
	at    time.Time
	views [numOrigins]view
}

// view is what one monitor has told.
type view struct {
	ready   bool
	lost    string // why it is not ready
	broken  bool   // it has told nonsense or too much, and has to begin again
	bytes   int
	objects map[ID]object
}

// object is what has been told of one thing.
type object struct {
	fact    Fact
	bytes   int
	verdict Route // of a sink or source, or of a suspect
	suspect bool  // a stream, or nobody knows what, that speaks of a radio or a network
}

// Self says which streams are ours. A daemon shows the name under which each was
// opened. The kernel shows none, but says itself whose they are: without a daemon
// all of the process's streams are this call's.
type Self struct {
	PID int
	// Stream is the name of this call's streams, and of no others.
	Stream string
	// Playback and Capture say whether it has one that plays, and one that
	// records. The route is unknown while that is not seen.
	Playback, Capture bool
	// Others are the names of this process's other calls, each of which may have
	// a stream of both kinds. A stream with our PID and another name, or a second
	// one with the same name, is not ours: one that plays makes the route unknown,
	// one that records is a [Tap].
	Others []string
}

// NewWorld makes a World that knows nothing until all of the monitors in want
// are [Ready]. Others may tell something too: the worse verdict holds.
func NewWorld(want ...Origin) *World {
	return &World{want: want}
}

// Apply takes an Event in. What is in it belongs to the World. It reports whether
// that only adds an object: then nothing that was there before is hidden by it.
func (w *World) Apply(e Event) (adds bool) {
	if e.From == 0 || e.From >= numOrigins {
		return true
	}
	w.at = e.At
	v := &w.views[e.From]
	switch f := e.Fact.(type) {
	case Lost:
		*v = view{lost: f.Reason}
		if v.lost == "" {
			v.lost = "its monitor is lost"
		}
		return false
	case Ready:
		if !v.broken {
			v.ready, v.lost = true, ""
		}
		return false
	case Gone:
		v.bytes -= v.objects[f.ID].bytes
		delete(v.objects, f.ID)
		return false
	}
	if v.broken {
		return false
	}
	before := len(v.objects)
	if nonsense := v.put(e.From, e.Fact); nonsense != "" {
		*v = view{broken: true, lost: nonsense}
	}
	return len(v.objects) > before
}

// put remembers a fact about an object. What it returns is why the monitor
// that tells it cannot be believed any more.
func (v *view) put(from Origin, f Fact) (nonsense string) {
	id, texts := describe(f)
	if id == "" || len(id) > maxID || !plainASCII(string(id)) {
		return "it tells of something without a proper name"
	}
	o := object{fact: f, bytes: len(id)}
	for _, text := range texts {
		o.bytes += len(text)
	}
	if n, ok := f.(Node); ok {
		for key, value := range n.Props {
			o.bytes += len(key) + len(value) + entryBytes
		}
		if n.Kind == Sink || n.Kind == Source {
			o.verdict = Classify(from, n)
		} else {
			o.verdict, o.suspect = suspect(n)
		}
	}
	v.bytes += o.bytes - v.objects[id].bytes
	if v.objects == nil {
		v.objects = map[ID]object{}
	}
	v.objects[id] = o
	if len(v.objects) > maxObjects || v.bytes > maxBytes {
		return fmt.Sprintf("it tells of more than %d things, or at too great a length", maxObjects)
	}
	return ""
}

// nodes are all nodes, in an order that is always the same.
func (v *view) nodes() []Node {
	var nodes []Node
	for _, id := range slices.Sorted(maps.Keys(v.objects)) {
		if n, ok := v.objects[id].fact.(Node); ok {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// describe is the name of what f is about, and the texts in it.
func describe(f Fact) (ID, []string) {
	switch f := f.(type) {
	case Node:
		return f.ID, []string{f.Name, f.Description, f.Driver, f.Factory, f.Port.Name, f.Port.Type, f.Port.Available, f.Group, f.Owner.Name, string(f.MonitorOf)}
	case Link:
		return f.ID, []string{string(f.From), string(f.To)}
	case Order:
		return f.ID, []string{string(f.Stream), f.Target}
	case BluetoothDevice:
		return f.ID, append([]string{f.Address, f.Name, f.Icon}, f.UUIDs...)
	case BluetoothTransport:
		return f.ID, []string{string(f.Device), f.UUID, f.State}
	case BluetoothAdapter:
		return f.ID, nil
	case Jacks:
		texts := []string{f.Card}
		for _, j := range f.All {
			texts = append(texts, j.Name)
		}
		return f.ID, texts
	}
	return "", nil
}

// Broken are the systems whose monitors have told nonsense or too much. They
// have to begin again, with [Lost].
func (w *World) Broken() []Origin {
	var broken []Origin
	for from := range w.views {
		if w.views[from].broken {
			broken = append(broken, Origin(from))
		}
	}
	return broken
}

// unknown says why the route is not known, if a monitor is missing.
func (w *World) unknown() string {
	for _, from := range w.want {
		switch v := &w.views[from]; {
		case v.lost != "":
			return fmt.Sprintf("%v cannot be watched: %s", from, clip(v.lost))
		case !v.ready:
			return fmt.Sprintf("%v has not been looked at yet", from)
		}
	}
	if len(w.want) == 0 {
		return "nothing watches the audio devices"
	}
	return ""
}
