//go:build interop

package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sotto is a running `sotto call` or `sotto listen`.
type sotto struct{ *process }

// sottoEvent is one line of --json output; which fields are set depends on
// Event.
type sottoEvent struct {
	Event    string `json:"event"`
	SAS      string `json:"sas"`
	SASType  string `json:"sas_type"`
	Suite    string `json:"suite"`
	PeerZID  string `json:"peer_zid"`
	Verified bool   `json:"verified"`
	Level    string `json:"level"`
	// Initiator: sotto's Commit counted.
	Initiator bool       `json:"initiator"`
	Text      string     `json:"text"`
	Codec     string     `json:"codec"`
	Digit     string     `json:"digit"`
	Stats     sottoStats `json:"stats"`
	line      string
}

// sottoStats is what a call has counted.
type sottoStats struct {
	Sent, Received, Lost, Late, Concealed int

	ReportsReceived int     `json:"reports_received"`
	TargetDelayMS   float64 `json:"target_delay_ms"`
	MOSLQ           float64 `json:"mos_lq"`
}

// keptUp says whether the machine was fast enough for a call of that length. Where
// packets need no time, a delay of more than three says that the peer stood still.
func (s sottoStats) keptUp(length time.Duration) bool {
	packets := int(length / (20 * time.Millisecond))
	return s.Sent > packets*9/10 && s.Received > packets*9/10 && s.Lost+s.Late+s.Concealed < packets/10 && s.TargetDelayMS <= 60
}

// buildSotto builds the command as a user does and returns its path.
func buildSotto(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "sotto")
	build := exec.Command("go", "build", "-tags", "nolibopusfile", "-buildvcs=false", "-o", bin, "sotto/cmd/sotto")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build sotto/cmd/sotto: %v\n%s", err, out)
	}
	return bin
}

func startSotto(t *testing.T, bin string, args ...string) *sotto {
	t.Helper()
	return &sotto{startProcess(t, "sotto "+args[0], telephone(bin, append(args, "--json")...))}
}

// awaitEvent returns the next event called name. Output that is neither an
// event nor for people (standard error) is accepted and skipped.
func (s *sotto) awaitEvent(t *testing.T, name string, limit time.Duration) sottoEvent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var e sottoEvent
	_, err := s.out.await(ctx, func(line string) bool {
		e = sottoEvent{line: line}
		return json.Unmarshal([]byte(line), &e) == nil && e.Event == name
	})
	if err != nil {
		t.Fatalf("%s: waiting for event %q: %v", s.name, name, err)
	}
	return e
}

// events are all events so far, in order.
func (s *sotto) events() []sottoEvent {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	var all []sottoEvent
	for _, line := range s.out.lines {
		e := sottoEvent{line: line}
		if json.Unmarshal([]byte(line), &e) == nil && e.Event != "" {
			all = append(all, e)
		}
	}
	return all
}

// event is the first event so far that is called name.
func (s *sotto) event(name string) sottoEvent {
	for _, e := range s.events() {
		if e.Event == name {
			return e
		}
	}
	return sottoEvent{}
}

// digits are those of DTMF that sotto has heard, in order.
func (s *sotto) digits() string {
	var all strings.Builder
	for _, e := range s.events() {
		all.WriteString(e.Digit)
	}
	return all.String()
}

// sottoConfig becomes the flags of `sotto call` and `sotto listen`.
type sottoConfig struct {
	Port              int
	KeyAgreement, SAS string
	In, Out           string
	State             string        // directory
	Duration          time.Duration // of the call, after which sotto hangs up
	Verify            bool
	Clear             bool   // with a phone without ZRTP
	Digits            string // DTMF to send when the voice begins
}

func (c sottoConfig) uri() string { return fmt.Sprintf("sip:sotto@127.0.0.1:%d", c.Port) }

func (c sottoConfig) flags() []string {
	flags := []string{
		"--bind", fmt.Sprintf("127.0.0.1:%d", c.Port), "--identity", c.uri(),
		"--in", c.In, "--out", c.Out, "--state", c.State, "--duration", c.Duration.String(),
	}
	if c.KeyAgreement != "" {
		flags = append(flags, "--key-agreement", c.KeyAgreement, "--sas", c.SAS)
	}
	if c.Verify {
		flags = append(flags, "--verify")
	}
	if c.Clear {
		flags = append(flags, "--no-secure-mode")
	}
	if c.Digits != "" {
		flags = append(flags, "--dtmf", c.Digits)
	}
	return flags
}

// listen returns once sotto takes calls.
func (c sottoConfig) listen(t *testing.T, bin string) *sotto {
	t.Helper()
	s := startSotto(t, bin, append([]string{"listen", "--once"}, c.flags()...)...)
	s.awaitEvent(t, "listening", patience)
	return s
}

func (c sottoConfig) call(t *testing.T, bin, uri string) *sotto {
	t.Helper()
	return startSotto(t, bin, append([]string{"call", uri}, c.flags()...)...)
}

// awaitEnded waits for the event "ended" and a good exit.
func (s *sotto) awaitEnded(t *testing.T, limit time.Duration) sottoEvent {
	t.Helper()
	ended := s.awaitEvent(t, "ended", limit)
	if code := s.exitCode(t, patience); code != 0 {
		t.Errorf("%s ended with code %d", s.name, code)
	}
	return ended
}

// heard is what sotto recorded of the last call.
func (c sottoConfig) heard(t *testing.T) recording {
	t.Helper()
	b, err := os.ReadFile(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return recording{"sotto", pcmOf(t, b)}
}
