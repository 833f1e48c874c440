//go:build interop

package routes

import (
	"sync"
	"testing"
	"time"

	"sotto/media/route"
	"sotto/media/route/pipewire"
)

// graph is another look at PipeWire's graph than the call's own: when each link
// was told of.
type graph struct {
	mu     sync.Mutex // guards what follows
	ready  bool       // what is told is new
	linked []time.Time
}

// lookAtGraph looks until the test ends.
func lookAtGraph(t *testing.T) *graph {
	t.Helper()
	g := &graph{}
	events := make(chan route.Event)
	var looking sync.WaitGroup
	looking.Go(func() {
		pipewire.Watch(t.Context(), pipewire.Socket(), events)
		close(events)
	})
	looking.Go(func() {
		for e := range events {
			g.see(e)
		}
	})
	t.Cleanup(looking.Wait) // the context has ended by then
	g.await(t)
	return g
}

func (g *graph) see(e route.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch e.Fact.(type) {
	case route.Ready:
		g.ready = true
	case route.Lost:
		g.ready = false
	case route.Link:
		if g.ready {
			g.linked = append(g.linked, e.At)
		}
	}
}

// await waits until new links are told of, and forgets the old ones.
func (g *graph) await(t *testing.T) {
	t.Helper()
	eventually(t, "the graph is looked at", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.linked = nil
		return g.ready
	})
}

// first is when the first link was told of since await. It is not known if this
// look has missed it, as on a machine that stood still.
func (g *graph) first() (at time.Time, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.linked) > 0 {
		at = g.linked[0]
	}
	return at, len(g.linked) > 0
}
