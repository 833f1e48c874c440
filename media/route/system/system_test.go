package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/route"
	"sotto/media/route/pulse"
)

// told is a monitor that tells what the test sends.
func told(from route.Origin) (monitor, chan<- route.Fact) {
	facts := make(chan route.Fact)
	return monitor{from: from, watch: func(ctx context.Context, out chan<- route.Event) {
		for {
			select {
			case f := <-facts:
				out <- route.Event{At: time.Now(), From: from, Fact: f}
			case <-ctx.Done():
				return
			}
		}
	}}, facts
}

// stream is the one of a call of process 1.
var stream = route.Node{ID: "stream", Kind: route.Playback, Owner: route.Process{PID: 1}, Props: map[string]string{"media.name": "call"}}

func report(t *testing.T, w *Watch) route.Report {
	t.Helper()
	r, err := w.Report(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// alarm expects an alarm that says text, now.
func alarm(t *testing.T, w *Watch, text string) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-w.Alarms():
		if !strings.Contains(a.Text, text) || !a.At.Equal(time.Now()) {
			t.Errorf("%q at %v, want %q", a.Text, a.At, text)
		}
	default:
		t.Errorf("no alarm that says %q", text)
	}
}

func quiet(t *testing.T, w *Watch) {
	t.Helper()
	synctest.Wait()
	select {
	case a := <-w.Alarms():
		t.Errorf("an alarm: %+v", a)
	default:
	}
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound, pulse := told(route.Pulse)
		radio, bluez := told(route.BlueZ)
		w := start(route.Self{PID: 1, Stream: "call", Playback: true}, []monitor{sound, radio}, route.NewWorld(route.Pulse, route.BlueZ))
		if r := report(t, w); r.Unknown == "" {
			t.Errorf("known from the start: %+v", r)
		}
		bluez <- route.Ready{}
		quiet(t, w) // PulseAudio has not been looked at yet
		sink := route.Node{ID: "sink 0", Kind: route.Sink, Name: "null", Driver: "module-null-sink.c"}
		pulse <- sink
		alarm(t, w, "other audio devices")
		pulse <- sink
		quiet(t, w)
		pulse <- stream
		pulse <- route.Link{ID: "link", From: "stream", To: "sink 0"}
		pulse <- route.Ready{}
		alarm(t, w, "known again")
		r := report(t, w)
		if r.Unknown != "" || len(r.Routes) != 1 || r.Routes[0].Class != route.Virtual {
			t.Errorf("%+v", r)
		}
		devices, err := w.Devices(t.Context())
		if err != nil || len(devices) != 1 || devices[0].Device != "null" {
			t.Errorf("%+v, %v", devices, err)
		}
		bluez <- route.BluetoothDevice{ID: "/buds", Name: "Buds", Connected: true, Icon: "audio-headset"}
		alarm(t, w, "Bluetooth audio has connected")
		pulse <- route.Node{ID: "sink 1", Kind: route.Sink, Name: "stick", Driver: "module-alsa-card.c"}
		alarm(t, w, "other audio devices")
		pulse <- route.Node{ID: "spy", Kind: route.Capture, Name: "spy", Owner: route.Process{PID: 2, Name: "parec"}}
		pulse <- route.Link{ID: "spy link", From: "sink 0", To: "spy"}
		alarm(t, w, `"parec" records`)
		pulse <- route.Lost{Reason: "it does not answer in time"}
		alarm(t, w, "does not answer in time")
		if r := report(t, w); r.Unknown == "" || len(r.Routes) != 0 {
			t.Errorf("%+v", r)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, open := <-w.Alarms(); open {
			t.Error("the alarms go on")
		}
		if _, err := w.Report(t.Context()); !errors.Is(err, route.ErrWatch) {
			t.Error(err)
		}
		if _, err := w.Devices(t.Context()); !errors.Is(err, route.ErrWatch) {
			t.Error(err)
		}
	})
}

