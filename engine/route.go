package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"sotto/media/route"
	"sotto/sip/sdp"
)

// reopenAfter is how long after audio could not be opened it is tried again.
const reopenAfter = 200 * time.Millisecond

// path is what secure mode knows of where the call's audio goes. The leg owns
// it.
type path struct {
	verified  route.Verified
	sightings <-chan sighting // nil: nobody watches
	stop      context.CancelFunc
	refusal   *route.Refusal // why there is silence; nil: there need be none
	taps      []route.Tap    // told
	orders    []route.Order  // told
	onHold    bool           // the call is, because of it and not because our user wants it

	reopenAt, holdAt, endAt time.Time // zero: never
}

// checkUnwatched verifies audio that comes without a Watch: what never leaves
// this process needs none. A device does, because it can become another one.
func checkUnwatched(p route.Policy, routes []route.Route) (route.Verified, error) {
	verified, err := p.Verify(routes...)
	if err != nil {
		return route.Verified{}, err
	}
	for _, r := range routes {
		if r.Class != route.Internal {
			return route.Verified{}, &route.Refusal{
				Class: r.Class, Device: r.Device, Name: r.Name, Reason: "nothing tells whether this device stays what it is", Evidence: r.Evidence,
			}
		}
	}
	return verified, nil
}

// watchRoute begins to watch the audio that is plugged in.
func (l *leg) watchRoute(w route.Watch) {
	ctx, cancel := context.WithCancel(l.ctx)
	sightings := make(chan sighting)
	l.path.sightings, l.path.stop = sightings, cancel
	watcher := &watcher{watch: w, policy: l.cfg.Routes, jack: l.voice.jack}
	l.voice.watchers.Go(func() { watcher.run(ctx, sightings) })
}

// onSighting goes on, or stays silent, as the route is.
func (l *leg) onSighting(s sighting) {
	if s.alarm != "" {
		l.record("alarm", "text", s.alarm)
		l.rule(routeDoubted)
	}
	if !s.unknown {
		l.tellTaps(s.taps)
		l.tellOrders(s.orders)
	}
	var refusal *route.Refusal
	switch {
	case errors.As(s.err, &refusal) && s.lost:
		l.replaceAudio(refusal)
	case refusal != nil:
		l.refuseRoute(refusal)
	default:
		l.acceptRoute(s.verified, s.routes)
	}
}

// acceptRoute lets voice through again over routes, which v is about. If something
// has happened meanwhile, v is not valid any more and the next sighting is on its
// way.
func (l *leg) acceptRoute(v route.Verified, routes []route.Route) {
	hearing{l.voice.jack}.Flush() // what it heard before may come from what was refused
	if l.voice.gate.Open(v) != nil {
		return
	}
	l.path.verified = v
	l.recordVerified(routes)
	l.rule(routeVerified)
	if l.path.refusal != nil {
		l.path.refusal, l.path.holdAt, l.path.endAt = nil, time.Time{}, time.Time{}
		l.say(RouteRestored{})
		l.resumeForRoute()
	}
	l.proceed()
}

// errOutdated says that a hold because of the route has lost its cause.
var errOutdated = errors.New("engine: the route or the user wants it otherwise by now")

// wantsForRoute reports whether the route asks for d: a hold while it is refused,
// and then the end of that hold, but never of one that our user has asked for.
func (l *leg) wantsForRoute(d sdp.Direction) bool {
	if d == sdp.SendRecv {
		return l.path.onHold && l.path.refusal == nil
	}
	return l.local.Direction == sdp.SendRecv && l.path.refusal != nil
}

// resumeForRoute ends a hold because of the route, if there is one and it is over.
func (l *leg) resumeForRoute() {
	if l.wantsForRoute(sdp.SendRecv) {
		l.engine.wg.Go(func() { _ = l.call.redirect(l.ctx, sdp.SendRecv, true) }) // the user hears of it, or can try again
	}
}

// holdForRoute puts the call on hold because of the route, if it is refused.
func (l *leg) holdForRoute() {
	if l.wantsForRoute(sdp.SendOnly) {
		l.engine.wg.Go(func() { _ = l.call.redirect(l.ctx, sdp.SendOnly, true) }) // the call is silent, held or not
	}
}

