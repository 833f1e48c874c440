package route_test

import (
	"fmt"
	"testing"

	"sotto/media/route"
)

// What one event costs between a monitor's word and the verdict: Classify when
// a device appears, Report on a desktop with fifty streams.
func BenchmarkClassify(b *testing.B) {
	n := speaker()
	for b.Loop() {
		route.Classify(route.Pulse, n)
	}
}

func BenchmarkReport(b *testing.B) {
	w := route.NewWorld(route.Pulse, route.PipeWire)
	for _, from := range []route.Origin{route.Pulse, route.PipeWire} {
		tell(w, from, call(from)...)
		for i := range 50 {
			id := route.ID(fmt.Sprint("theirs ", i))
			tell(w, from, stream(id, route.Playback, theirPID), link(id, "sink 0"))
		}
	}
	for b.Loop() {
		if r := w.Report(self); r.Unknown != "" {
			b.Fatal(r.Unknown)
		}
	}
}
