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
	if err := (darkness{reporter, r.Restore}).Close(); !errors.Is(err, r.err) || r.times != 1 {
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
	if restore, err := powerDown(t.Context(), route.Policy{Strict: true}); restore != nil || err != nil {
		t.Errorf("it is to be undone: %v, %v", restore != nil, err)
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

// known is a watch that knows two devices.
type known struct {
	route.Watch
	devices []route.Route
}

func (k known) Devices(context.Context) ([]route.Route, error) { return k.devices, nil }

// Where the devices are refused nobody touches the radios: here, who does has an
// error.
func TestRefusedBeforePowerDown(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(home, "none"))
	c := Choice{Policy: route.Policy{AdapterOff: true}}
	for class, refused := range map[route.Class]bool{route.BluetoothA2DP: true, route.BuiltinSpeaker: false} {
		w := known{route.NewReporter(route.Report{}), []route.Route{
			{Class: route.BuiltinMic, Device: "mic", Capture: true}, {Class: class, Device: "speaker"},
		}}
		_, err := c.admit(t.Context(), w, "mic", "speaker")
		if got := errors.As(err, new(*route.Refusal)); got != refused || err == nil {
			t.Errorf("%v: %v", class, err)
		}
		file, err := radiosFile()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Dir(file)); errors.Is(err, os.ErrNotExist) != refused {
			t.Errorf("%v: the radios are touched, or not: %v", class, err)
		}
		if err := os.RemoveAll(filepath.Dir(file)); err != nil {
			t.Fatal(err)
		}
	}
}
