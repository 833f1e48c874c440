package main

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"sotto/media"
	"sotto/media/audio"
)

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	garbage := filepath.Join(dir, "garbage.wav")
	if err := os.WriteFile(garbage, []byte("this is no music"), 0o600); err != nil {
		t.Fatal(err)
	}
	const uri = "sip:bob@127.0.0.1"
	for _, c := range []struct{ args, text string }{
		{"nonsense", "unknown command"},
		{"call", "want one SIP address"},
		{"call a b", "want one SIP address"},
		{"call bob", "not a SIP address"},
		{"call sip:", "not a SIP address"},
		{"call --nonsense " + uri, "unknown flag: --nonsense"},
		{"call --ring-timeout 0s " + uri, "want more than 0"},
		{"call --tones DE --in silence " + uri, "there is no loudspeaker"},
		{"listen more", "unknown command"},
		{"listen --bind nowhere", "want host:port"},
		{"listen --bind 127.0.0.1:70000", "want a port"},
		{"listen --identity bob", "want a SIP address"},
		{"listen --identity sip:bob@test:99999", "not a SIP address"},
		{"listen --duration soon", "invalid duration"},
		{"listen --duration -1s", "want 0 or more"},
		{"listen --key-agreement X255,ROT13", "want some of X3M3,X1M1,K448"},
		{"listen --post-quantum --key-agreement X255,K448", "want some of X3M3,X1M1"},
		{"listen --sas B64", "want some of B256,B32,B32E"},
		{"listen --dtmf 12x", "no DTMF digit"},
		{"listen --bitrate 12345", `"--bitrate" flag: opus: bit rate 12345 is not a multiple of 800`},
		{"listen --bitrate 0", "from 8000 to 128000"},
		{"listen --fec -1", `"--fec" flag: want a whole number`},
		{"listen --fec 101", "not from 0 to 100"},
		{"listen --complexity 11", `"--complexity" flag: opus: complexity 11 is not from 0 to 10`},
		{"listen --packet-time 15ms", `"--packet-time" flag: opus: packets of 15ms are not of one of`},
		{"listen --packet-time 0s", "want more than 0"},
		{"listen --packet-time soon", "such as 20ms"},
		{"listen --simulate-route tin-can", "want one of"},
		{"listen --device no-such-device", "to go without, use --in and --out"},
		{"listen --device speaker --in silence", "want devices or files"},
		{"listen --voice shout", "want some of echo,noise,gain"},
		{"listen --voice echo --in silence", "there is no microphone"},
		{"listen --voice echo --device speaker", "built without speexdsp"},
		{"listen --policy no-such-file", "policy: open no-such-file"},
		{"listen --trace " + dir, "is a directory"},
		{"call --in " + dir + "/none.wav " + uri, "no such file"},
		{"call --in " + garbage + " " + uri, "not a WAV file"},
		{"call --in " + dir + " " + uri, "is a directory"},
		{"call --in tone:loud " + uri, "want a number"},
		{"call --out " + dir + "/none/heard.wav " + uri, "no such file"},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			wantFailure(t, start(t, strings.Fields(c.args)...), exitUsage, c.text)
		})
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	wantFailure(t, start(t, "listen", "--bind", taken.Addr().String()), exitFailed, "in use")
	conn := listenUDP(t)
	wantFailure(t, start(t, "call", "sip:a@127.0.0.1", "--bind", conn.LocalAddr().String()), exitFailed, "in use")
}

func TestStateUnusable(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "peers.db")
	if err := os.WriteFile(path, []byte("not a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, start(t, "listen", "--bind", "127.0.0.1:0", "--state", dir), exitFailed, path)
}

// failedCall calls uri, which ends without an answer.
func failedCall(t *testing.T, uri, kind, text string, code int) {
	t.Helper()
	p := start(t, "call", uri, "--json")
	ended := event[endedRecord](t, p, "ended")
	if ended.Kind != kind || ended.Level != "none" || ended.Stats.Sent != 0 || ended.Reason == "" {
		t.Errorf("%+v", ended)
	}
	if ended.Code != code {
		t.Errorf("SIP code %d, want %d", ended.Code, code)
	}
	wantFailure(t, p, exitFailed, text)
}

func TestUnknownHost(t *testing.T) {
	failedCall(t, "sip:bob@no-such-host.invalid", "unreachable", "host name", 0)
}

func TestNobodyListens(t *testing.T) {
	// A socket that is connected elsewhere takes nothing from others, and lets no
	// other program have its port meanwhile.
	held, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	uri := "sip:bob@" + held.LocalAddr().String()
	failedCall(t, uri, "unreachable", "nothing listens", 0)
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		status, kind, text string
		code               int
	}{
		{"404 Not Found", "not-found", "does not know the address", 404},
		{"408 Request Timeout", "no-answer", "nobody answered", 408},
		{"480 Temporarily Unavailable", "", "not available", 480},
		{"486 Busy Here", "busy", "busy", 486},
		{"488 Not Acceptable Here", "incompatible", "cannot accept", 488},
		{"500 Server Internal Error", "failed", "failed", 500},
		{"600 Busy Everywhere", "busy", "busy", 600},
		{"603 Decline", "declined", "declined", 603},
	} {
		t.Run(c.status, func(t *testing.T) {
			t.Parallel()
			p := start(t, "call", newRefuser(t, c.status).uri(), "--json")
			ended := event[endedRecord](t, p, "ended")
			if ended.Code != c.code || !ended.Remote || c.kind != "" && ended.Kind != c.kind {
				t.Errorf("%+v", ended)
			}
			wantFailure(t, p, exitFailed, c.text)
		})
	}
}

