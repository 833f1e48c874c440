package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"sotto/media/route"
)

// stage is a watch over devices that a test arranges.
type stage struct {
	*route.Reporter
	devices []route.Route
}

func (s *stage) Devices(context.Context) ([]route.Route, error) { return s.devices, nil }

func newStage(r route.Report) *stage {
	return &stage{route.NewReporter(r), []route.Route{
		{Class: route.BuiltinMic, Device: "alsa_input.pci", Name: "Built-in Audio", Capture: true, Evidence: []string{"device.bus=pci"}},
		{Class: route.BluetoothA2DP, Device: "bluez_output.1", Name: "Cheap\x1b[2JHeadset", Evidence: []string{"device.api=bluez5"}},
		{Class: route.USBHeadset, Device: "alsa_output.usb", Name: "C320"},
	}}
}

// surroundings are what a policy may refuse calls for, whatever their devices.
var surroundings = route.Report{
	Bluetooth: []route.BluetoothDevice{{Name: "Buds", Address: "AC:80"}},
	Adapters:  []route.BluetoothAdapter{{ID: "/hci0", Powered: true}, {ID: "/hci1"}},
	Taps: []route.Tap{
		{Program: route.Process{PID: 7, Name: "spy"}, Device: "Built-in Audio"},
		{Program: route.Process{PID: 8, Name: "meter"}, Device: "C320", Monitor: true},
	},
}

// The last line of a list, and its JSON, say that calls would be silent and why,
// be all of its devices accepted.
func TestRoutesSilent(t *testing.T) {
	usb := []string{"alsa_output.usb"}
	for _, c := range []struct {
		policy route.Policy
		report route.Report
		want   string // empty: not silent
	}{
		{route.Policy{Wired: usb}, surroundings, ""},
		{route.Policy{Wired: usb, Strict: true}, surroundings, `connected Bluetooth device "Buds"`},
		{route.Policy{Wired: usb, AdapterOff: true}, surroundings, `Bluetooth adapter "/hci0"`},
		{route.Policy{Wired: usb, RefuseTaps: true}, surroundings, `program "spy"`},
		{route.Policy{Wired: usb, RefuseTaps: true, AllowTaps: []string{"spy", "meter"}}, surroundings, ""},
		{route.Policy{}, route.Report{}, "no loudspeaker is accepted"},
		{route.Policy{Wired: usb}, route.Report{Unknown: "BlueZ is lost"}, "BlueZ is lost"},
	} {
		var text, object bytes.Buffer
		l := routeList{w: &text, policy: c.policy}
		if err := l.print(t.Context(), newStage(c.report)); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(text.String()), "\n")
		last := lines[len(lines)-1]
		if strings.HasPrefix(last, "calls now: SILENT, because ") != (c.want != "") || !strings.Contains(last, c.want) {
			t.Errorf("%+v: %q, want %q", c.policy, last, c.want)
		}
		l.w, l.json = &object, true
		if err := l.print(t.Context(), newStage(c.report)); err != nil {
			t.Fatal(err)
		}
		var got routesRecord
		if err := json.Unmarshal(object.Bytes(), &got); err != nil || got.Silent != (c.want != "") || !strings.Contains(got.Reason, c.want) {
			t.Errorf("%+v: %v, %s", c.policy, err, object.String())
		}
		if len(got.Adapters) != len(c.report.Adapters) || len(got.Taps) != len(c.report.Taps) || len(got.Bluetooth) != len(c.report.Bluetooth) {
			t.Errorf("%s", object.String())
		}
	}
	s, out := newStage(route.Report{Unknown: "PulseAudio is lost"}), bytes.Buffer{}
	s.devices = nil
	if err := (&routeList{w: &out}).print(t.Context(), s); err != nil || out.String() != "calls now: SILENT, because PulseAudio is lost\n" {
		t.Errorf("%v, %q", err, out.String())
	}
	s.Set(route.Report{})
	s.devices = []route.Route{{Class: route.BuiltinSpeaker, Device: "speaker"}}
	if err := (&routeList{w: &out}).print(t.Context(), s); err != nil || !strings.Contains(out.String(), "because no microphone is accepted") {
		t.Errorf("%v, %q", err, out.String())
	}
}

// impatient is a watch that does not answer whoever has gone.
type impatient struct{ *stage }

func (i impatient) Report(ctx context.Context) (route.Report, error) {
	<-ctx.Done()
	return route.Report{}, ctx.Err()
}

