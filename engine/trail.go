package engine

import (
	"crypto/rand"
	"fmt"
	"strconv"

	"sotto/engine/audit"
)

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
	case Ended:
		return "ended", []string{"kind", e.Reason.Kind.String(), "text", e.Reason.Text, "level", e.Level.String(),
			"sent", strconv.FormatUint(e.Stats.PacketsSent, 10), "received", strconv.FormatUint(e.Stats.PacketsReceived, 10)}
	}
	return "", nil
}

// record appends to the audit trail, if there is one. That it can't be written
// is told once, and does not end the call.
func (l *leg) record(event string, detail ...string) {
	trail := l.engine.trail
	if trail == nil {
		return
	}
	if l.id == "" {
		l.id = rand.Text()[:8]
	}
	r := audit.Record{Call: l.id, Event: event, Detail: make(map[string]string, len(detail)/2)}
	for i := 0; i+1 < len(detail); i += 2 {
		r.Detail[detail[i]] = detail[i+1]
	}
	if err := trail.Append(r); err != nil {
		l.engine.log.Error("audit trail", "error", err)
		if !l.untrailed {
			l.untrailed = true
			l.call.events.put(Warning{"The audit trail can't be written: " + inWords(err)})
		}
	}
}
