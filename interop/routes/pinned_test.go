//go:build interop

package routes

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// Another program moves our stream to a headset: the server refuses, as the
// stream is pinned.
func TestMovedByAnother(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := startCall(t)
		w.air.connect(t)
		sink := c.awaitSink()
		out, done := output("pactl", "move-sink-input", onlyStream(t), sink)
		figure(t, "pactl move-sink-input says %q", out)
		if done {
			t.Error("our stream can be moved")
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

// If a stream of ours were not pinned, we would know that it was moved.
func TestMovedUnpinned(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.load("module-null-sink", "sink_name=elsewhere")
		must(t, "pactl", "set-default-sink", speaker)
		player := startDaemon(t, w.dir, exec.Command("pacat", "--stream-name=call", "--latency-msec=20", "-d", speaker, "/dev/zero"))
		c := watch(t, route.Self{PID: player.cmd.Process.Pid, Stream: "call", Playback: true})
		c.until("the stream is known", func(r route.Report) bool { return r.Unknown == "" && len(r.Routes) == 1 && accepted(r) })
		c.forget()
		begin := time.Now()
		must(t, "pactl", "move-sink-input", onlyStream(t), "elsewhere")
		moved := c.until("the move is reported", func(r route.Report) bool { return len(r.Routes) == 1 && r.Routes[0].Device == "elsewhere" })
		figure(t, "reported %v after the start of pactl", moved.at.Sub(begin).Round(time.Millisecond))
		if accepted(moved.Report) {
			t.Errorf("%+v", moved.Report)
		}
	})
}

// onlyStream is the number of the only stream that plays.
func onlyStream(t *testing.T) string {
	t.Helper()
	all := must(t, "pactl", "list", "short", "sink-inputs")
	number, _, _ := strings.Cut(all, "\t")
	if number == "" || strings.Contains(all, "\n") {
		t.Fatalf("want one stream, there are:\n%s", all)
	}
	return number
}
