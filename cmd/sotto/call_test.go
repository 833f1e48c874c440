package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sotto/engine"
	"sotto/media/audio"
)

// startListening starts a phone that answers, and gives its SIP address.
func startListening(t *testing.T, args ...string) (p *process, uri string) {
	t.Helper()
	p = start(t, append([]string{"listen", "--bind", "127.0.0.1:0", "--json"}, args...)...)
	return p, "sip:bob@" + event[placeRecord](t, p, "listening").Address
}

// readWAV reads a recording.
func readWAV(t *testing.T, path string) []int16 {
	t.Helper()
	source, err := audio.OpenWAV(path)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	pcm, err := audio.ReadAll(source)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// wantTone looks for a tone in a recording. One moment will do: on a busy machine
// frames come late. Another tone, or speech, has a share of 0.2 at most.
func wantTone(t *testing.T, path string, hz float64) {
	t.Helper()
	pcm := readWAV(t, path)
	best := 0.0
	const moment = 5 * audio.FrameSamples
	for ; len(pcm) >= moment; pcm = pcm[audio.FrameSamples:] {
		best = max(best, audio.ToneLevel(pcm[:moment], hz))
	}
	if best < 0.6 {
		t.Errorf("%s: no tone of %v Hz, at best %.2f", path, hz, best)
	}
}

// Two real binaries: the same SAS on both sides; what was verified on both
// sides stays verified in the second call.
func TestTwoCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	listener, uri := startListening(t, "--identity", "sip:bob@localhost", "--in", "tone:600",
		"--out", file("bob.wav"), "--state", file("bob"), "--verify", "--sas", "B32,B256")
	for _, n := range []int{1, 2} {
		caller := start(t, "call", uri, "--identity", "sip:alice@localhost", "--in", "tone:440",
			"--out", file("alice.wav"), "--state", file("alice"), "--verify", "--duration", "1s", "--json",
			"--key-agreement", "DH3k,X255", "--sas", "B32", "--dtmf", "5")
		if c := event[placeRecord](t, caller, "calling"); c.URI != uri || c.Address == "" {
			t.Errorf("%+v", c)
		}
		if in := event[peerRecord](t, listener, "incoming"); in.Peer != "sip:alice@localhost" {
			t.Errorf("%+v", in)
		}
		if a := event[peerRecord](t, caller, "answered"); a.Codec != "opus" {
			t.Errorf("%+v", a)
		}
		ours, theirs := event[securedRecord](t, caller, "secured"), event[securedRecord](t, listener, "secured")
		if ours.SAS == "" || ours.SAS != theirs.SAS || ours.Suite != theirs.Suite || ours.SASType != "B32" || len(ours.PeerZID) != 24 {
			t.Errorf("%+v and %+v", ours, theirs)
		}
		if ours.Initiator == theirs.Initiator {
			t.Error("both sides have the same role")
		}
		if level := []string{"encrypted", "verified"}[n-1]; ours.Verified != (n == 2) || theirs.Verified != (n == 2) ||
			ours.Level != level || theirs.Level != level {
			t.Errorf("call %d: %+v and %+v", n, ours, theirs)
		}
		if d := event[digitRecord](t, listener, "digit"); d.Digit != "5" {
			t.Errorf("%+v", d)
		}
		for i, p := range []*process{caller, listener} {
			e := event[endedRecord](t, p, "ended")
			if e.Kind != "hung-up" || e.Remote != (i == 1) || e.Level != "verified-now" || e.Stats.Sent == 0 || e.Stats.Received == 0 || e.Stats.Lost != 0 {
				t.Errorf("%+v", e)
			}
		}
		wantSuccess(t, caller)
	}
	listener.signal(t, syscall.SIGTERM)
	wantSuccess(t, listener)
	wantTone(t, file("alice.wav"), 600)
	wantTone(t, file("bob.wav"), 440)
	wantTone(t, file("bob-2.wav"), 440)
}

// SIGINT in a call hangs up, and the other side sees that.
func TestSignalHangsUp(t *testing.T) {
	t.Parallel()
	listener, uri := startListening(t, "--once")
	caller := start(t, "call", uri, "--json")
	event[securedRecord](t, caller, "secured")
	event[securedRecord](t, listener, "secured")
	caller.signal(t, syscall.SIGINT)
	if e := event[endedRecord](t, listener, "ended"); e.Kind != "hung-up" || !e.Remote {
		t.Errorf("%+v", e)
	}
	wantSuccess(t, caller)
	wantSuccess(t, listener)
}

