//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// decoded is one ZRTP message of a capture: the number of its frame, its type
// and its sequence number.
type decoded struct {
	Number   int
	Type     string
	Sequence uint16
}

// TestCaptureDecodes captures a call between sotto and linphonec. `sotto zrtp`
// finds nothing wrong in it, and the same messages as tshark.
func TestCaptureDecodes(t *testing.T) {
	requireTool(t, "tshark")
	requireTool(t, "tcpdump")
	lab := newLab(t, 26000)
	cfg := lab.sottoConfig(t)
	cfg.KeyAgreement, cfg.SAS, cfg.Duration = "X255", "B32", time.Second
	phone := startLinphone(t, lab.free, linphoneConfig{
		Name: "linphone", KeyAgreement: "X255", SAS: "B32", Play: lab.theirs.Path, Answer: true})

	file := filepath.Join(t.TempDir(), "call.pcap")
	// Not as another user (-Z), who could not write there.
	tcpdump := startProcess(t, "tcpdump", exec.Command("tcpdump", "-i", "lo", "-n", "-s", "0", "-B", "8192",
		"--immediate-mode", "-Z", "root", "-w", file, fmt.Sprintf("udp port %d", phone.rtp)))
	tcpdump.await(t, "listening on lo", patience)
	us := cfg.call(t, lab.sotto, phone.uri("linphone"))
	suite := us.sameSecure(t, phone, false).Suite
	us.awaitEnded(t, cfg.Duration+patience)
	tcpdump.cmd.Process.Signal(syscall.SIGINT)
	tcpdump.await(t, "0 packets dropped by kernel", patience)
	if code := tcpdump.exitCode(t, patience); code != 0 {
		t.Fatalf("tcpdump ended with code %d", code)
	}
	phone.quit(t)

	ours, outcome := sottoDecodes(t, lab.sotto, file)
	if theirs := tsharkDecodes(t, file); !slices.Equal(ours, theirs) || len(ours) < 9 {
		t.Errorf("sotto sees\n%v\ntshark\n%v", ours, theirs)
	}
	if !strings.Contains(outcome, `"outcome":"complete"`) || !strings.Contains(outcome, `"suite":"X255 S256 `) ||
		strings.Contains(outcome, "unchecked") {
		t.Errorf("of the call in %s: %s", suite, outcome)
	}
	t.Logf("%d messages: %v", len(ours), ours)
}

// sottoDecodes also returns the line about the one stream.
func sottoDecodes(t *testing.T, bin, file string) (all []decoded, stream string) {
	t.Helper()
	out, err := exec.Command(bin, "zrtp", "--json", file).Output()
	if err != nil {
		t.Fatalf("sotto zrtp: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		var m struct {
			Event string `json:"event"`
			decoded
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatal(err)
		}
		if m.Event == "message" {
			all = append(all, m.decoded)
			continue
		}
		if stream != "" {
			t.Errorf("a second line %s", line)
		}
		stream = line
	}
	return all, stream
}

func tsharkDecodes(t *testing.T, file string) (all []decoded) {
	t.Helper()
	// ZRTP is a guess of tshark's that it does not make by itself.
	out, err := exec.Command("tshark", "-r", file, "--enable-heuristic", "rtp_udp", "-Y", "zrtp.checksum.status == 1",
		"-T", "fields", "-e", "frame.number", "-e", "zrtp.type", "-e", "zrtp.sequence").Output()
	if err != nil {
		t.Fatalf("tshark: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		var m decoded
		if _, err := fmt.Sscan(line, &m.Number, &m.Type, &m.Sequence); err != nil {
			t.Fatalf("tshark's line %q: %v", line, err)
		}
		all = append(all, m)
	}
	return all
}
