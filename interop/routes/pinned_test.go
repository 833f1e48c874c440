//go:build interop

package routes

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// Another program moves our streams, to a headset and to the monitor of it: the
// server refuses, as they are pinned.
func TestMovedByAnother(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := startCall(t)
		w.air.connect(t)
		sink := c.awaitSink()
		for _, move := range []struct{ what, stream, to string }{
			{"move-sink-input", "sink-inputs", sink}, {"move-source-output", "source-outputs", sink + ".monitor"},
		} {
			out, done := output("pactl", move.what, onlyStream(t, move.stream), move.to)
			figure(t, "pactl %s says %q", move.what, out)
			if done {
				t.Errorf("%s: our stream can be moved", move.what)
			}
		}
		eventually(t, "the call is where it was", func() bool { // now, unless the server does not answer in time
			r, err := c.watch.Report(t.Context())
			return err == nil && accepted(r) && len(r.Routes) == 2
		})
		if sum := w.air.traffic(t); sum.Loud > 0 {
			t.Errorf("%d packets on air", sum.Loud)
		}
	})
}

// Another program tells PipeWire's session manager, in each way that there is, to
// take what we play or record to the headset: nothing moves, and we know.
func TestOrderedByAnother(t *testing.T) {
	w := newWorld(t, pipeWire)
	c := startCall(t)
	w.air.connect(t)
	name := c.awaitSink()
	sink := node(t, "node.name", name)
	for _, list := range []string{"sink-inputs", "source-outputs"} {
		stream := node(t, "object.serial", onlyStream(t, list))
		for key, value := range map[string]string{"target.object": sink.serial, "target.node": sink.id} {
			c.forget()
			begin := time.Now()
			must(t, "pw-metadata", stream.id, key, value, "Spa:Id")
			ordered := c.until("the order is reported", func(r route.Report) bool { return len(r.Orders) > 0 })
			figure(t, "%s of one of the %s: reported %v after the start of pw-metadata", key, list, tenths(ordered.at.Sub(begin)))
			if ordered.Orders[0].Target != name || !accepted(ordered.Report) {
				t.Errorf("%+v", ordered.Report)
			}
			c.stays()
			must(t, "pw-metadata", "-d", stream.id, key)
			c.until("the order is withdrawn", func(r route.Report) bool { return r.Unknown == "" && len(r.Orders) == 0 })
		}
	}
	if sum := w.air.traffic(t); sum.Loud > 0 {
		t.Errorf("%d packets on air", sum.Loud)
	}
}

// stays watches for ten times as long as an order takes to be obeyed that the call
// is where it was.
func (c *call) stays() {
	c.t.Helper()
	for end := time.Now().Add(200 * time.Millisecond); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if r, err := c.watch.Report(c.t.Context()); err != nil || r.Unknown == "" && (!accepted(r) || len(r.Routes) != 2) {
			c.t.Fatalf("%+v, %v", r, err)
		}
	}
}

// If a stream of ours were not pinned, we would know that it was moved.
func TestMovedUnpinned(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.load("module-null-sink", "sink_name=elsewhere")
		must(t, "pactl", "set-default-sink", speaker)
		player := startDaemon(t, w.dir, exec.Command("pacat", "--stream-name=call", "--latency-msec=20", "-d", speaker, "/dev/zero"))
		c := watch(t, route.Self{PID: player.cmd.Process.Pid, Stream: "call", Playback: true})
		c.until("the stream is known", func(r route.Report) bool { return r.Unknown == "" && len(r.Routes) == 1 && accepted(r) })
		stream := onlyStream(t, "sink-inputs")
		moved, after := c.goes("elsewhere", func(device string) { must(t, "pactl", "move-sink-input", stream, device) })
		figure(t, "reported %v after the start of pactl", tenths(after))
		if accepted(moved.Report) {
			t.Errorf("%+v", moved.Report)
		}
	})
}

// goes has somebody take the call's only stream to a device, and returns how it is
// reported, and how long after. One order in five is lost: WirePlumber overlooks
// what is wanted of a stream that it is about to link, and of what pactl orders
// nothing may arrive in PipeWire's metadata, as pactl goes at once. Then it is
// ordered once more.
func (c *call) goes(device string, take func(device string)) (seen, time.Duration) {
	c.t.Helper()
	there := func(r route.Report) bool { return len(r.Routes) == 1 && r.Routes[0].Device == device }
	for range 40 {
		c.forget()
		begin := time.Now()
		take(device)
		for time.Since(begin) < 500*time.Millisecond {
			if r, err := c.watch.Report(c.t.Context()); err == nil && there(r) {
				moved := c.until("it is reported", there)
				return moved, moved.at.Sub(begin)
			}
			time.Sleep(5 * time.Millisecond)
		}
		take(speaker)
	}
	c.t.Fatalf("nothing is taken to %s", device)
	return seen{}, 0
}

// A stream that is not pinned is where an order of that kind takes it.
func TestOrderedUnpinned(t *testing.T) {
	w := newWorld(t, pipeWire)
	w.load("module-null-sink", "sink_name=elsewhere")
	player := startDaemon(t, w.dir, exec.Command("pacat", "--stream-name=call", "--latency-msec=20", "-d", speaker, "/dev/zero"))
	c := watch(t, route.Self{PID: player.cmd.Process.Pid, Stream: "call", Playback: true})
	c.until("the stream is known", func(r route.Report) bool { return r.Unknown == "" && len(r.Routes) == 1 && accepted(r) })
	stream := node(t, "object.serial", onlyStream(t, "sink-inputs")).id
	moved, after := c.goes("elsewhere", func(device string) {
		must(t, "pw-metadata", stream, "target.object", node(t, "node.name", device).serial, "Spa:Id")
	})
	figure(t, "reported %v after the start of pw-cli and pw-metadata", tenths(after))
	if accepted(moved.Report) || len(moved.Orders) > 0 {
		t.Errorf("%+v", moved.Report)
	}
}

// graphNode is a node of PipeWire's graph.
type graphNode struct{ id, serial string }

// node is the node of which a property has that value.
func node(t *testing.T, key, value string) graphNode {
	t.Helper()
	var found graphNode
	is := false
	for line := range strings.Lines(must(t, "pw-cli", "ls", "Node") + "\n\tid ,") {
		line = strings.TrimSpace(line)
		if rest, begins := strings.CutPrefix(line, "id "); begins {
			if is {
				return found
			}
			found.id, _, _ = strings.Cut(rest, ",")
		}
		said, _ := strings.CutPrefix(line, "object.serial = ")
		if said != line {
			found.serial = strings.Trim(said, `"`)
		}
		is = is || line == fmt.Sprintf("%s = %q", key, value)
	}
	t.Fatalf("no node has the %s %q", key, value)
	return found
}

// onlyStream is the number of the only stream that plays (sink-inputs) or records
// (source-outputs).
func onlyStream(t *testing.T, list string) string {
	t.Helper()
	all := must(t, "pactl", "list", "short", list)
	number, _, _ := strings.Cut(all, "\t")
	if number == "" || strings.Contains(all, "\n") {
		t.Fatalf("want one stream, there are:\n%s", all)
	}
	return number
}