// Whoever reads what is printed may go away: the call goes on, and is hung up in time.
func TestReaderGoesAway(t *testing.T) {
	t.Parallel()
	listener, uri := startListening(t, "--once")
	reader, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	caller := exec.CommandContext(t.Context(), sottoPath, "call", uri, "--in", "silence", "--json", "--duration", "500ms")
	caller.Stdout = stdout
	if err := caller.Run(); err != nil {
		t.Errorf("the caller: %v", err)
	}
	if e := event[endedRecord](t, listener, "ended"); e.Kind != "hung-up" || !e.Remote || e.Level != "encrypted" {
		t.Errorf("%+v", e)
	}
}

// The voice begins with the keys, or when there will be none, and not with whatever
// there is to warn of before.
func TestWhenTheVoiceBegins(t *testing.T) {
	for event, want := range map[engine.Event]bool{
		engine.Secured{}:          true,
		engine.Warning{Text: "w"}: false,
		engine.Answered{}:         false,
	} {
		if talks(event) != want {
			t.Errorf("%T: %v", event, !want)
		}
	}
	for level := engine.LevelAttacked; level <= engine.LevelCompared; level++ {
		if talks(engine.Security{Level: level}) != (level == engine.LevelClear) {
			t.Errorf("level %v", level)
		}
	}
}

// An interrupted listener without a call ends normally.
func TestSignalWhileListening(t *testing.T) {
	t.Parallel()
	listener, _ := startListening(t, "--once")
	listener.signal(t, syscall.SIGINT)
	wantSuccess(t, listener)
}

