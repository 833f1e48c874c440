package engine

import (
	"context"
	"fmt"
	"strconv"

	"sotto/engine/audit"
	"sotto/media/route"
)

// onDisk waits until what was recorded is on the disk.
func onDisk(trail *audit.Recorder) error {
	ctx, cancel := context.WithTimeout(context.Background(), diskTimeout)
	defer cancel()
	if trail.Flush(ctx) != nil {
		return errHung
	}
	return nil
}

// say tells the user, and the audit trail what belongs there.
func (l *leg) say(e Event) {
	if event, detail := trailOf(e); event != "" {
		l.record(event, detail...)
	}
	l.call.events.put(e)
}

// trailOf is what the audit trail keeps of e: its name, and names and values by
// turns. Empty: nothing. No SAS and no key goes there, and what a screen repeats
// is kept once.
func trailOf(e Event) (event string, detail []string) {
	switch e := e.(type) {
	case Answered:
		return "answered", []string{"peer", e.Peer, "codec", e.Codec}
	case Secured:
		return "secured", []string{"suite", e.Suite, "level", e.Level.String(), "verified", strconv.FormatBool(e.Verified)}
	case SASRelayed:
		return "relayed", nil
	case Refused:
		return "refused", []string{"text", e.Text}
	case RouteRefused:
		return "route refused", []string{"class", e.Class.String(), "device", e.Device, "reason", e.Reason, "evidence", fmt.Sprint(e.Evidence)}
	case RouteRestored:
		return "route restored", nil
	case Warning:
		return "warning", []string{"text", e.Text}
	case outside:
		return trailOf(e.Warning)
	case Ended:
		return audit.Ended, []string{"kind", e.Reason.Kind.String(), "text", e.Reason.Text, "level", e.Level.String(),
			"sent", strconv.FormatUint(e.Stats.PacketsSent, 10), "received", strconv.FormatUint(e.Stats.PacketsReceived, 10)}
	}
	return "", nil
}

// recordBegin records the call and the policy that it is held against.
func (l *leg) recordBegin() {
	p := l.cfg.Routes
	l.record(audit.Begins, "peer", l.call.peer, "incoming", strconv.FormatBool(l.call.incoming),
		"secure mode", strconv.FormatBool(!l.mode.insecure), "post-quantum", strconv.FormatBool(l.cfg.PostQuantum),
		"require-hello-hash", strconv.FormatBool(l.cfg.RequireHelloHash), "allow-disclosure", strconv.FormatBool(l.cfg.AllowDisclosure),
		"wired", fmt.Sprintf("%q", p.Wired), "strict", strconv.FormatBool(p.Strict), "adapter-off", strconv.FormatBool(p.AdapterOff),
		"refuse-taps", strconv.FormatBool(p.RefuseTaps), "allow-taps", fmt.Sprintf("%q", p.AllowTaps),
		"hold-after", p.HoldAfter.String(), "end-after", p.EndAfter.String())
}

// maxRoutes is how many routes of a verification the trail names. A call has two,
// and more where a device is several.
const maxRoutes = 8

// recordVerified records what a route was verified by, before the change of state
// that follows from it.
func (l *leg) recordVerified(routes []route.Route) {
	for i, r := range routes {
		if i == maxRoutes {
			l.record("route verified", "more", strconv.Itoa(len(routes)-i))
			return
		}
		l.record("route verified", "class", r.Class.String(), "device", r.Device, "capture", strconv.FormatBool(r.Capture), "evidence", fmt.Sprint(r.Evidence))
	}
}

// record appends to the audit trail, if there is one, and does not wait for the
// disk.
func (l *leg) record(event string, detail ...string) {
	d := make(map[string]string, len(detail)/2)
	for i := 0; i+1 < len(detail); i += 2 {
		d[detail[i]] = detail[i+1]
	}
	l.trail.Record(event, d)
}

// onUntrailed tells once that the audit trail lacks something, which does not end
// the call.
func (l *leg) onUntrailed(err error) {
	l.engine.log.Error("audit trail", "error", err)
	if !l.untrailed {
		l.untrailed = true
		l.call.events.put(Warning{"The audit trail can't be written: " + InWords(err)})
	}
}

// sayEnded is say for the last event, after which a call's trail is on the disk, or
// the user has heard that it is not.
func (l *leg) sayEnded(e Ended) {
	event, detail := trailOf(e)
	l.record(event, detail...)
	err := onDisk(l.trail)
	select {
	case err = <-l.trail.Missed():
	default:
	}
	if err != nil {
		l.onUntrailed(err)
	}
	l.call.events.put(e)
}
