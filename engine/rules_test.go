package engine

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write RULES.md anew")

// modes are all there are.
func modes() (all []mode) {
	for _, insecure := range []bool{false, true} {
		for _, disclosure := range []bool{false, true} {
			for _, announced := range []bool{false, true} {
				all = append(all, mode{insecure, disclosure, announced})
			}
		}
	}
	return all
}

// model is secure mode as it is meant, in other words than the table's.
type model struct {
	mode
	keys, route, clear, over bool
}

func newModel(m mode, s state) model {
	return model{
		mode: m, keys: s == keyed || s == talking, route: s == routed || s == talking, clear: s == inClear, over: s == over,
	}
}

// voice reports whether somebody is heard.
func (m model) voice() bool { return !m.over && (m.clear || m.keys && m.route) }

// happens changes the model, and reports whether what has happened is allowed
// to have its way.
func (m *model) happens(c cause) (allowed bool) {
	secure := !m.insecure // who asks for the route, and takes no change for the worse
	switch c {
	case gotKeys:
		m.keys, m.route, m.clear = true, m.route || m.clear, false
	case noZRTP, noKeys: // clear voice begins only where nobody asks for the route, and there never were keys
		m.clear = m.clear || m.insecure && !m.keys && m.route
		m.over = m.over || !m.clear
	case disclosed, recorded:
		m.over = m.over || secure && !m.disclosure
	case notAnnounced:
		m.over = m.over || m.announced
	case weakerOffer:
		return m.insecure
	case weakerAnswer:
		m.over = m.over || secure
	case routeVerified:
		m.route = m.route || secure
	case routeDoubted, routeRefused:
		m.route = m.route && m.insecure
	case routeLost:
		m.over = m.over || secure
	case cleared, sasDiffers, callEnded:
		m.over = true
	}
	return true
}

// Every cell of the table, in every mode, says what the model says. What
// cannot be, clear voice in secure mode, ends the call whatever happens.
func TestRules(t *testing.T) {
	cells := 0
	for _, m := range modes() {
		for s := range over {
			for c := range numCauses {
				cells++
				got := m.on(s, c)
				want := newModel(m, s)
				allowed := want.happens(c)
				name := fmt.Sprintf("%+v: %v in state %v leads to %v", m, c, s, got.to)
				if s == inClear && !m.insecure {
					want.over, allowed = true, true
				}
				is := newModel(m, got.to)
				if is.over != want.over || is.voice() != want.voice() {
					t.Errorf("%s, want %+v", name, want)
				}
				if !is.over && (is.clear != want.clear || !is.clear && (is.keys != want.keys || is.route != want.route)) {
					t.Errorf("%s, want %+v", name, want)
				}
				if (got.do == decline) == allowed {
					t.Errorf("%s and is allowed: %v", name, got.do != decline)
				}
				checkVerdict(t, name, s, c, got)
			}
		}
	}
	if cells != 8*5*16 {
		t.Errorf("%d cells", cells)
	}
}

// checkVerdict: what is to be done fits where it leads to.
func checkVerdict(t *testing.T, name string, s state, c cause, got cell) {
	t.Helper()
	if (got.do == endCall) != (got.to == over && (c != callEnded || s == inClear && got.do == endCall)) {
		t.Errorf("%s with verdict %d", name, got.do)
	}
	if got.to != s && got.to == talking && got.do != letVoice || got.to != s && got.to == inClear && got.do != letClear {
		t.Errorf("%s, and nothing is let through", name)
	}
	if got.do == letVoice && got.to != talking || got.do == letClear && got.to != inClear {
		t.Errorf("%s, and voice is let through", name)
	}
	if s == talking && got.to != talking && got.do != mute && got.do != endCall && c != callEnded {
		t.Errorf("%s, and nothing is silenced", name)
	}
}

// What is over stays so; what is out of range is refused.
func TestRulesFailClosed(t *testing.T) {
	for _, m := range modes() {
		for s := range state(255) {
			for c := range cause(255) {
				if (s >= over || c >= numCauses) && m.on(s, c) != (cell{over, nothing}) {
					t.Fatalf("cause %d in state %d: %+v", c, s, m.on(s, c))
				}
			}
		}
	}
}

// RULES.md is the table.
func TestRulesPage(t *testing.T) {
	page := rulesPage()
	if *update {
		if err := os.WriteFile("RULES.md", []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile("RULES.md")
	if err != nil || string(written) != page {
		t.Errorf("RULES.md is not what the table says: go test ./engine -run TestRulesPage -update (%v)", err)
	}
}

func rulesPage() string {
	var b strings.Builder
	b.WriteString(`# The rules of secure mode

Written by ` + "`go test ./engine -run TestRulesPage -update`" + ` from the table that a call is held against, and tested
cell by cell. *idle*: neither keys nor a verified audio route; *routed*: a route and no keys; *keyed*: keys and no verified
route, so silence flows both ways; *talking*: both. Voice flows in *talking* alone.

`)
	writeTable(&b, mode{}, []state{idle, routed, keyed, talking}, "In secure mode.")
	writeTable(&b, mode{insecure: true}, []state{routed, talking, inClear},
		"With `Config.AllowInsecure`. Nobody asks for the route, and a call may go on in the clear that never had keys.")
	b.WriteString("With `Config.AllowDisclosure` the disclosure flag and recording are told and tolerated; with `Config.RequireHelloHash`\na call that is not announced ends.\n")
	return b.String()
}

func writeTable(b *strings.Builder, m mode, columns []state, title string) {
	b.WriteString(title + "\n\n| |")
	for _, s := range columns {
		fmt.Fprintf(b, " %v |", s)
	}
	b.WriteString("\n| ---" + strings.Repeat(" | ---", len(columns)) + " |\n")
	verdicts := [numVerdicts]string{
		letVoice: ": voice flows", letClear: ": voice flows, with a warning", mute: ": silence", alarm: ": the user is told",
		decline: ": the change is refused",
	}
	for c := range numCauses {
		fmt.Fprintf(b, "| %v |", c)
		for _, s := range columns {
			next := m.on(s, c)
			fmt.Fprintf(b, " %v%s |", next.to, verdicts[next.do])
		}
		b.WriteString("\n")
	}
	b.WriteString("\n")
}
