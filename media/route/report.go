package route

import (
	"reflect"
	"slices"
	"time"
)

// Report is what is known of a call's audio at one time: where it goes, and who
// else could listen.
type Report struct {
	At time.Time
	// Unknown says why the route is not known, such as a monitor that is
	// lost; empty: it is known. Then the other fields say nothing.
	Unknown string
	// Routes has where our streams come from and go to, an entry for each
	// device that a stream reaches.
	Routes []Route
	// Taps are other programs that record our microphone or what we play.
	Taps []Tap
	// Orders are to take our streams to other devices than those in Routes.
	// What nobody obeys is no route.
	Orders []Order
	// Bluetooth has the audio devices that are connected, used or not.
	Bluetooth []BluetoothDevice
	// Adapters are the Bluetooth radios, powered or not.
	Adapters []BluetoothAdapter
}

// missing says which direction of a call with devices has no route.
func (r Report) missing() string {
	has := func(is func(Route) bool) bool { return slices.ContainsFunc(r.Routes, is) }
	switch {
	case !has(func(r Route) bool { return r.Class != Internal }):
		return ""
	case !has(func(r Route) bool { return r.Capture }):
		return "it is not known which microphone the voice comes from"
	case !has(func(r Route) bool { return !r.Capture }):
		return "it is not known which loudspeaker the voice goes to"
	}
	return ""
}

// Tap is another program that gets what our microphone hears or what we play.
type Tap struct {
	Program Process
	Device  string // the microphone, or the output whose monitor is recorded
	Stream  string // the stream's own name
	Monitor bool   // of an output: what the other side says is recorded
}

// Same reports whether r says the same as o, whenever it was.
func (r Report) Same(o Report) bool {
	r.At, o.At = time.Time{}, time.Time{}
	return reflect.DeepEqual(r, o)
}
