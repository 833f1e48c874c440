package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"sotto/media/audio"
)

// runDemoBinary runs the demo with --json and returns its report.
func runDemoBinary(t *testing.T, args ...string) (*process, report) {
	t.Helper()
	p := start(t, append([]string{"demo", "--json", "--dir", filepath.Join(t.TempDir(), "out")}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(p.line(t, "setup_ms")), &r); err != nil {
		t.Fatal(err)
	}
	return p, r
}

// Security holds however busy the machine is. How well the voice is heard
// depends on the time that five processes get.
func TestDemo(t *testing.T) {
	t.Parallel()
	p, r := runDemoBinary(t)
	code := p.exit(t)
	wantSecureDemo(t, r)
	wantMeasured(t, r)
	if inTime(r) && code != exitOK {
		t.Errorf("exit code %d", code)
	}
	if err := r.verdict(); (code == exitOK) != (err == nil) || code != exitOK && code != exitFailed {
		t.Errorf("exit code %d of %v", code, err)
	}
}

// inTime reports whether the machine let nearly every frame be sent and played
// when it was due.
func inTime(r report) bool {
	for _, phone := range r.Phones {
		if phone.Sent < 420 || phone.Heard.Late > 4 {
			return false
		}
	}
	return true
}

func wantSecureDemo(t *testing.T, r report) {
	t.Helper()
	if r.Phones[caller].SAS == "" || r.Phones[caller].SAS != r.Phones[callee].SAS {
		t.Errorf("%+v", r)
	}
	for _, phone := range r.Phones {
		if phone.Wire.SRTP < 100 || phone.Wire.Clear != 0 || phone.Wire.ZRTP == 0 {
			t.Errorf("%+v", phone)
		}
	}
	if r.Refusal.Class != "Bluetooth audio (A2DP)" || r.Refusal.ExitCode != exitNotSecure || r.Refusal.Voice != 0 || r.Refusal.ZRTP == 0 {
		t.Errorf("%+v", r.Refusal)
	}
}

func wantMeasured(t *testing.T, r report) {
	t.Helper()
	if r.SetUp <= 0 || r.Secure <= 0 {
		t.Errorf("%+v", r)
	}
	for _, phone := range r.Phones {
		if l := phone.Latency; l.Frames < 100 || l.P50 <= 0 || l.P99 < l.P50 || l.P999 < l.P99 || phone.Correlation <= 0 {
			t.Errorf("%+v", phone)
		}
		for _, path := range []string{phone.Said, phone.HeardFile} {
			if seconds := len(readWAV(t, path)) / audio.SampleRate; seconds < 1 {
				t.Errorf("%s: %d seconds", path, seconds)
			}
		}
	}
}

// Phones without secure mode fall for a wire that drops ZRTP, and the watcher
// sees every packet of it.
func TestDemoWithoutSecureMode(t *testing.T) {
	t.Parallel()
	p, r := runDemoBinary(t, "--no-secure-mode")
	if code := p.exit(t); code != exitNotSecure {
		t.Errorf("exit code %d", code)
	}
	for _, phone := range r.Phones {
		if phone.Wire.Clear < 100 || phone.Wire.SRTP+phone.Wire.SRTCP != 0 || phone.SAS != "" {
			t.Errorf("%+v", phone)
		}
	}
	message := p.stderr.String()
	if !strings.Contains(message, "unencrypted packets of the caller on the wire") {
		t.Errorf("standard error %q", message)
	}
}

// goodReport is one that nothing is wrong with.
func goodReport() *report {
	phone := phoneReport{SAS: "a:b", Suite: "s", Codec: "opus", Missed: 3, Correlation: 0.9, Wire: traffic{SRTP: 400}}
	return &report{
		Phones:  [2]phoneReport{phone, phone},
		Refusal: refusalReport{Class: "Bluetooth", ExitCode: exitNotSecure},
	}
}

func TestVerdict(t *testing.T) {
	if err := goodReport().verdict(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*report)
		code  int
		text  string
	}{
		"SAS":        {func(r *report) { r.Phones[callee].SAS = "a:c" }, exitNotSecure, "different SAS"},
		"no SAS":     {func(r *report) { r.Phones[caller].SAS, r.Phones[callee].SAS = "", "" }, exitNotSecure, "no keys"},
		"half a SAS": {func(r *report) { r.Phones[caller].SAS = "" }, exitNotSecure, "different SAS"},
		"suite":      {func(r *report) { r.Phones[callee].Suite = "t" }, exitNotSecure, "suite"},
		"clear":      {func(r *report) { r.Phones[callee].Wire.Clear = 1 }, exitNotSecure, "unencrypted packets of the callee"},
		"silence":    {func(r *report) { r.Phones[caller].Wire.SRTP = 0 }, exitFailed, "no encrypted voice of the caller"},
		"speech":     {func(r *report) { r.Phones[caller].Correlation = 0.5 }, exitFailed, "not recognisable"},
		"busy":       {func(r *report) { r.Phones[caller].Correlation = 0.5 }, exitFailed, "no time for 3 frames of the caller"},
		"loss":       {func(r *report) { r.Phones[caller].Heard.Lost = 2 }, exitFailed, "lost: 2"},
		"codec":      {func(r *report) { r.Phones[caller].Codec = "PCMU" }, exitFailed, "PCMU"},
		"exit":       {func(r *report) { r.Phones[callee].ExitCode = 2 }, exitFailed, "exit code 2"},
		"accepted":   {func(r *report) { r.Refusal.ExitCode = 0 }, exitNotSecure, "not refused"},
		"unclear":    {func(r *report) { r.Refusal.Class = "" }, exitNotSecure, "not refused"},
		"leak":       {func(r *report) { r.Refusal.Voice = 1 }, exitNotSecure, "with a Bluetooth route: 1"},
		"everything": {func(r *report) { *r = report{} }, exitNotSecure, "; "},
	} {
		t.Run(name, func(t *testing.T) {
			r := goodReport()
			c.spoil(r)
			err := r.verdict()
			f, ok := err.(*failure)
			if !ok || f.code != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestReportPrint(t *testing.T) {
	var b strings.Builder
	if err := goodReport().print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a:b", "similarity", "0.900", "clear packets seen", "Voice packets that left this phone: 0"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
