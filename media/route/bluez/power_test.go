package bluez

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

func (b *fakeBus) powered(path dbus.ObjectPath) (on bool) {
	b.do(func() { on = b.objects[path][adapterName]["Powered"].Value().(bool) })
	return on
}

func startRadios(t *testing.T) (bus *fakeBus, file string) {
	t.Helper()
	bus = startBus(t)
	off := adapterObject(false)
	off[adapterName]["Address"] = is("00:22")
	bus.do(func() { bus.objects[radio], bus.objects["/org/bluez/hci1"] = adapterObject(true), off })
	return bus, filepath.Join(t.TempDir(), "radios")
}

// What was on is off, and then on again; what was off stays so.
func TestPower(t *testing.T) {
	bus, file := startRadios(t)
	var down Radios
	if err := down.PowerDown(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); string(text) != "[\"00:11\"]\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	if bus.powered(radio) || bus.powered("/org/bluez/hci1") {
		t.Error("powered")
	}
	// A program that starts meanwhile leaves the radio as it is, and another one's
	// call is told why it cannot be.
	if err := Recover(t.Context(), file); err != nil || bus.powered(radio) {
		t.Errorf("%v, powered %v", err, bus.powered(radio))
	}
	if err := new(Radios).PowerDown(t.Context(), file); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Error(err)
	}
	if err := down.Restore(t.Context()); err != nil || !bus.powered(radio) || bus.powered("/org/bluez/hci1") {
		t.Errorf("%v, powered %v", err, bus.powered(radio))
	}
	if left, err := os.ReadDir(filepath.Dir(file)); len(left) != 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// Of several calls the last one powers the radios up, and each powers down what
// has come up since.
func TestPowerOfSeveralCalls(t *testing.T) {
	bus, file := startRadios(t)
	const second = dbus.ObjectPath("/org/bluez/hci1")
	set := func(path dbus.ObjectPath, on bool) {
		bus.do(func() { bus.objects[path][adapterName]["Powered"] = is(on) })
	}
	expect := func(when string, want bool) {
		t.Helper()
		if bus.powered(radio) != want || bus.powered(second) != want {
			t.Errorf("%s: powered %v, %v", when, bus.powered(radio), bus.powered(second))
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var r Radios
	must(r.PowerDown(t.Context(), file))
	set(second, true) // somebody has powered it up, and wants it again
	must(r.PowerDown(t.Context(), file))
	expect("two calls", false)
	if text, err := os.ReadFile(file); string(text) != "[\"00:11\",\"00:22\"]\n" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	must(r.Restore(t.Context()))
	expect("the first has ended", false)
	must(Recover(t.Context(), file))
	expect("another program starts", false)

	set(second, true)
	bus.do(func() { bus.refuse = "Set" })
	if err := r.PowerDown(t.Context(), file); err == nil {
		t.Error("a radio has power, and no error")
	}
	bus.do(func() { bus.refuse = "" })
	set(second, false)
	expect("a call that could not begin", false)

	must(r.Restore(t.Context()))
	expect("the last has ended", true)
	if left, err := os.ReadDir(filepath.Dir(file)); len(left) != 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}

	must(r.PowerDown(t.Context(), file))
	must(r.PowerDown(t.Context(), file))
	must(r.Restore(t.Context()))
	must(r.down.close()) // a crash, while one call is left
	must(Recover(t.Context(), file))
	expect("after a crash", true)
}

// A program that ends without restoring leaves a file, which the next start
// reads, or which the next call takes over.
func TestPowerAfterCrash(t *testing.T) {
	bus, file := startRadios(t)
	crash := func() {
		t.Helper()
		var r Radios
		if err := r.PowerDown(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		r.down.close() // as the kernel does
	}
	crash()
	if err := Recover(t.Context(), file); err != nil || !bus.powered(radio) {
		t.Errorf("%v, powered %v", err, bus.powered(radio))
	}
	if err := Recover(t.Context(), file); err != nil {
		t.Error(err)
	}
	crash()
	crash()
	bus.do(func() { bus.refuse = "Set" })
	if err := Recover(t.Context(), file); err == nil || !strings.Contains(err.Error(), "00:11") {
		t.Error(err)
	}
	bus.do(func() { bus.refuse = "" })
	if err := Recover(t.Context(), file); err != nil || !bus.powered(radio) {
		t.Errorf("%v, powered %v", err, bus.powered(radio))
	}
}

// A radio that does not go down is an error, and what went down comes up.
func TestPowerRefused(t *testing.T) {
	bus, file := startRadios(t)
	bus.do(func() { bus.refuse = "Set" })
	var r Radios
	if err := r.PowerDown(t.Context(), file); err == nil || r.calls != 0 || r.down != nil {
		t.Errorf("%v, for %d calls", err, r.calls)
	}
	if err := os.WriteFile(file, []byte("[\"00:1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is never replaced
		if err := Recover(t.Context(), file); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
		if err := r.PowerDown(t.Context(), file); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Error(err)
		}
	}
}

// Where there is no BlueZ there is nothing to power down, and what a crash has
// left is not forgotten.
func TestPowerWithoutBlueZ(t *testing.T) {
	bus, file := startRadios(t)
	bus.do(func() { bus.absent = true })
	var r Radios
	if err := r.PowerDown(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(t.Context()); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, []byte("[\"00:11\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Recover(t.Context(), file); err == nil {
		t.Error("nothing is powered up, and nobody hears of it")
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

// Who gives up in the midst of it has every radio as it was.
func TestPowerDownIsCalledOff(t *testing.T) {
	bus, file := startRadios(t)
	const second = dbus.ObjectPath("/org/bluez/hci1")
	ctx, cancel := context.WithCancel(t.Context())
	bus.do(func() {
		bus.objects[second][adapterName]["Powered"] = is(true)
		bus.onSet = cancel
	})
	if err := new(Radios).PowerDown(ctx, file); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if !bus.powered(radio) || !bus.powered(second) {
		t.Error("a radio stays down")
	}
	if left, err := os.ReadDir(filepath.Dir(file)); len(left) != 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// A file that was removed or replaced before it was locked is not the one at its
// path.
func TestReplacedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "radios")
	write := func(name string) {
		t.Helper()
		if err := os.WriteFile(name, []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file)
	f, err := openLocked(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	expect := func(when string, want bool) {
		t.Helper()
		if there, err := isAt(f, file); there != want || err != nil {
			t.Errorf("%s: %v, %v", when, there, err)
		}
	}
	expect("as it was", true)
	write(file + ".new")
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	expect("replaced", false)
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	expect("removed", false)
}

// While calls come and go, no start of another program takes the file of a call
// away or powers a radio up.
func TestRecoverBesideCalls(t *testing.T) {
	bus, file := startRadios(t)
	stop := make(chan struct{})
	var starts sync.WaitGroup
	defer starts.Wait()
	defer close(stop)
	starts.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := Recover(t.Context(), file); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 50 {
		var down Radios
		if err := down.PowerDown(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		if bus.powered(radio) {
			t.Error("powered in a call")
		}
		if err := down.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
