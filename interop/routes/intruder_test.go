//go:build interop

package routes

import (
	"encoding/binary"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/route"
)

// hear waits until the other side has played n more frames, and returns how many
// of them had sound, and how many the microphone has brought that had.
func (p *probe) hear(t *testing.T, n int) (arrived, picked int) {
	t.Helper()
	count := func() (played, arrived, picked int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.played, p.arrived, p.picked
	}
	played, a, m := count()
	eventually(t, "the other side plays", func() bool { now, _, _ := count(); return now >= played+n })
	_, arrived, picked = count()
	return arrived - a, picked - m
}

// intrude plays a tone to a device of its own, from where it can be linked
// elsewhere, and returns the port it comes from.
func (w *world) intrude() string {
	w.t.Helper()
	w.load("module-null-sink", "sink_name=elsewhere")
	must(w.t, "pactl", "set-default-sink", speaker)
	player := exec.Command("pacat", "--playback", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=20", "--device=elsewhere")
	in, err := player.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	startDaemon(w.t, w.dir, player)
	go func() {
		tone, pcm := audio.NewTone(440, 0.5), make([]int16, audio.FrameSamples)
		for tone.ReadFrame(pcm) == nil && binary.Write(in, binary.LittleEndian, pcm) == nil {
			continue // at the player's pace, until it ends
		}
	}()
	return port(w.t, "-o", func(p string) bool { return strings.HasPrefix(p, "pacat:") })
}

// Another program links what it plays to the stream that we record: the call is
// silent until the link is gone, and what the server still has of it then goes
// nowhere either.
func TestCallIsLinkedFromStranger(t *testing.T) {
	const times = 15
	w := newWorld(t, pipeWire)
	stranger := w.intrude()
	others := ports(t, "-i")
	p := dialFrom(t, route.Policy{}, 880, &probe{real: true})
	until[engine.Secured](p)
	ours := port(t, "-i", func(p string) bool { return strings.Contains(p, ":input_") && !slices.Contains(others, p) })
	p.probe.hear(t, 50) // what the first frames are does not matter
	linked, after, picked := 0, 0, 0
	for range times {
		p.settle()
		must(t, "pw-link", stranger, ours)
		until[engine.RouteRefused](p)
		arrived, brought := p.probe.hear(t, 15)
		linked, picked = linked+arrived, picked+brought
		must(t, "pw-link", "-d", stranger, ours)
		p.settle()
		arrived, _ = p.probe.hear(t, 20)
		after += arrived
	}
	figure(t, "%d links: the microphone has brought %d frames with sound; of it the other side has heard %d while linked, %d after", times, picked, linked, after)
	if picked < times {
		t.Error("nothing comes through the links")
	}
	if linked+after > 0 {
		t.Error("the other side hears the stranger")
	}
}
