package engine_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/engine"
	"sotto/engine/audit"
	"sotto/media/route"
)

// The trail of a call has its beginning, its route, its states and levels, the
// comparison and its end, in order and in a chain; and neither SAS nor key.
func TestAuditTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	h := newHardware(headset)
	a := newEngine(t, engine.Config{OpenAudio: h.open, AuditFile: path})
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	until[engine.RouteRefused](t, caller)
	h.set(builtin)
	secured := until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	if err := caller.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if trail, err := os.ReadFile(path); err != nil || !bytes.Contains(trail, []byte(`"compared"`)) {
		t.Errorf("the comparison is not on the disk: %v\n%s", err, trail)
	}
	h.set(headset)
	until[engine.RouteRefused](t, caller)
	if err := caller.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	until[engine.Ended](t, caller)
	trail, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := audit.Verify(bytes.NewReader(trail)); err != nil {
		t.Error(err)
	}
	_, told, _ := bytes.Cut(trail, []byte("\n")) // the first line says "allow", which is a word of SASs, too
	for _, part := range append(strings.Split(secured.SAS, ":"), secured.SAS) {
		if bytes.Contains(told, []byte(part)) {
			t.Errorf("the SAS is in\n%s", trail)
		}
	}
	var got []string
	for line := range bytes.Lines(trail) {
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Event+" "+r.Detail["to"]+r.Detail["equal"]+r.Detail["device"]+r.Detail["kind"])
	}
	routed := "state routed"
	if !slices.Contains(got, routed) { // the keys came before the route
		routed = "state talking"
	}
	at := -1
	for _, want := range []string{
		"begins ", "answered ", "route refused bluez_output.1", "alarm ", "route verified mic", "route verified speaker", routed, "route restored ", "secured ", "level encrypted, not verified",
		"compared yes", "level verified now", "alarm ", "state keyed", "route refused bluez_output.1", "compared no", "level attacked",
		"state over", "refused ", "ended not-secure",
	} {
		i := slices.Index(got[at+1:], want)
		if i < 0 {
			t.Fatalf("no %q behind line %d of\n%s", want, at+1, trail)
		}
		at += 1 + i
	}
}

// The trail says by which devices and on what evidence a route was verified, and
// which policy held. Neither can make it grow without bound.
func TestTrailOfVerification(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	hostile := strings.Repeat("\x01ä\n", 1<<16)
	h := newHardware(route.Report{Routes: slices.Repeat([]route.Route{
		{Class: route.BuiltinMic, Device: "mic", Capture: true, Evidence: []string{"driver=alsa", "bus=pci"}},
		{Class: route.BuiltinSpeaker, Device: hostile, Name: hostile, Evidence: slices.Repeat([]string{hostile}, 10)},
	}, 100)})
	policy := route.Policy{AllowTaps: []string{"easyeffects"}, Wired: []string{hostile}, RefuseTaps: true, EndAfter: time.Minute}
	caller, callee := connect(t, newEngine(t, engine.Config{OpenAudio: h.open, AuditFile: path, Routes: policy}), newEngine(t, engine.Config{}))
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	trail, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := audit.Verify(bytes.NewReader(trail)); err != nil || s.Unended != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	var routes []map[string]string
	for line := range bytes.Lines(trail) {
		if len(line) > 1<<14 {
			t.Errorf("a line of %d bytes", len(line))
		}
		var r audit.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		d := r.Detail
		switch r.Event {
		case audit.Begins:
			if d["refuse-taps"] != "true" || d["strict"] != "false" || d["allow-taps"] != `["easyeffects"]` || d["end-after"] != "1m0s" || d["secure mode"] != "true" {
				t.Errorf("the policy: %v", d)
			}
		case "route verified":
			routes = append(routes, d)
		}
	}
	if len(routes) != 9 || routes[8]["more"] != "192" {
		t.Fatalf("%d records of a verification", len(routes))
	}
	if d := routes[0]; d["class"] != route.BuiltinMic.String() || d["device"] != "mic" || d["capture"] != "true" || d["evidence"] != "[driver=alsa bus=pci]" {
		t.Error(d)
	}
}

// A trail that was changed is not gone on with.
func TestBrokenTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if e, err := engine.New(engine.Config{AuditFile: path}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("opened: %v", err)
		e.Close()
	}
}
