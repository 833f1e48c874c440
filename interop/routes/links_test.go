//go:build interop

package routes

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// Another program links what we play, or the microphone that we record, to a
// headset. No daemon refuses that.
func TestLinkedToHeadset(t *testing.T) {
	w := newWorld(t, pipeWire)
	others := ports(t, "-o")
	c := startCall(t)
	ours := port(t, "-o", func(p string) bool { return strings.Contains(p, ":output_") && !slices.Contains(others, p) })
	source := port(t, "-o", func(p string) bool { return strings.HasPrefix(p, microphone+":") })
	w.air.connect(t)
	ear := port(t, "-i", func(p string) bool { return strings.HasPrefix(p, "bluez_output.") })
	w.air.reset(t)
	graph := lookAtGraph(t)
	t.Run("our stream", func(t *testing.T) { linkAgainAndAgain(t, c, graph, [2]string{ours, ear}) })
	sum := w.air.traffic(t)
	figure(t, "our stream, with nobody to mute it: %d packets on air, of them %d not digital silence", sum.Packets, sum.Loud)
	if sum.Loud == 0 {
		t.Error("nothing was heard on air, where it had to be: the other scenes show nothing")
	}
	t.Run("our microphone", func(t *testing.T) { linkAgainAndAgain(t, c, graph, [2]string{source, ear}) })
}

// linkAgainAndAgain measures from when another look at the graph has told of a
// link, and from when the command that makes it was started.
func linkAgainAndAgain(t *testing.T, c *call, graph *graph, ports [2]string) {
	const times = 100
	var detected, started figures
	for range times {
		c.forget()
		graph.await(t)
		begin := time.Now()
		must(t, "pw-link", ports[0], ports[1])
		alarm := c.until("the link is reported", func(r route.Report) bool { return slices.ContainsFunc(r.Routes, bluetooth) })
		if linked, seen := graph.first(); seen {
			detected = append(detected, max(0, alarm.at.Sub(linked)))
		}
		started = append(started, alarm.at.Sub(begin))
		c.forget()
		must(t, "pw-link", "-d", ports[0], ports[1])
		c.until("the link is gone", accepted)
	}
	figure(t, "from the start of pw-link to the alarm, %v", started)
	if len(detected) < times/2 {
		t.Errorf("another look at the graph has seen %d of %d links", len(detected), times)
	}
	detected.within(t, "from the link in the graph to the alarm", 20*time.Millisecond)
}

// bluetooth says whether audio goes to the headset, by the profile that it has.
func bluetooth(r route.Route) bool {
	return !r.Capture && r.Class == route.BluetoothA2DP && r.Name == headsetName
}

// ports are the ports of the graph, of one direction.
func ports(t *testing.T, direction string) []string {
	t.Helper()
	return strings.Split(must(t, "pw-link", direction), "\n")
}

// port waits for a port and returns its name.
func port(t *testing.T, direction string, wanted func(string) bool) (name string) {
	t.Helper()
	eventually(t, "there is such a port", func() bool {
		all := ports(t, direction)
		i := slices.IndexFunc(all, wanted)
		if i >= 0 {
			name = all[i]
		}
		return i >= 0
	})
	return name
}