// What a person sees and types: the SAS in a frame, y, DTMF, hold, resume and q.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	listener, uri := startListening(t, "--once", "--sas", "B256")
	caller := start(t, "call", uri)
	caller.line(t, "Calling sip:bob@")
	caller.line(t, "Answered")
	caller.line(t, "Encrypted: ")
	caller.line(t, "+----")
	secured := event[securedRecord](t, listener, "secured")
	for word := range strings.SplitSeq(secured.SAS, ":") {
		caller.line(t, "|    "+strings.Join(strings.Split(word, ""), " "))
	}
	caller.line(t, "Nobody has compared the SAS yet")
	caller.line(t, "Type y and Enter")
	type exchange struct{ typed, heard string }
	talk := func(exchanges []exchange) {
		for _, e := range exchanges {
			caller.enter(t, e.typed)
			caller.line(t, e.heard)
		}
	}
	talk([]exchange{
		{"?", "unknown key"},
		{"name", "such as name Bob"},
		{"y", "Security: verified now"},
		{"", "such as name Bob"},
		{"name Bob", "Name: Bob"},
		{"d", "such as d 12#"},
		{"d x", "Warning: 'X' is no DTMF digit"},
	})
	caller.enter(t, "d 1a#")
	for _, want := range []string{"1", "A", "#"} {
		if e := event[digitRecord](t, listener, "digit"); e.Digit != want {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	talk([]exchange{{"h", "On hold, by you"}, {"r", "Off hold, by you"}, {"q", "Ended: "}})
	if e := event[heldRecord](t, listener, "held"); !e.Remote {
		t.Errorf("%+v", e)
	}
	if e := event[sideRecord](t, listener, "resumed"); !e.Remote {
		t.Errorf("%+v", e)
	}
	wantSuccess(t, caller)
	wantSuccess(t, listener)
}

// While the other side does not answer that it is put on hold, all other keys work at
// once.
func TestKeyboardDuringHold(t *testing.T) {
	t.Parallel()
	invited, port := false, portOf(listenUDP(t))
	s := newStub(t, func(s *stub, m sipMessage) []string {
		if strings.HasPrefix(m.start, "INVITE ") {
			if invited {
				return nil // nor ever
			}
			invited = true
			return []string{s.respond(m, "200 OK", plainSDP(port))}
		}
		return []string{s.respond(m, "200 OK", "")}
	})
	caller := start(t, "call", s.uri(), "--no-secure-mode")
	s.await(t, "INVITE")
	caller.line(t, "Answered")
	for range maxChanges + 2 {
		caller.enter(t, "h")
	}
	s.await(t, "INVITE")
	caller.line(t, "The other side has not answered yet")
	caller.enter(t, "name")
	caller.line(t, "such as name Bob")
	caller.enter(t, "q")
	s.await(t, "BYE")
	caller.line(t, "Ended: we hung up")
	wantSuccess(t, caller)
	if said := caller.stdout.String(); strings.Contains(said, "has ended") {
		t.Errorf("the end is told twice:\n%s", said)
	}
}

// What is typed before a call says nothing about it.
func TestKeyboardWithoutCall(t *testing.T) {
	t.Parallel()
	listener := start(t, "listen", "--bind", "127.0.0.1:0")
	listener.line(t, "Listening")
	listener.enter(t, "y")
	listener.line(t, "There is no call")
	listener.signal(t, syscall.SIGINT)
	wantSuccess(t, listener)
}

// A SAS that differs is the end of the call, and of the exit code 0.
func TestKeyboardMismatch(t *testing.T) {
	t.Parallel()
	_, uri := startListening(t, "--once")
	caller := start(t, "call", uri)
	caller.line(t, "Type y and Enter")
	caller.enter(t, "n")
	wantFailure(t, caller, exitNotSecure, "")
}

// The side that is called refuses its audio route, too.
func TestRouteRefusedWhenCalled(t *testing.T) {
	t.Parallel()
	listener, uri := startListening(t, "--once", "--simulate-route", "hdmi")
	caller := start(t, "call", uri, "--json")
	refused := event[refusedRecord](t, listener, "refused")
	if refused.Class != "HDMI or DisplayPort" || refused.Device != "simulated" || len(refused.Evidence) == 0 {
		t.Errorf("%+v", refused)
	}
	if e := event[endedRecord](t, listener, "ended"); e.Kind != "route-refused" || e.Stats.Sent != 0 {
		t.Errorf("%+v", e)
	}
	wantFailure(t, listener, exitNotSecure, "HDMI")
	if e := event[endedRecord](t, caller, "ended"); e.Stats.Received != 0 {
		t.Errorf("%+v", e)
	}
}

// The trail of a call is unbroken, and one that was changed is not.
func TestAudit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "trail")
	listener, uri := startListening(t, "--once", "--simulate-route", "hdmi", "--audit", path)
	if code := start(t, "call", uri).exit(t); code == exitOK {
		t.Error("the call was secure")
	}
	if code := listener.exit(t); code != exitNotSecure {
		t.Errorf("exit code %d", code)
	}
	checked := func() string {
		p := start(t, "audit", path)
		if code := p.exit(t); code != exitOK {
			t.Errorf("exit code %d", code)
		}
		return p.stdout.String()
	}
	if said := checked(); strings.Contains(said, "do not end") || !strings.Contains(said, "unbroken") {
		t.Error(said)
	}
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte("HDMI")) {
		t.Fatalf("%v\n%s", err, b)
	}
	for text, want := range map[string]string{
		"": "The trail is empty", string(b[:bytes.IndexByte(b, '\n')+1]): "do not end: 1.",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if said := checked(); !strings.Contains(said, want) {
			t.Errorf("%q, want %q", said, want)
		}
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte("HDMI"), []byte("BUDS"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, start(t, "audit", path), exitUsage, "the chain is broken: line")
	wantFailure(t, start(t, "audit", path+".none"), exitFailed, "no such file")
}

// A call that can't be answered ends as any other, for whoever reads the lines: one
// that its caller has given up while another call went on, and one without a codec
// that we know.
func TestNotAnswered(t *testing.T) {
	t.Parallel()
	listener, uri := startListening(t)
	first := start(t, "call", uri, "--json")
	event[securedRecord](t, listener, "secured")
	wantFailure(t, start(t, "call", uri, "--ring-timeout", "1s"), exitFailed, "nobody answered")
	s := newStub(t, func(*stub, sipMessage) []string { return nil })
	s.invite(t, uri, strings.Replace(plainSDP(4000), "AVP 0", "AVP 3", 1))
	first.enter(t, "q")
	if e := event[endedRecord](t, listener, "ended"); e.Kind != "hung-up" {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"canceled", "incompatible"} {
		event[peerRecord](t, listener, "incoming")
		if e := event[endedRecord](t, listener, "ended"); e.Kind != want || e.Reason == "" {
			t.Errorf("%+v, want %s", e, want)
		}
	}
	listener.signal(t, syscall.SIGTERM)
	if code := listener.exit(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