// A peer's words do not reach the terminal as more than words.
func TestHostileText(t *testing.T) {
	p := start(t, "call", newRefuser(t, "486 Busy\x1b]0;owned\x07\x1b[2J").uri())
	wantFailure(t, p, exitFailed, "busy")
	if all := p.stdout.String() + p.stderr.String(); strings.ContainsAny(all, "\x1b\x07") {
		t.Errorf("control characters in %q", all)
	}
}

func TestMalformedSDP(t *testing.T) {
	for name, description := range map[string]string{
		"no description": "this is no session description\r\n",
		"bad port":       strings.Replace(plainSDP(4000), "4000", "forty", 1),
		"no audio":       strings.Replace(plainSDP(4000), "m=audio 4000", "m=audio 0", 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newAnswerer(t, description)
			p := start(t, "call", s.uri(), "--json")
			if e := event[endedRecord](t, p, "ended"); e.Kind == "hung-up" {
				t.Errorf("%+v", e)
			}
			wantFailure(t, p, exitFailed, "")
			s.await(t, "BYE")
		})
	}
}

// A peer without ZRTP gets no voice, and the exit code says that the call was
// not secure.
func TestPeerWithoutZRTP(t *testing.T) {
	t.Parallel()
	conn := listenUDP(t)
	s := newAnswerer(t, plainSDP(portOf(conn)))
	p := start(t, "call", s.uri(), "--in", "tone:440", "--json")
	if refused := event[refusedRecord](t, p, "refused"); refused.Reason == "" || refused.Class != "" {
		t.Errorf("%+v", refused)
	}
	ended := event[endedRecord](t, p, "ended")
	if ended.Kind != "not-secure" || ended.Stats.Sent != 0 {
		t.Errorf("%+v", ended)
	}
	wantFailure(t, p, exitNotSecure, "")
	s.await(t, "BYE")
	counts := received(t, conn)
	if counts[media.KindRTP]+counts[media.KindRTCP]+counts[media.KindUnknown] != 0 {
		t.Errorf("a peer without ZRTP received %v", counts)
	}
}

// Without secure mode the same peer is talked to, which shows that the test
// above would see voice.
func TestPeerWithoutZRTPInTheClear(t *testing.T) {
	conn := listenUDP(t)
	s := newAnswerer(t, plainSDP(portOf(conn)))
	p := start(t, "call", s.uri(), "--in", "tone:440", "--no-secure-mode", "--duration", "200ms")
	wantSuccess(t, p)
	if counts := received(t, conn); counts[media.KindRTP] == 0 {
		t.Errorf("received only %v", counts)
	}
}

func TestSignalWhileRinging(t *testing.T) {
	s := newRinger(t, true)
	p := start(t, "call", s.uri(), "--json")
	p.line(t, `"ringing"`)
	p.signal(t, syscall.SIGTERM)
	s.await(t, "CANCEL")
	if e := event[endedRecord](t, p, "ended"); e.Kind != "canceled" {
		t.Errorf("%+v", e)
	}
	wantFailure(t, p, exitInterrupted, "gave up")
}

// Nobody takes the call: one peer rings for ever, one says nothing at all.
func TestNoAnswer(t *testing.T) {
	silent := newStub(t, func(*stub, sipMessage) []string { return nil })
	for name, s := range map[string]*stub{"ringing": newRinger(t, true), "silence": silent} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "call", s.uri(), "--ring-timeout", "100ms", "--json")
			if e := event[endedRecord](t, p, "ended"); e.Kind != "no-answer" {
				t.Errorf("%+v", e)
			}
			wantFailure(t, p, exitFailed, "nobody answered")
		})
	}
}

// A call that nobody takes leaves the recording of an earlier one as it is.
func TestNoAnswerEmptiesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "heard.wav")
	if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, "call", newRinger(t, true).uri(), "--in", "silence", "--out", path, "--ring-timeout", "1s", "--json")
	p.line(t, `"ringing"`)
	wantFailure(t, p, exitFailed, "nobody answered")
	if kept, err := os.ReadFile(path); err != nil || string(kept) != "earlier" {
		t.Errorf("%q is left, %v", kept, err)
	}
}

// What is to be said is not recorded over, be it by a later call or another name.
func TestSaidIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "said-2.wav")
	said := make([]int16, audio.FrameSamples)
	if err := writeWAV(path, said); err != nil {
		t.Fatal(err)
	}
	linked := strings.Replace(path, "said", "linked", 1)
	if err := os.Link(path, linked); err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{path, linked} {
		wantFailure(t, start(t, "call", "sip:bob@127.0.0.1", "--in", path, "--out", out), exitUsage, "the same file")
	}
	o := &options{in: path, out: strings.Replace(path, "-2", "", 1)}
	for call, same := range []bool{false, true} {
		a, err := o.openFiles(t.Context())
		if got := err != nil && strings.Contains(err.Error(), "the same file"); got != same {
			t.Errorf("call %d: %v", call+1, err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}
	if got := readWAV(t, path); !slices.Equal(got, said) {
		t.Errorf("%d samples are left", len(got))
	}
}

// The first signal hangs up, which this peer does not react to; the second one
// does not wait for it.
func TestSecondSignalKills(t *testing.T) {
	s := newRinger(t, false)
	p := start(t, "call", s.uri(), "--json")
	p.line(t, `"ringing"`)
	p.signal(t, syscall.SIGINT)
	s.await(t, "CANCEL")
	p.signal(t, syscall.SIGINT)
	p.exit(t)
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("ended with %v", p.cmd.ProcessState)
	}
}
