//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// baresip is a running baresip with a directory of its own. Its process's
// transcript is what it prints and, each on a line, the events of its control
// port.
type baresip struct {
	*process
	sip  int
	dir  string
	ctrl net.Conn
}

// baresipCodec is one codec by the names of both: baresip's "G722/16000/1" is
// Sotto's "G722".
type baresipCodec struct{ theirs, ours string }

// startBaresip returns once baresip takes commands. It speaks one codec, answers
// by itself, and says what is in the WAV file play from the answer on.
func startBaresip(t *testing.T, free *ports, codec baresipCodec, play string) *baresip {
	t.Helper()
	requireTool(t, "baresip")
	b := &baresip{sip: free.pair(t), dir: t.TempDir()} // the odd port is its SIP over TLS
	ctrl, rtp := free.pair(t), free.pair(t)
	for name, content := range map[string]string{
		"config":   b.settings(play, ctrl, rtp),
		"accounts": fmt.Sprintf("<%s>;regint=0;answermode=auto;audio_codecs=%s\n", b.uri(), codec.theirs),
		"contacts": "",
	} {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b.process = startProcess(t, "baresip "+codec.ours, telephone("baresip", "-4", "-f", b.dir))
	b.await(t, "baresip is ready", patience)
	var err error
	if b.ctrl, err = net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", ctrl)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.ctrl.Close() })
	go collectNetstrings(b.ctrl, b.out)
	return b
}

func (b *baresip) settings(play string, ctrl, rtp int) string {
	return fmt.Sprintf(`poll_method epoll
sip_listen 127.0.0.1:%d
audio_source aufile,%s
audio_player aubridge,sink
audio_alert aubridge,alert
ausrc_srate 48000
auplay_srate 48000
ausrc_channels 1
auplay_channels 1
rtp_ports %d-%d
rtcp_mux no
jitter_buffer_delay 5-10
rtp_stats yes
net_interface 127.0.0.1
module_path %s
module opus.so
module g711.so
module g722.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
snd_path %s
`, b.sip, play, rtp, rtp+1, baresipModules, ctrl, b.dir)
}

// baresipModules is where Debian has them.
const baresipModules = "/usr/lib/baresip/modules"

// collectNetstrings reads the events of a control port.
func collectNetstrings(r io.Reader, out *transcript) {
	for in := bufio.NewReader(r); ; {
		length, err := in.ReadString(':')
		if err != nil {
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(length, ":"))
		if err != nil || n > 1<<20 {
			return
		}
		event := make([]byte, n+1) // and a comma
		if _, err := io.ReadFull(in, event); err != nil {
			return
		}
		out.change(func() { out.lines = append(out.lines, string(event[:n])) })
	}
}

// command sends a command of baresip's menu.
func (b *baresip) command(t *testing.T, name, params string) {
	t.Helper()
	text, err := json.Marshal(map[string]string{"command": name, "params": params})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(b.ctrl, "%d:%s,", len(text), text); err != nil {
		t.Fatalf("%s: %v", b.name, err)
	}
}

func (b *baresip) uri() string { return fmt.Sprintf("sip:bare@127.0.0.1:%d", b.sip) }

// digits are those of DTMF that baresip has received, in order.
func (b *baresip) digits() string {
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	var all strings.Builder
	for _, line := range b.out.lines {
		for _, part := range strings.SplitAfter(line, "(end=0)") { // several may share a line
			if _, event, ok := strings.Cut(part, "received event: '"); ok && strings.HasSuffix(part, "(end=0)") {
				all.WriteByte(event[0])
			}
		}
	}
	return all.String()
}

// heard is what baresip recorded of its one call.
func (b *baresip) heard(t *testing.T) recording {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "dump-*-dec.wav"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s recorded %q, %v", b.name, files, err)
	}
	wav, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return recording{b.name, pcmOf(t, wav)}
}

// allDigits are all of DTMF.
const allDigits = "0123456789*#ABCD"

// digitsTime is how long a side may take for all digits, before it says what
// it has to say.
const digitsTime = 4 * time.Second

// TestBaresip has sotto and baresip call each other in the clear, with each
// codec and each of them calling: both send all digits, then a tone and speech.
func TestBaresip(t *testing.T) {
	t.Parallel()
	lab := newLab(t, 28000)
	lab.ours.Lead = digitsTime
	lab.theirs.Lead = patienceForZRTP + digitsTime
	lab.ours.write(t)
	lab.theirs.write(t)
	for _, codec := range []baresipCodec{
		{"opus/48000/2", "opus"}, {"G722/16000/1", "G722"}, {"PCMU/8000/1", "PCMU"}, {"PCMA/8000/1", "PCMA"},
	} {
		for name, calls := range map[string]bool{"baresip calls ": true, "sotto calls ": false} {
			t.Run(name+codec.ours, func(t *testing.T) {
				t.Parallel()
				lab.testBaresip(t, codec, calls)
			})
		}
	}
}

// patienceForZRTP is how long sotto looks for a ZRTP phone before it talks in
// the clear.
const patienceForZRTP = 4 * time.Second

// testBaresip makes a call and checks what both have sent and heard. If sotto
// counts that the machine did not keep up with the call, it is made again. With
// calls, it is baresip who calls.
func (l lab) testBaresip(t *testing.T, codec baresipCodec, calls bool) {
	for tries := 3; ; tries-- {
		cfg := l.sottoConfig(t)
		cfg.Clear, cfg.Digits, cfg.Duration = true, allDigits, digitsTime+talk
		phone := startBaresip(t, l.free, codec, l.theirs.Path)
		us, ended := l.callBaresip(t, cfg, phone, calls)
		if s := ended.Stats; tries > 1 && !s.keptUp(cfg.Duration) {
			t.Logf("%+v", s)
			continue
		}
		if answered := us.event("answered"); answered.Codec != codec.ours {
			t.Errorf("sotto speaks %s", answered.Codec)
		}
		if got := us.digits(); got != allDigits {
			t.Errorf("sotto heard the digits %q", got)
		}
		if got := phone.digits(); got != allDigits {
			t.Errorf("baresip heard the digits %q", got)
		}
		if reported := phone.printed(`"type":"CALL_RTCP"`); !reported || ended.Stats.ReportsReceived == 0 {
			t.Errorf("RTCP: sotto received %d reports, baresip one: %t", ended.Stats.ReportsReceived, reported)
		}
		if ended.Stats.MOSLQ < 3.5 {
			t.Errorf("sotto rates the call with %v", ended.Stats.MOSLQ)
		}
		checkHeard(t, phone.heard(t), l.ours, l.theirs)
		checkHeard(t, cfg.heard(t), l.theirs, l.ours)
		return
	}
}

// callBaresip makes one call, which sotto hangs up.
func (l lab) callBaresip(t *testing.T, cfg sottoConfig, phone *baresip, calls bool) (us *sotto, ended sottoEvent) {
	if calls {
		us = cfg.listen(t, l.sotto)
		phone.command(t, "dial", cfg.uri())
	} else {
		us = cfg.call(t, l.sotto, phone.uri())
	}
	us.awaitEvent(t, "warning", patience) // that it is clear from now on
	phone.command(t, "sndcode", allDigits)
	ended = us.awaitEnded(t, cfg.Duration+patience)
	phone.await(t, "CALL_CLOSED", patience)
	return us, ended
}
