//go:build interop

package routes

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"sotto/media/route"
)

const lostLimit = 100 * time.Millisecond

// Our speaker or microphone is unplugged in the middle of a call, and plugged in
// again.
func TestUnplugged(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		for _, device := range []string{speaker, microphone} {
			t.Run(device, func(t *testing.T) {
				c := startCall(t)
				c.forget()
				begin := time.Now()
				w.unplug(device)
				alarm := c.until("the device is missed", func(r route.Report) bool { return !accepted(r) || len(r.Routes) != 2 })
				took := alarm.at.Sub(begin)
				figure(t, "missed after %v, with what pactl took: %s", took.Round(time.Millisecond/10), alarm.alarm.Text)
				if took > lostLimit {
					t.Errorf("missed after %v", took)
				}
				w.plug(device)
				c.known()
			})
		}
	})
}

// The sound server is killed, stopped or stuck in the middle of a call, and
// comes back.
func TestServerLost(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := startCall(t)
		lost := func(what string, f func()) {
			t.Helper()
			c.forget()
			begin := time.Now()
			f()
			alarm := c.until(what, func(r route.Report) bool { return r.Unknown != "" })
			figure(t, "%s: known after %v: %s", what, alarm.at.Sub(begin).Round(time.Millisecond/10), alarm.Unknown)
			if took := alarm.at.Sub(begin); took > lostLimit {
				t.Errorf("%s: known after %v", what, took)
			}
		}
		for name, d := range w.running {
			if name == "wireplumber" {
				continue // it plans the graph; the graph goes on without it
			}
			lost(name+" stopped", func() { d.signal(syscall.SIGSTOP) })
			time.Sleep(5 * time.Second)
			if r, err := c.watch.Report(t.Context()); r.Unknown == "" || err != nil {
				t.Errorf("%+v, %v", r, err)
			}
			back := time.Now()
			d.signal(syscall.SIGCONT)
			c.known()
			figure(t, "%s goes on: the route is known again after %v", name, time.Since(back).Round(time.Millisecond))
		}
		lost("server killed", func() { w.core().kill() })
		w.killServer()
		back := time.Now()
		w.startServer()
		c.known()
		figure(t, "server started again: the route is known after %v, with what it took to start", time.Since(back).Round(time.Millisecond))
	})
}

// unplug takes one of the built-in devices away.
func (w *world) unplug(device string) {
	w.t.Helper()
	for line := range strings.Lines(must(w.t, "pactl", "list", "short", "modules")) {
		if f := strings.Fields(line); len(f) > 2 && strings.Contains(line, "_name="+device) {
			must(w.t, "pactl", "unload-module", f[0])
		}
	}
}
