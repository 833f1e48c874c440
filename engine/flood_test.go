package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/route"
)

// Whatever the sound system tells in a call, as often as it likes, nothing that is
// stored changes by it: a peer's retained secrets and whether it was verified stay as
// they were, to the byte. And the call goes on once the route is good.
func TestAdversary_F6_RouteFlood(t *testing.T) {
	t.Parallel()
	events := 20_000
	if os.Getenv("SOTTO_LONG") != "" {
		events = 1_000_000
	}
	h, far := newHardware(builtin), newRecorder(1)
	dir := t.TempDir()
	a := newEngine(t, engine.Config{OpenAudio: h.open, StateDir: dir})
	b := newEngine(t, withAudio(audio.Silence{}, far))
	caller, callee := connect(t, a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	hears(t, far)
	store := filepath.Join(dir, "peers.db")
	before := read(t, store)

	random := rand.New(rand.NewPCG(6, 2))
	for range events {
		h.set(wildReport(random))
	}
	h.set(headset)
	until[engine.RouteRefused](t, caller)
	h.set(builtin)
	until[engine.RouteRestored](t, caller)
	sounds(t, far, 25) // what was on its way
	hears(t, far)
	if after := read(t, store); !bytes.Equal(before, after) {
		t.Errorf("%s has changed: %d bytes, before %d", store, len(after), len(before))
	}
}

// wildReport says anything about some devices.
func wildReport(random *rand.Rand) (r route.Report) {
	for range random.IntN(4) {
		name := fmt.Sprintf("%x%s", random.Uint64(), strings.Repeat("\x00\u202e\n", random.IntN(40)))
		r.Routes = append(r.Routes, route.Route{Class: route.Class(random.IntN(32)), Device: name, Name: name,
			Capture: random.IntN(2) == 0, Evidence: []string{name}})
	}
	if random.IntN(4) == 0 {
		r.Unknown = "the sound server is confused"
	}
	return r
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
