package engine_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sotto/engine"
	"sotto/engine/audit"
)

// The trail of a call has its beginning, its route, its states and levels, the
// comparison and its end, in order and in a chain; and neither SAS nor key.
func TestAuditTrail(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trail")
	h := newHardware(headset)
	a := newEngine(t, engine.Config{OpenAudio: h.open, AuditFile: path})
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	w := h.watch(t)
	until[engine.RouteRefused](t, caller)
	w.Set(builtin)
	secured := until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	if err := caller.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if trail, err := os.ReadFile(path); err != nil || !bytes.Contains(trail, []byte(`"compared"`)) {
		t.Errorf("the comparison is not on the disk: %v\n%s", err, trail)
	}
	w.Set(headset)
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
	for _, part := range append(strings.Split(secured.SAS, ":"), secured.SAS) {
		if bytes.Contains(trail, []byte(part)) {
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
	at := -1
	for _, want := range []string{
		"begins ", "answered ", "route refused bluez_output.1", "alarm ", "route restored ", "secured ", "level encrypted, not verified",
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