// Without a sound server a call on the devices inside goes on while nothing is
// plugged in, and until the jacks cannot be told any more.
func TestJackMidCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cards, kernel := told(route.ALSA)
		w := start(route.Self{PID: 1, Stream: "call", Playback: true, Capture: true}, []monitor{cards}, route.NewWorld(route.ALSA))
		defer w.Close()
		verify := func() error {
			synctest.Wait()
			_, err := (route.Policy{}).Check(report(t, w))
			return err
		}
		device := func(id route.ID, kind route.Kind) route.Node {
			return route.Node{ID: id, Kind: kind, Name: "hw:PCH,0", Driver: "HDA-Intel", Hardware: true, Props: map[string]string{
				"alsa.card": "0", "alsa.device": "0", "alsa.name": "ALC257 Analog", "device.bus": "pci", "sysfs.path": "/devices/pci0000:00/0000:00:1f.3/sound/card0",
			}}
		}
		jacks := func(headphones bool) route.Jacks {
			return route.Jacks{ID: "hw:PCH jacks", Card: "PCH", All: []route.Jack{
				{Name: "Speaker Phantom Jack", Plugged: true}, {Name: "Internal Mic Phantom Jack", Plugged: true}, {Name: "Headphone Jack", Plugged: headphones},
			}}
		}
		for _, f := range []route.Fact{
			device("hw:PCH,0p", route.Sink), device("hw:PCH,0c", route.Source),
			route.Node{ID: "out", Kind: route.Playback, Owner: route.Process{PID: 1}}, route.Link{ID: "out link", From: "out", To: "hw:PCH,0p"},
			route.Node{ID: "in", Kind: route.Capture, Owner: route.Process{PID: 1}}, route.Link{ID: "in link", From: "hw:PCH,0c", To: "in"},
			route.Ready{},
		} {
			kernel <- f
		}
		if err := verify(); err == nil {
			t.Error("accepted before its jacks are known")
		}
		kernel <- jacks(false)
		if err := verify(); err != nil {
			t.Error(err)
		}
		<-w.Alarms() // of all that
		kernel <- jacks(true)
		alarm(t, w, "another way")
		var refusal *route.Refusal
		if err := verify(); !errors.As(err, &refusal) || refusal.Class != route.WiredHeadphones {
			t.Error(err)
		}
		kernel <- jacks(false)
		alarm(t, w, "another way")
		if err := verify(); err != nil {
			t.Error(err)
		}
		kernel <- route.Gone{ID: "hw:PCH jacks"}
		alarm(t, w, "another way")
		if err := verify(); !errors.As(err, &refusal) || refusal.Class != route.Unknown {
			t.Error(err)
		}
	})
}

// A call that begins beside this one is told of before its stream appears, and is
// no alarm. When it is over, whoever has its name is one.
func TestOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound, pulse := told(route.Pulse)
		w := start(route.Self{PID: 1, Stream: "call", Playback: true}, []monitor{sound}, route.NewWorld(route.Pulse))
		for _, f := range []route.Fact{route.Node{ID: "sink 0", Kind: route.Sink, Name: "null"}, stream, route.Link{ID: "link", From: "stream", To: "sink 0"}, route.Ready{}} {
			pulse <- f
		}
		synctest.Wait()
		<-w.Alarms()
		quiet(t, w)
		w.Others([]string{"other"})
		other := stream
		other.ID, other.Props = "other stream", map[string]string{"media.name": "other"}
		pulse <- other
		quiet(t, w)
		if r := report(t, w); r.Unknown != "" {
			t.Errorf("%+v", r)
		}
		w.Others(nil)
		alarm(t, w, "more streams")
		if r := report(t, w); r.Unknown == "" {
			t.Errorf("%+v", r)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		w.Others(nil) // which is nobody's business any more
	})
}

// A monitor that tells nonsense begins again, and the route is unknown until
// it has told everything anew.
func TestBegunAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun atomic.Int64
		m := monitor{from: route.ALSA, watch: func(ctx context.Context, out chan<- route.Event) {
			nth := begun.Add(1)
			tell := func(f route.Fact) { out <- route.Event{At: time.Now(), From: route.ALSA, Fact: f} }
			tell(route.Ready{})
			if nth == 1 {
				time.Sleep(time.Second)
				tell(route.Node{}) // without a name
			}
			<-ctx.Done()
		}}
		w := start(route.Self{}, []monitor{m}, route.NewWorld(route.ALSA))
		defer w.Close()
		alarm(t, w, "known again")
		time.Sleep(time.Second)
		synctest.Wait()
		if r := report(t, w); r.Unknown == "" || begun.Load() != 1 {
			t.Errorf("%+v, begun %d times", r, begun.Load())
		}
		time.Sleep(pause)
		synctest.Wait()
		if r := report(t, w); r.Unknown != "" || begun.Load() != 2 {
			t.Errorf("%+v, begun %d times", r, begun.Load())
		}
	})
}

