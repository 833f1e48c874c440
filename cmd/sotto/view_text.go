package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"sotto/engine"
)

// textView is for people.
type textView struct {
	asked bool // --verify: the user is not asked to compare

	mu    sync.Mutex
	w     io.Writer
	known []engine.Notice // told in this call
}

// line prints one line, made safe for the terminal.
func (v *textView) line(format string, args ...any) {
	fmt.Fprintln(v.w, strings.TrimRight("  "+oneLine(fmt.Sprintf(format, args...)), " "))
}

func (v *textView) show(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case listening:
		v.line("Listening on %s. Call sip:sotto@%s; Ctrl-C ends.", e.Address, e.Address)
	case calling:
		v.known = nil
		v.line("Calling %s from %s. Ctrl-C hangs up.", e.URI, e.Address)
	case incoming:
		v.known = nil
		v.line("%s is calling.", e.Peer)
	case hint:
		v.line("%s", e.Text)
	case engine.Ringing:
		v.line("Ringing.")
	case engine.Unanswered:
		v.line("Not answered: %s.", strings.TrimSuffix(e.Reason.Text, "."))
	case engine.Answered:
		v.line("Answered: talking to %s with %s.", e.Peer, e.Codec)
	case engine.Secured:
		v.secured(e)
	case engine.SASRelayed:
		v.line("Beyond the telephone exchange:")
		v.sas(e.SAS)
	case engine.Security:
		v.security(e)
	case engine.Refused:
		v.refused(e)
	case engine.RouteRefused:
		v.large("SILENT", e.Text)
	case engine.RouteRestored:
		v.line("The audio route is verified again.")
	case engine.Held:
		if e.ForRoute {
			v.line("On hold, because of the audio route.")
			return
		}
		v.line("On hold, by %s.", who(e.Remote))
	case engine.Resumed:
		v.line("Off hold, by %s.", who(e.Remote))
	case engine.Digit:
		v.line("The other side sends %c.", e.Digit)
	case engine.Quality:
		v.line("Quality of what %s: %v, MOS %.1f.", hears(e.Remote), e.Class, e.Rating.MOSCQ)
	case engine.Warning:
		v.line("Warning: %s", e.Text)
	case engine.Ended:
		v.ended(e)
	}
}

func who(remote bool) string {
	if remote {
		return "the other side"
	}
	return "you"
}

func hears(remote bool) string {
	if remote {
		return "the other side hears"
	}
	return "you hear"
}

// secured shows the SAS large.
func (v *textView) secured(e engine.Secured) {
	v.line("Encrypted: %s, peer %s.", e.Suite, e.PeerZID)
	v.sas(e.SAS)
}

func (v *textView) refused(e engine.Refused) {
	if e.Route != nil {
		v.large("REFUSED", e.Text)
		return
	}
	v.line("Refused: %s", e.Text)
}

// large is for what must not be overlooked.
func (v *textView) large(title, text string) {
	edge := strings.Repeat("!", 72)
	v.line("%s", edge)
	v.line("!! %s: nothing is sent or played.", title)
	for _, row := range wrapped(oneLine(text), len(edge)-3) {
		v.line("!! %s", row)
	}
	v.line("%s", edge)
}

// wrapped is text in rows of at most width bytes, but for longer words.
func wrapped(text string, width int) (rows []string) {
	row := ""
	for word := range strings.FieldsSeq(text) {
		if row != "" && len(row)+1+len(word) > width {
			rows, row = append(rows, row), ""
		}
		if row != "" {
			row += " "
		}
		row += word
	}
	return append(rows, row)
}

func (v *textView) sas(sas string) {
	v.line("")
	for _, row := range banner(sas) {
		fmt.Fprintln(v.w, "      "+row)
	}
	v.line("")
}

// security says how far the call can be trusted and what to do about it, and each
// notice once.
func (v *textView) security(e engine.Security) {
	alarm := ""
	if e.Level == engine.LevelSuspect || e.Level == engine.LevelAttacked {
		alarm = "ALARM: "
	}
	v.line("Security: %s. %s%s", e.Level, alarm, e.Text)
	compared := e.Level.Verified() || slices.Contains(e.Notices, engine.NoticeRelayCompared)
	if e.Level.Encrypted() && !compared && !v.asked {
		v.line("Type y and Enter if it is the same on both sides, n if it differs.")
	}
	if e.Name != "" {
		v.line("Name: %s", e.Name)
	}
	for _, n := range e.Notices {
		if !slices.Contains(v.known, n) {
			v.known = append(v.known, n)
			v.line("Note: %s", n.Text())
			if n == engine.NoticeNameless {
				v.line("Type name and whom you talk to, such as name Bob.")
			}
		}
	}
}

// banner draws a SAS: each word or group of letters on a row of its own,
// spaced, in a frame. The pictures of B32E are two columns wide.
func banner(sas string) []string {
	words := strings.Split(oneLine(sas), ":")
	width := 0
	for i, w := range words {
		words[i] = strings.Join(strings.Split(w, ""), " ")
		width = max(width, columns(words[i]))
	}
	edge := "+" + strings.Repeat("-", width+8) + "+"
	blank := "|" + strings.Repeat(" ", width+8) + "|"
	rows := []string{edge, blank}
	for _, w := range words {
		rows = append(rows, "|    "+w+strings.Repeat(" ", width-columns(w))+"    |", blank)
	}
	return append(rows, edge)
}

// columns is how wide s is on a terminal.
func columns(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0x2000 {
			n++
		}
	}
	return n
}

func (v *textView) ended(e engine.Ended) {
	v.line("Ended: %s. The call was %s.", strings.TrimSuffix(e.Reason.Text, "."), e.Level)
	s := e.Stats
	if s.PacketsSent+s.PacketsReceived == 0 {
		return
	}
	v.line("Sent %d packets. Received %d, lost %d, late %d; jitter %v.",
		s.PacketsSent, s.PacketsReceived, s.Lost, s.Late, s.Jitter.Round(10*time.Microsecond))
	if q := s.VoIP.Quality; q.Known() {
		v.line("What you heard: R %.0f, MOS %.1f; listening alone %.1f.", q.R, q.MOSCQ, q.MOSLQ)
	}
}
