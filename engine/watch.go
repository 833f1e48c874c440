package engine

import (
	"context"
	"errors"
	"time"

	"sotto/media/route"
)

const (
	// askTimeout is how long a report of the route may take before the route
	// counts as unknown.
	askTimeout = 500 * time.Millisecond
	// askAgain is how long after that it is asked for again.
	askAgain = 500 * time.Millisecond
)

// errNoReport is that a report takes too long.
var errNoReport = errors.New("what watches over them does not answer in time, and is asked again; if it stays like that, restart the sound server")

// sighting is what was found out about the route of a call's audio.
type sighting struct {
	verified route.Verified // valid if err is nil, until the next alarm
	err      error          // a *route.Refusal
	routes   []route.Route
	taps     []route.Tap
	orders   []route.Order
	unknown  bool   // so taps and orders are nothing to go by
	alarm    string // what had happened; empty: nothing yet
	lost     bool   // nothing more will be found out
}

// watcher looks after the route of one Audio. Its goroutine owns it.
type watcher struct {
	watch    route.Watch
	policy   route.Policy
	jack     *jack
	verified route.Verified // of the last sighting
}

// run looks at the route, and again after each alarm, until ctx ends. An alarm
// silences the call before anything else is done. A sighting that nobody has
// taken is replaced by the next, so a flood of alarms fills nothing.
func (w *watcher) run(ctx context.Context, sightings chan<- sighting) {
	alarms := w.watch.Alarms()
	again := time.NewTimer(0) // the first look
	defer again.Stop()
	var s sighting
	var to chan<- sighting // nil: there is nothing to tell
	for {
		select {
		case a, ok := <-alarms:
			w.verified.Revoke()
			w.jack.Flush()
			if ok {
				s = w.look(ctx, a.Text, again)
			} else {
				again.Stop()
				s, alarms = w.judge(route.Report{Unknown: InWords(route.ErrWatch)}), nil
				s.lost = true
			}
			to = sightings
		case <-again.C:
			s, to = w.look(ctx, s.alarm, again), sightings
		case to <- s:
			to = nil
		case <-ctx.Done():
			return
		}
	}
}

// look asks for the route. If there is no telling for now, it sets again. Until it
// has an answer there is silence: alarms wait meanwhile, and what the last
// sighting verified would pass the gate through them.
func (w *watcher) look(ctx context.Context, alarm string, again *time.Timer) sighting {
	w.verified.Revoke()
	again.Stop()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	report, err := w.watch.Report(ctx)
	lost := errors.Is(err, route.ErrWatch)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errNoReport
	}
	if err != nil {
		report = route.Report{Unknown: "the audio devices could not be looked at: " + InWords(err)}
	}
	if err != nil && !lost {
		again.Reset(askAgain)
	}
	s := w.judge(report)
	s.alarm, s.lost = alarm, lost
	return s
}

func (w *watcher) judge(r route.Report) (s sighting) {
	s.verified, s.err = w.policy.Check(r)
	s.routes, s.taps, s.orders, s.unknown = r.Routes, r.Taps, r.Orders, r.Unknown != ""
	w.verified = s.verified
	return s
}