// Nobody reads alarms, and one waits: the watch goes on.
func TestAlarmsUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sound, pulse := told(route.Pulse)
		w := start(route.Self{}, []monitor{sound}, route.NewWorld(route.Pulse))
		defer w.Close()
		for range 1000 {
			pulse <- route.Ready{}
			pulse <- route.Lost{Reason: "x"}
		}
		synctest.Wait() // the monitor has handed the last one on
		if r := report(t, w); r.Unknown == "" {
			t.Errorf("%+v", r)
		}
	})
}

// More comes all the time, and the picture is drawn nevertheless: of what waits
// when it is begun.
func TestDrawnInAFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &picture{world: route.NewWorld(route.Pulse), self: route.Self{PID: 1, Stream: "call", Playback: true}}
		facts := []route.Fact{
			route.Node{ID: "sink 0", Kind: route.Sink, Name: "null"}, stream,
			route.Link{ID: "link", From: "stream", To: "sink 0"}, route.Ready{},
		}
		flood := make(chan route.Event, len(facts))
		for _, f := range facts {
			flood <- route.Event{From: route.Pulse, Fact: f}
		}
		const more = 20
		for range more {
			go func() { flood <- route.Event{From: route.Pulse, Fact: stream} }()
		}
		synctest.Wait()
		text := p.take(<-flood, flood)
		left := 0
		for synctest.Wait(); len(flood) > 0; synctest.Wait() {
			<-flood
			left++
		}
		if taken := len(facts) + more - left; text == "" || len(p.report.Routes) != 1 || taken != 1+len(facts) {
			t.Errorf("%q after %d events: %+v", text, taken, p.report)
		}
	})
}

// What waits when the route is asked for is in the answer.
func TestAskedAtOnce(t *testing.T) {
	for range 20 { // the question may be taken before what waits
		synctest.Test(t, func(t *testing.T) {
			w := &Watch{alarms: make(chan route.Alarm, 1), reports: make(chan chan<- route.Report), ended: make(chan struct{})}
			ctx, cancel := context.WithCancel(t.Context())
			events, answer := make(chan route.Event, 1), make(chan route.Report)
			events <- route.Event{From: route.Pulse, Fact: route.Ready{}}
			go func() {
				r, _ := w.Report(ctx)
				answer <- r
			}()
			synctest.Wait()
			go w.run(ctx, &picture{world: route.NewWorld(route.Pulse)}, events)
			if r := <-answer; r.Unknown != "" {
				t.Errorf("%+v", r)
			}
			cancel()
		})
	}
}

// Monitors that end tell that they are lost: who has closed the watch hears no alarm.
func TestClosedIsNoAlarm(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 { // what waits may be taken before the end is seen
		w := &Watch{alarms: make(chan route.Alarm, 1)}
		p := &picture{world: route.NewWorld(route.Pulse)}
		p.take(route.Event{From: route.Pulse, Fact: route.Ready{}}, nil)
		events := make(chan route.Event, 1)
		events <- route.Event{From: route.Pulse, Fact: route.Lost{Reason: "canceled"}}
		w.run(ctx, p, events)
		if a, open := <-w.alarms; open {
			t.Fatalf("%+v", a)
		}
	}
}

