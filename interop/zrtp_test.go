//go:build interop

package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sotto/zrtp/wire"
)

// decoded is one ZRTP message of a capture: the number of its frame, its type
// and its sequence number.
type decoded struct {
	Number   int
	Type     string
	Sequence uint16
}

// TestCaptureDecodes captures a call between sotto and linphonec in each
// direction. `sotto zrtp` finds nothing wrong in it, names every message, and
// sees the same as tshark and as the bytes say. Of a damaged capture it says
// where the damage is, and exits with 1.
func TestCaptureDecodes(t *testing.T) {
	requireTool(t, "tshark")
	requireTool(t, "tcpdump")
	lab := newLab(t, 26000)
	for _, caller := range []string{"sotto", "linphonec"} {
		t.Run(caller+" calls", func(t *testing.T) {
			t.Parallel()
			file, suite := lab.captureCall(t, caller == "sotto")
			ours := sottoDecodes(t, lab.sotto, file, 0)
			ours.checkComplete(t, suite)
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var types []string
			for _, d := range readPcap(bytes.NewReader(content)) {
				if typ := d.zrtpType(); typ != "" {
					types = append(types, strings.TrimSpace(typ))
				}
			}
			theirs := tsharkDecodes(t, file)
			if !slices.Equal(ours.headers(), theirs) || !slices.Equal(typesOf(theirs), types) {
				t.Errorf("sotto sees\n%v\ntshark\n%v\nand the packets are\n%v", ours.headers(), theirs, types)
			}
			for _, d := range damages {
				t.Run(d.Name, func(t *testing.T) { d.check(t, lab.sotto, content) })
			}
		})
	}
}

// captureCall is a short call in a capture file of its media, and its suite.
func (l lab) captureCall(t *testing.T, weCall bool) (file, suite string) {
	t.Helper()
	cfg := l.sottoConfig(t)
	cfg.KeyAgreement, cfg.SAS, cfg.Duration = "X255", "B32", time.Second
	phone := startLinphone(t, l.free, linphoneConfig{
		Name: "linphone", KeyAgreement: "X255", SAS: "B32", Play: l.theirs.Path, Answer: weCall})
	file = filepath.Join(t.TempDir(), "call.pcap")
	// Not as another user (-Z), who could not write there.
	tcpdump := startProcess(t, "tcpdump", exec.Command("tcpdump", "-i", "lo", "-n", "-s", "0", "-B", "8192",
		"--immediate-mode", "-Z", "root", "-w", file, fmt.Sprintf("udp port %d", phone.rtp)))
	tcpdump.await(t, "listening on lo", patience)
	us := l.dial(t, cfg, phone)
	suite = us.sameSecure(t, phone, false).Suite
	us.awaitEnded(t, cfg.Duration+patience)
	tcpdump.cmd.Process.Signal(syscall.SIGINT)
	tcpdump.await(t, "0 packets dropped by kernel", patience)
	if code := tcpdump.exitCode(t, patience); code != 0 {
		t.Fatalf("tcpdump ended with code %d", code)
	}
	phone.quit(t)
	return file, suite
}

// decoding is what `sotto zrtp --json` prints about a file.
type decoding struct {
	messages []sottoMessage
	streams  []sottoStream
}

type sottoMessage struct {
	decoded
	Side   string
	Passed []string
	Faults []string
}

type sottoStream struct {
	Outcome   string
	Suite     string
	Messages  int
	Faulty    int
	Unchecked []string
}

