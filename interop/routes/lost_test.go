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
				inTime(t, "missed", lostLimit, func() time.Duration {
					c.forget()
					gone := w.unplug(device)
					alarm := c.until("the device is missed", func(r route.Report) bool { return !accepted(r) || len(r.Routes) != 2 })
					took := max(0, alarm.at.Sub(gone))
					figure(t, "missed %v after pactl has ended: %s", tenths(took), alarm.alarm.Text)
					w.plug(device)
					c.known()
					return took
				})
			})
		}
	})
}

// The sound server is killed, stopped or stuck in the middle of a call, and
// comes back.
func TestServerLost(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := startCall(t)
		lost := func(what string, lose, back func()) {
			t.Helper()
			inTime(t, what+": known", lostLimit, func() time.Duration {
				c.forget()
				begin := time.Now()
				lose()
				alarm := c.until(what, func(r route.Report) bool { return r.Unknown != "" })
				took := alarm.at.Sub(begin)
				figure(t, "%s: known after %v: %s", what, tenths(took), alarm.Unknown)
				back()
				return took
			})
		}
		for name, d := range w.running {
			if name == "wireplumber" {
				continue // it plans the graph; the graph goes on without it
			}
			lost(name+" stopped", func() { d.signal(syscall.SIGSTOP) }, func() {
				time.Sleep(5 * time.Second)
				if r, err := c.watch.Report(t.Context()); r.Unknown == "" || err != nil {
					t.Errorf("%+v, %v", r, err)
				}
				back := time.Now()
				d.signal(syscall.SIGCONT)
				c.known()
				figure(t, "%s goes on: the route is known again after %v", name, time.Since(back).Round(time.Millisecond))
			})
		}
		lost("server killed", func() { w.core().kill() }, func() {
			w.killServer()
			back := time.Now()
			w.startServer()
			c.known()
			figure(t, "server started again: the route is known after %v, with what it took to start", time.Since(back).Round(time.Millisecond))
		})
	})
}

// unplug takes one of the built-in devices away, and returns when it is gone.
func (w *world) unplug(device string) time.Time {
	w.t.Helper()
	for line := range strings.Lines(must(w.t, "pactl", "list", "short", "modules")) {
		if f := strings.Fields(line); len(f) > 2 && strings.Contains(line, "_name="+device) {
			must(w.t, "pactl", "unload-module", f[0])
		}
	}
	return time.Now()
}
