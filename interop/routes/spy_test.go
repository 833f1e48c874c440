//go:build interop

package routes

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// A program records our microphone, or what we play.
func TestSpy(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := startCall(t)
		spies := [][]string{
			{"parec", "--raw", "--latency-msec=20", "-d", microphone},
			{"parec", "--raw", "--latency-msec=20", "-d", speaker + ".monitor"},
		}
		if w.server == pipeWire {
			spies = append(spies, []string{"pw-record", "--target", microphone, "-"})
		}
		for _, command := range spies {
			name, device := command[0], strings.Join(command[1:], " ")
			var started, heard figures
			for range 20 {
				s, h := c.spiedOn(command)
				started, heard = append(started, s), append(heard, h)
			}
			figure(t, "from the start of %s on %s to its name and process ID, %v", name, device, started)
			heard.within(t, "from the first sample that "+name+" has of "+device+" to its name and process ID", 50*time.Millisecond)
		}
	})
}

// spiedOn runs a spy until it is reported: how long after it was started, and
// after it got its first sample.
func (c *call) spiedOn(command []string) (started, heard time.Duration) {
	c.t.Helper()
	spy := exec.Command(command[0], command[1:]...)
	samples, err := spy.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.forget()
	begin := time.Now()
	if err := spy.Start(); err != nil {
		c.t.Fatal(err)
	}
	if _, err := samples.Read(make([]byte, 1)); err != nil {
		c.t.Fatal(err)
	}
	first := time.Now()
	seen := c.until("the spy is reported, once, and as nothing else", func(r route.Report) bool {
		_, err := (route.Policy{}).Check(r) // refuses what has not said yet that it only records
		return err == nil && len(r.Taps) == 1 && r.Taps[0].Program.PID != 0
	})
	tap := seen.Taps[0]
	if tap.Program != (route.Process{PID: spy.Process.Pid, Name: command[0]}) || tap.Monitor != strings.HasSuffix(command[len(command)-1], ".monitor") {
		c.t.Errorf("%+v, want %s with process ID %d", tap, command[0], spy.Process.Pid)
	}
	if _, err := (route.Policy{RefuseTaps: true}).Check(seen.Report); err == nil {
		c.t.Error("a policy that refuses taps goes on")
	}
	if _, err := (route.Policy{RefuseTaps: true, AllowTaps: []string{command[0]}}).Check(seen.Report); err != nil {
		c.t.Error(err)
	}
	c.forget()
	spy.Process.Kill()
	spy.Wait()
	c.until("the spy is gone", func(r route.Report) bool { return r.Unknown == "" && len(r.Taps) == 0 })
	return seen.at.Sub(begin), seen.at.Sub(first)
}