// sottoDecodes fails the test unless `sotto zrtp` exits with code.
func sottoDecodes(t *testing.T, bin, file string, code int) (d decoding) {
	t.Helper()
	cmd := exec.Command(bin, "zrtp", "--json", file)
	out, err := cmd.Output()
	if cmd.ProcessState.ExitCode() != code {
		t.Fatalf("sotto zrtp: %v, not exit code %d\n%s", err, code, out)
	}
	for line := range strings.Lines(string(out)) {
		var event struct{ Event string }
		var message sottoMessage
		var stream sottoStream
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatal(err)
		}
		switch event.Event {
		case "message":
			err = json.Unmarshal([]byte(line), &message)
			d.messages = append(d.messages, message)
		case "stream":
			err = json.Unmarshal([]byte(line), &stream)
			d.streams = append(d.streams, stream)
		default:
			t.Errorf("sotto zrtp prints %s", line)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// checkComplete fails the test unless this is a whole handshake in which every
// check passes that a bystander can make: the hash chain and the MACs (RFC 6189
// §9) and the hvi (RFC 6189 §4.4.1.1).
func (d decoding) checkComplete(t *testing.T, suite string) {
	t.Helper()
	sent, passed := map[string]int{}, map[string]string{}
	for _, m := range d.messages {
		sent[m.Side+" "+m.Type]++
		passed[m.Type] += strings.Join(m.Passed, "; ") + "; "
		if len(m.Faults) > 0 {
			t.Errorf("message %+v", m)
		}
	}
	for _, want := range []string{"A Hello", "B Hello", "A Commit|B Commit", "A DHPart1|B DHPart1", "A DHPart2|B DHPart2",
		"A Confirm1|B Confirm1", "A Confirm2|B Confirm2", "A Conf2ACK|B Conf2ACK"} {
		if !slices.ContainsFunc(strings.Split(want, "|"), func(one string) bool { return sent[one] > 0 }) {
			t.Errorf("no %s in %v", want, sent)
		}
	}
	for typ, checks := range map[string][]string{
		"Commit":  {"H2 fits H3", "MAC of"},
		"DHPart1": {"H1 fits H"},
		"DHPart2": {"H1 fits H2", "MAC of", "hvi of"},
	} {
		for _, check := range checks {
			if !strings.Contains(passed[typ], check) {
				t.Errorf("%s passes %q, which lacks %q", typ, passed[typ], check)
			}
		}
	}
	if len(d.streams) != 1 {
		t.Fatalf("streams %+v", d.streams)
	}
	s := d.streams[0]
	if s.Outcome != "complete" || s.Suite != strings.ReplaceAll(suite, "/", " ") || s.Messages != len(d.messages) ||
		s.Faulty != 0 || len(s.Unchecked) > 0 {
		t.Errorf("of a call in %s: %+v", suite, s)
	}
	t.Logf("messages by side and type: %v", sent)
}

func (d decoding) headers() (all []decoded) {
	for _, m := range d.messages {
		all = append(all, m.decoded)
	}
	return all
}

func typesOf(messages []decoded) (all []string) {
	for _, m := range messages {
		all = append(all, m.Type)
	}
	return all
}

// damage is something that has happened to one message of a capture.
type damage struct {
	Name    string
	Message string // type of the first one that it is done to, of those from the sender of On
	At      int    // offset in the message, of a byte that is changed
	Seal    bool   // the CRC is put right afterwards, as an attacker would
	Fault   string // what is said about it
	On      string // and about which message
}

var damages = []damage{
	{Name: "bit error", Message: "Confirm1", At: 40, Fault: "CRC", On: "Confirm1"},
	{Name: "other hvi", Message: "Commit", At: 84, Seal: true, Fault: "hvi", On: "DHPart2"},
	{Name: "other offer", Message: "Hello", At: 80, Seal: true, Fault: "MAC", On: "Commit"},
	{Name: "other public value", Message: "DHPart2", At: 80, Seal: true, Fault: "hvi", On: "DHPart2"},
}

// check does the damage to every copy of the message in a capture, as if it had
// been sent so, and has `sotto zrtp` find it.
func (d damage) check(t *testing.T, bin string, content []byte) {
	content = bytes.Clone(content)
	packets := readPcap(bytes.NewReader(content))
	is := func(name string) func(datagram) bool {
		return func(p datagram) bool { return strings.TrimSpace(p.zrtpType()) == name }
	}
	on := slices.IndexFunc(packets, is(d.On))
	if on < 0 {
		t.Fatalf("there is no %s", d.On)
	}
	var whole []byte // the message as it was, without the packet around it
	for _, packet := range packets {
		if !is(d.Message)(packet) || packet.From != packets[on].From {
			continue
		}
		message := packet.Payload[12 : len(packet.Payload)-4]
		if whole == nil {
			whole = bytes.Clone(message)
		}
		if !bytes.Equal(message, whole) {
			continue // another try
		}
		at := bytes.Index(content, packet.Payload)
		changed := content[at : at+len(packet.Payload)]
		changed[12+d.At] ^= 1
		if d.Seal {
			p := wire.Packet{Seq: binary.BigEndian.Uint16(changed[2:]), SSRC: binary.BigEndian.Uint32(changed[8:]),
				Message: bytes.Clone(changed[12 : len(changed)-4])}
			if got := wire.AppendPacket(nil, p); len(got) == len(changed) {
				copy(changed, got)
			} else {
				t.Fatalf("sealed to %d bytes", len(got))
			}
		}
	}
	if whole == nil {
		t.Fatalf("there is no %s", d.Message)
	}
	file := filepath.Join(t.TempDir(), "damaged.pcap")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	found := sottoDecodes(t, bin, file, 1)
	if !slices.ContainsFunc(found.messages, func(m sottoMessage) bool {
		return m.Type == d.On && strings.Contains(strings.Join(m.Faults, "; "), d.Fault)
	}) {
		t.Errorf("no %s with a fault about its %s in %+v", d.On, d.Fault, found)
	}
}

func tsharkDecodes(t *testing.T, file string) (all []decoded) {
	t.Helper()
	// ZRTP is a guess of tshark's that it does not make by itself, nor of a port that it
	// knows otherwise, as sotto's may be.
	out, err := exec.Command("tshark", "-r", file, "--enable-heuristic", "rtp_udp", "-o", "udp.try_heuristic_first:TRUE", "-Y", "zrtp.checksum.status == 1",
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