// refuseRoute keeps the call silent until there is a route, or for as long as
// the policy says. The user is told once.
func (l *leg) refuseRoute(r *route.Refusal) {
	l.path.verified.Revoke()
	if l.rule(routeRefused) != mute {
		return
	}
	now := time.Now()
	if l.path.refusal == nil {
		if after := l.cfg.Routes.HoldAfter; after > 0 {
			l.path.holdAt = now.Add(after)
		}
		if after := l.cfg.Routes.EndAfter; after > 0 {
			l.path.endAt = now.Add(after)
		}
	}
	if was := l.path.refusal; was == nil || was.Error() != r.Error() {
		l.engine.log.Warn("route refused", "peer", l.call.peer, "error", r)
		l.say(RouteRefused{Refusal: *r, Text: InWords(r)})
	}
	l.path.refusal = r
}

// replaceAudio pulls audio that is of no use any more, and opens it anew.
func (l *leg) replaceAudio(why *route.Refusal) {
	l.refuseRoute(why)
	if l.opening != nil {
		return
	}
	l.path.stop()
	l.path.sightings = nil
	l.voice.jack.pull()
	old := l.voice.audio
	l.voice.audio = Audio{}
	l.openAudio(old)
}

// unknownRoute is the refusal of a route that nobody knows.
func unknownRoute(policy route.Policy, why string) *route.Refusal {
	_, err := policy.Check(route.Report{Unknown: why})
	var refusal *route.Refusal
	errors.As(err, &refusal)
	return refusal
}

// onAudioFailed is about audio that has a watch over it.
func (l *leg) onAudioFailed(err error) {
	if l.mode.insecure {
		l.fail(AudioFailed, err)
		return
	}
	l.replaceAudio(unknownRoute(l.cfg.Routes, "the audio device is gone: "+InWords(err)))
}

// onNoAudio is about audio that could not be opened. Where a route was refused,
// or the call had audio before, there may be some soon.
func (l *leg) onNoAudio(err error) {
	var refusal *route.Refusal
	switch {
	case l.mode.insecure:
	case errors.As(err, &refusal):
	case l.voice.flow.Load() != nil:
		refusal = unknownRoute(l.cfg.Routes, "the audio device could not be opened: "+InWords(err))
	}
	if refusal == nil {
		l.fail(AudioFailed, err)
		return
	}
	l.refuseRoute(refusal)
	l.path.reopenAt = time.Now().Add(reopenAfter)
}

// tellTaps warns of programs that have begun to listen.
func (l *leg) tellTaps(taps []route.Tap) {
	for _, t := range taps {
		if !slices.Contains(l.path.taps, t) {
			what := "what the microphone hears"
			if t.Monitor {
				what = "what the other side says"
			}
			l.say(outside{Warning{fmt.Sprintf("The program %.60q (process %d) records %s.", t.Program.Name, t.Program.PID, what)}})
		}
	}
	l.path.taps = taps
}

// tellOrders warns of programs that want the call on another device. It stays where
// it is: if one is obeyed, that is a route.
func (l *leg) tellOrders(orders []route.Order) {
	for _, o := range orders {
		if !slices.Contains(l.path.orders, o) {
			l.say(outside{Warning{fmt.Sprintf("A program wants this call on another device, %.60q. The call stays where it is.", o.Target)}})
		}
	}
	l.path.orders = orders
}

// onRouteTime does what is due because of the route.
func (l *leg) onRouteTime(now time.Time) {
	p := &l.path
	if due(now, &p.reopenAt) {
		l.openAudio(Audio{})
	}
	if due(now, &p.holdAt) {
		l.holdForRoute()
	}
	if due(now, &p.endAt) && l.rule(routeLost) == endCall {
		l.refuse(NoRoute, InWords(p.refusal), p.refusal)
	}
}

// due reports whether at has come, and forgets it then.
func due(now time.Time, at *time.Time) bool {
	if at.IsZero() || now.Before(*at) {
		return false
	}
	*at = time.Time{}
	return true
}