// Who interrupts it hears that, and not what Go calls it.
func TestRoutesInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	l := routeList{w: io.Discard}
	if err := l.once(ctx, impatient{newStage(surroundings)}); err == nil || !strings.HasPrefix(err.Error(), "interrupted") {
		t.Error(err)
	}
}

func TestRoutesText(t *testing.T) {
	var out bytes.Buffer
	l := routeList{w: &out, policy: route.Policy{Wired: []string{"alsa_output.usb"}}, evidence: true}
	s := newStage(surroundings)
	if err := l.once(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	const want = `accepted  capture   built-in microphone: Built-in Audio
          . device.bus=pci
          alsa_input.pci
REFUSED   playback  Bluetooth audio (A2DP): Cheap[2JHeadset
          it sends the voice over the air, outside of the call's encryption
          . device.api=bluez5
          bluez_output.1
accepted  playback  USB headset: C320
          alsa_output.usb
connected by Bluetooth: Buds AC:80
Bluetooth adapter /hci0: on
Bluetooth adapter /hci1: without power
recorded by spy (process 7): Built-in Audio
recorded by meter (process 8): what is played on C320
calls now: on the devices that are accepted
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestRoutesJSON(t *testing.T) {
	var out bytes.Buffer
	l := routeList{w: &out, json: true}
	if err := l.once(t.Context(), newStage(route.Report{})); err != nil {
		t.Fatal(err)
	}
	var got routesRecord
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("%v in %s", err, out.String())
	}
	if len(got.Devices) != 3 || !got.Devices[0].Accepted || got.Devices[1].Accepted || got.Devices[1].Reason == "" ||
		got.Devices[2].Accepted || got.Devices[0].Direction != "capture" || got.Devices[1].Evidence != nil {
		t.Errorf("%+v", got)
	}
}

// What is not known after a while is said to be unknown; what becomes known
// meanwhile is listed.
func TestRoutesSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := routeList{w: &out}
		s := newStage(route.Report{Unknown: "BlueZ has not been looked at yet"})
		if err := l.once(t.Context(), s); err == nil || err.Error() != "BlueZ has not been looked at yet" || out.Len() == 0 {
			t.Errorf("%v, %s", err, out.String())
		}
		go s.Set(route.Report{})
		if err := l.once(t.Context(), s); err != nil {
			t.Error(err)
		}
	})
}

func TestRoutesWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := routeList{w: &out, json: true}
		s := newStage(route.Report{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- l.follow(ctx, s) }()
		synctest.Wait()
		s.devices = nil
		s.Set(route.Report{Unknown: "lost"})
		synctest.Wait()
		if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"unknown":"lost","devices":[]`) {
			t.Errorf("%s", out.String())
		}
		cancel()
		if err := <-ended; err == nil || err.Error() != "lost" {
			t.Errorf("interrupted while nothing is known: %v", err)
		}
		s.Set(route.Report{})
		ctx, cancel = context.WithCancel(t.Context())
		go func() { ended <- l.follow(ctx, s) }()
		synctest.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		go func() { ended <- l.follow(t.Context(), s) }()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err == nil {
			t.Error("the watch is lost, and nobody hears of it")
		}
	})
}

// The binary itself, on whatever machine this is: a list, or why there is none.
func TestRoutesCommand(t *testing.T) {
	p := start(t, "routes", "--json")
	code := p.exit(t)
	var got routesRecord
	if err := json.Unmarshal([]byte(p.stdout.String()), &got); code == exitOK && (err != nil || got.Event != "routes") {
		t.Errorf("%v in %s", err, p.stdout.String())
	}
	if code != exitOK && (code != exitFailed || p.stderr.Len() == 0) {
		t.Errorf("exit code %d: %s", code, p.stderr.String())
	}
	wantFailure(t, start(t, "routes", "--policy", "no such file"), exitUsage, "--policy")
	wantFailure(t, start(t, "routes", "what"), exitUsage, "what")
}

// What a crash has left powered down is powered up by whichever start is the next,
// over files too; here nobody can, and the user is told.
func TestRadiosAreRecovered(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", home)
	t.Setenv("HOME", home)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+filepath.Join(home, "none"))
	config, err := os.UserConfigDir()
	if err == nil {
		err = os.MkdirAll(filepath.Join(config, "sotto"), 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(config, "sotto", "radios.json"), []byte(`["00:11"]`), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"routes"}, {"call", "sip:bob@127.0.0.1:1", "--in", "tone:0"}} {
		p := start(t, args...)
		p.exit(t)
		if !strings.Contains(p.stderr.String(), "Bluetooth was powered down for a call and is not up again") {
			t.Errorf("%v: %s", args, p.stderr.String())
		}
	}
}