// What has come and gone before anybody looked is an alarm like any other, also in
// a flood.
func TestCameAndWent(t *testing.T) {
	sink := route.Node{ID: "sink 0", Kind: route.Sink, Name: "null"}
	here := route.Link{ID: "link", From: "stream", To: "sink 0"}
	there := route.Link{ID: "link 2", From: "stream", To: "sink 1"}
	buds := route.BluetoothDevice{ID: "/buds", Connected: true, Icon: "audio-headset"}
	harmless := make([]route.Fact, looks)
	for i := range harmless {
		harmless[i] = route.Node{ID: route.ID(fmt.Sprint("game ", i)), Kind: route.Playback}
	}
	for _, c := range []struct {
		name  string
		facts []route.Fact
		want  string
	}{
		{"a link", []route.Fact{there, route.Gone{ID: there.ID}}, "another way"},
		{"a headset", []route.Fact{buds, route.BluetoothDevice{ID: buds.ID, Icon: buds.Icon}}, "Bluetooth"},
		{"the server", []route.Fact{route.Lost{Reason: "killed"}, sink, stream, here, route.Ready{}}, "killed"},
		{"a link in a flood", append(slices.Clone(harmless), harmless[0], there, route.Gone{ID: there.ID}), "at once"},
		{"the server in a flood", append(slices.Clone(harmless), route.Lost{}, sink, stream, here, route.Ready{}), "at once"},
		{"others", append(slices.Clone(harmless), route.Node{ID: "film", Kind: route.Playback}), ""},
		{"one of the others, which goes", []route.Fact{harmless[0], route.Gone{ID: "game 0"}}, ""},
	} {
		p := &picture{world: route.NewWorld(route.Pulse), self: route.Self{PID: 1, Stream: "call", Playback: true}}
		for _, f := range []route.Fact{sink, stream, here, route.Ready{}} {
			p.take(route.Event{From: route.Pulse, Fact: f}, nil)
		}
		waiting := make(chan route.Event, len(c.facts))
		for _, f := range c.facts {
			from := route.Pulse
			if _, radio := f.(route.BluetoothDevice); radio {
				from = route.BlueZ
			}
			waiting <- route.Event{From: from, Fact: f}
		}
		text := p.take(<-waiting, waiting)
		if c.want == "" && text != "" || !strings.Contains(text, c.want) || p.report.Unknown != "" || len(p.report.Routes) != 1 {
			t.Errorf("%s: %q, %+v", c.name, text, p.report)
		}
	}
}

// What wants a monitor to begin again is not lost while it is about to.
func TestAgainWaits(t *testing.T) {
	m := monitor{from: route.Pulse, again: make(chan struct{}, 1)}
	p := &picture{world: route.NewWorld(route.Pulse), monitors: []monitor{m}}
	for range 2 {
		p.take(route.Event{From: route.Pulse, Fact: route.Node{}}, nil)
	}
	select {
	case <-m.again:
	default:
		t.Error("lost")
	}
}

// What has to be known follows from what is there.
func TestChoose(t *testing.T) {
	dir := t.TempDir()
	for _, key := range []string{"PULSE_SERVER", "PULSE_RUNTIME_PATH", "PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"} {
		t.Setenv(key, "")
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	check := func(monitors int, want ...route.Origin) {
		t.Helper()
		m, got, err := choose()
		if err != nil || len(m) != monitors || !slices.Equal(got, want) {
			t.Errorf("%d monitors, want %v, error %v", len(m), got, err)
		}
		for _, from := range want {
			if !slices.ContainsFunc(m, func(m monitor) bool { return m.from == from }) {
				t.Errorf("nobody watches %v", from)
			}
		}
	}
	check(2, route.BlueZ, route.ALSA)
	graph, err := net.Listen("unix", filepath.Join(dir, "pipewire-0"))
	if err != nil {
		t.Fatal(err)
	}
	defer graph.Close()
	check(4, route.BlueZ, route.ALSA, route.Pulse, route.PipeWire)

	t.Setenv("PULSE_SERVER", filepath.Join(dir, "native"))
	deaf, err := net.Listen("unix", filepath.Join(dir, "native"))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	begin := time.Now()
	if _, err := Open(route.Self{}); err == nil || !strings.Contains(err.Error(), "native") || time.Since(begin) > 10*patience {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
	t.Setenv("PULSE_SERVER", "tcp:example.org")
	if _, err := Open(route.Self{}); !errors.Is(err, pulse.ErrNoSocket) {
		t.Error(err)
	}
}
