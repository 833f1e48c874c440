package devices

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"sotto/media/route"
)

// restored counts how often radios are powered up.
type restored struct {
	times int
	err   error
}

func (r *restored) Restore(context.Context) error {
	r.times++
	return r.err
}

// With the watch over the call ends the darkness, and who ends it hears if the
// radios stay down.
func TestDarkness(t *testing.T) {
	reporter := route.NewReporter(route.Report{})
	r := &restored{err: errors.New("the radio does not answer")}
	if err := (darkness{reporter, r}).Close(); !errors.Is(err, r.err) || r.times != 1 {
		t.Errorf("%v, %d times", err, r.times)
	}
	if _, err := reporter.Report(t.Context()); !errors.Is(err, route.ErrWatch) {
		t.Errorf("the watch goes on: %v", err)
	}
}

// Radios are left alone unless the policy says so; if it does and they cannot be
// reached, that is an error. What a crash has left is found where it was put.
func TestPowerDown(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(home, "none"))
	if r, err := powerDown(t.Context(), route.Policy{Strict: true}); r != nil || err != nil {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := powerDown(t.Context(), route.Policy{AdapterOff: true}); err == nil {
		t.Error("no bus, and no error")
	}
	if err := RecoverRadios(t.Context()); err != nil {
		t.Errorf("nothing to recover: %v", err)
	}
	file, err := radiosFile()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`["00:11"]`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := RecoverRadios(t.Context()); err == nil {
		t.Error("the radio stays down, and nobody hears of it")
	}
}
