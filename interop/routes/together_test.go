//go:build interop

package routes

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media/route"
)

// Two calls of one process are on the same devices: both are verified and heard,
// and neither notices when the other begins and ends. Who only says that it is one
// of them is refused by both.
func TestTwoCalls(t *testing.T) {
	const first, second = 440, 1000 // Hz, of what is said to either
	inEach(t, func(t *testing.T, w *world) {
		p := dialTo(t, route.Policy{}, first)
		until[engine.Secured](p)
		for range 5 {
			q := dialTo(t, route.Policy{}, second)
			until[engine.Secured](q)
			q.probe.talks(t)
			if err := q.near.Close(); err != nil {
				t.Fatal(err)
			}
		}
		q := dialTo(t, route.Policy{}, second)
		until[engine.Secured](q)
		p.probe.talks(t)
		q.probe.talks(t)
		p.undisturbed("while other calls begin and end")
		q.undisturbed("beside another call")
		w.plays(first, second)

		names := callNames(t)
		if len(names) != 2 {
			t.Fatalf("the two calls are %q", names)
		}
		for _, name := range append(names, "call of another") {
			decoy := w.claim(exec.Command("pacat", "--playback", "--stream-name="+name, "--device="+speaker, "/dev/zero"))
			for _, phone := range []*phone{p, q} {
				untilSays(phone, "more streams than this program plays", func(r engine.RouteRefused) string { return r.Reason })
			}
			decoy.kill()
			p.settle()
			q.settle()
			spy := w.claim(exec.Command("parec", "--stream-name="+name, "--device="+microphone))
			for _, phone := range []*phone{p, q} {
				untilSays(phone, "calls itself this one", func(w engine.Warning) string { return w.Text })
			}
			spy.kill()
		}
		p.probe.talks(t)
		q.probe.talks(t)
	})
}

// untilSays waits for an event of a kind that says something.
func untilSays[E engine.Event](p *phone, words string, of func(E) string) {
	p.t.Helper()
	for {
		if e, _ := until[E](p); strings.Contains(of(e), words) {
			return
		}
	}
}

// claim starts a program that gives our process ID for its own.
func (w *world) claim(cmd *exec.Cmd) *daemon {
	cmd.Env = append(os.Environ(), fmt.Sprintf("PULSE_PROP=application.process.id=%d", os.Getpid()))
	return startDaemon(w.t, w.dir, cmd)
}

// undisturbed fails if a call was silent because of whose streams there are, or if
// its user was told of a program that records. A server that did not answer in time
// is another matter.
func (p *phone) undisturbed(when string) {
	p.t.Helper()
	for deadline := time.After(patience); p.silent || len(p.events) > 0; {
		switch e := p.take(deadline).Event.(type) {
		case engine.RouteRefused:
			if strings.Contains(e.Reason, "stream") {
				p.t.Errorf("%s: silent: %s", when, e.Reason)
			} else {
				figure(p.t, "%s: silent for a while: %s", when, e.Reason)
			}
		case engine.Warning:
			p.t.Errorf("%s: %s", when, e.Text)
		}
	}
}

// callNames are the names under which the sound server shows what calls play.
func callNames(t *testing.T) []string {
	t.Helper()
	names := regexp.MustCompile(`media\.name = "(call [A-Z2-7]+)"`).FindAllStringSubmatch(must(t, "pactl", "list", "sink-inputs"), -1)
	var all []string
	for _, name := range names {
		all = append(all, name[1])
	}
	slices.Sort(all)
	return slices.Compact(all)
}
