//go:build interop

package routes

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sotto/engine"
	"sotto/engine/devices"
	"sotto/media/audio"
	"sotto/media/route"
)

// phone is a whole call: one engine on the devices of a world, and another one
// that speaks a tone to it.
type phone struct {
	t      *testing.T
	near   *engine.Call
	far    *engine.Call
	events chan told
	probe  *probe // on the devices
	silent bool   // because of the route, as far as events were taken
}

// told is an event and when it was told.
type told struct {
	engine.Event
	at time.Time
}

// dial begins a call from the devices.
func dial(t *testing.T, policy route.Policy) *phone {
	t.Helper()
	return dialTo(t, policy, 440)
}

// dialTo begins a call from the devices to who speaks a tone of so many Hz.
func dialTo(t *testing.T, policy route.Policy, tone float64) *phone {
	t.Helper()
	return dialFrom(t, policy, tone, &probe{})
}

// dialFrom begins a call from devices behind that probe.
func dialFrom(t *testing.T, policy route.Policy, tone float64, by *probe) *phone {
	t.Helper()
	open := func(cfg engine.Config) *engine.Engine {
		e, err := engine.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	p := &phone{t: t, events: make(chan told, 10_000), probe: by}
	ears := far{p.probe}
	a := open(engine.Config{Routes: policy, OpenAudio: p.probe.open(devices.Choice{Policy: policy}), Tracer: p.probe})
	b := open(engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.NewTone(tone, 0.5), Sink: ears, Routes: []route.Route{{Class: route.Internal}}}, nil
	}, Tracer: ears})
	var err error
	if p.near, err = a.Dial(t.Context(), "sip:bob@"+b.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if p.far, err = b.Accept(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.far.Answer(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.events)
		for {
			e, err := p.near.Next(context.Background())
			if errors.Is(err, io.EOF) {
				return
			}
			p.events <- told{e, time.Now()}
		}
	}()
	return p
}

// until waits for an event of a kind.
func until[E engine.Event](p *phone) (E, time.Time) {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		e := p.take(deadline)
		if wanted, is := e.Event.(E); is {
			return wanted, e.at
		}
	}
}

// take takes the next event. What is restored was refused before.
func (p *phone) take(deadline <-chan time.Time) told {
	p.t.Helper()
	select {
	case e := <-p.events:
		switch event := e.Event.(type) {
		case engine.RouteRefused:
			p.silent = true
		case engine.RouteRestored:
			if !p.silent {
				p.t.Error("restored, and nothing was refused")
			}
			p.silent = false
		case nil, engine.Ended:
			p.t.Fatalf("the call has ended: %+v", event)
		}
		return e
	case <-deadline:
		p.t.Fatalf("nothing more happens to the call, silent: %v", p.silent)
	}
	return told{}
}

// settle takes all that has been told, and more until the call is not silent
// because of its route. It returns why it was.
func (p *phone) settle() (why []string) {
	p.t.Helper()
	for deadline := time.After(patience); p.silent || len(p.events) > 0; {
		if r, is := p.take(deadline).Event.(engine.RouteRefused); is {
			why = append(why, r.Reason)
		}
	}
	return why
}

// refusedFor waits until the call is silent because of a device of that name. A
// server that does not answer in time may be a reason before.
func (p *phone) refusedFor(name string) told {
	p.t.Helper()
	for deadline := time.After(patience); ; {
		e := p.take(deadline)
		if r, is := e.Event.(engine.RouteRefused); is && strings.Contains(r.Text, name) {
			return e
		}
	}
}

// flows waits until more packets of ours have arrived.
func (p *phone) flows() {
	p.t.Helper()
	before := p.far.Stats().PacketsReceived
	eventually(p.t, "packets arrive", func() bool { return p.far.Stats().PacketsReceived >= before+10 })
}

// sink waits until the server has, or has not, a sink for the headset.
func (w *world) sink(there bool) {
	w.t.Helper()
	eventually(w.t, "the headset's sink", func() bool {
		if there {
			w.revive()
		}
		sinks, ok := output("pactl", "list", "short", "sinks")
		return ok && strings.Contains(sinks, strings.ReplaceAll(headset, ":", "_")) == there
	})
}

// A headset connects in the midst of a call, again and again: the call goes on,
// pinned to the speaker, and nothing is on air. Under a strict policy it is
// silent for as long as the headset is connected.
func TestCallAndHeadset(t *testing.T) {
	for name, strict := range map[string]bool{"pinned": false, "strict": true} {
		t.Run(name, func(t *testing.T) {
			inEach(t, func(t *testing.T, w *world) {
				p := dial(t, route.Policy{Strict: strict})
				until[engine.Secured](p)
				if strict {
					var told figures
					var silent silences
					for range rounds {
						if told, silent = p.refusesHeadset(w); told.keep(toldIn) && silent.keep(silentIn) {
							break
						}
					}
					told.within(t, "from BlueZ's signal until the user knows that the call is silent", toldIn)
					silent.within(t, "BlueZ's signal", silentIn)
				} else { // nothing asks for silence, and nothing forbids it: a server under load may not answer in time
					for range 100 {
						p.probe.talks(t)
						w.air.connect(t)
						w.sink(true)
						p.flows()
						w.air.disconnect(t)
						w.sink(false)
					}
					figure(t, "the call was silent for a while because of %q", p.settle())
					w.air.connect(t)
					w.sink(true)
					p.settle()
					w.speaks()
				}
				sum := w.air.traffic(t)
				figure(t, "%d packets on air, of them %d not digital silence", sum.Packets, sum.Loud)
				if sum.Loud != 0 {
					t.Errorf("%d samples with sound were on air", sum.Samples)
				}
			})
		})
	}
}

// How soon after its cause a call is to be silent, and the user to know it.
const (
	silentIn = 20 * time.Millisecond
	toldIn   = 100 * time.Millisecond
)

// refusesHeadset connects the headset ten times to a call that is to be silent then.
func (p *phone) refusesHeadset(w *world) (told figures, silent silences) {
	for range 10 {
		p.probe.talks(p.t)
		p.probe.begin()
		at := w.air.connect(p.t)
		told = append(told, p.refusedFor(headsetName).at.Sub(at))
		p.probe.hush(p.t)
		silent.add(p.probe.since(at))
		w.sink(true)
		p.flows()
		w.air.disconnect(p.t)
		w.sink(false)
		p.settle()
	}
	return told, silent
}

// The headset is what the system plays to when the call begins: the call waits,
// says which device it is, and begins when that is gone.
func TestCallBeginsWithHeadset(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		// PulseAudio's null sink is 2 s ahead when nobody plays to it.
		startDaemon(t, w.dir, exec.Command("pacat", "--playback", "--device="+speaker, "/dev/zero"))
		w.air.connect(t)
		w.sink(true)
		address := strings.ReplaceAll(headset, ":", "_")
		for line := range strings.Lines(must(t, "pactl", "list", "short", "sinks")) {
			if f := strings.Fields(line); strings.Contains(f[1], address) {
				must(t, "pactl", "set-default-sink", f[1])
			}
		}
		p := dial(t, route.Policy{})
		r := p.refusedFor(headsetName).Event.(engine.RouteRefused)
		if !strings.Contains(r.Device, address) || !strings.Contains(r.Text, "disconnect") {
			t.Errorf("%+v", r)
		}
		if s := p.near.Stats(); s.PacketsSent != 0 || p.near.Level().Encrypted() {
			t.Errorf("%d packets were sent, %v", s.PacketsSent, p.near.Level())
		}
		gone := time.Now()
		w.air.disconnect(t)
		_, at := until[engine.Secured](p)
		figure(t, "the call begins %v after the headset was removed", at.Sub(gone).Round(time.Millisecond))
		if took := at.Sub(gone); took > time.Second {
			t.Errorf("began after %v", took)
		}
		p.flows()
		if sum := w.air.traffic(t); sum.Loud != 0 {
			t.Errorf("%d packets on air, of them %d not digital silence", sum.Packets, sum.Loud)
		}
	})
}

// Another program links what the call plays to a headset, which no daemon
// refuses: the call is silent until the link is gone. What has got through
// before is counted.
func TestCallIsLinkedToHeadset(t *testing.T) {
	const times = 100
	w := newWorld(t, pipeWire)
	l := linker{w: w, others: ports(t, "-o"), graph: lookAtGraph(t), phone: dial(t, route.Policy{})}
	until[engine.Secured](l.phone)
	w.air.connect(t)
	l.ear = port(t, "-i", func(p string) bool { return strings.HasPrefix(p, "bluez_output.") })
	for range rounds {
		l.silent, l.told, l.onAir, l.sum = silences{}, nil, nil, traffic{}
		for tries := 0; len(l.told) < times; tries++ {
			if tries == 2*times {
				t.Fatalf("only %d of %d links did not come together with something else", len(l.told), tries)
			}
			l.link(t)
		}
		if l.silent.keep(silentIn) && l.told.keep(toldIn) {
			break
		}
	}
	l.silent.within(t, "the link in the graph", silentIn)
	l.told.within(t, "from the link in the graph until the user knows that the call is silent", toldIn)
	figure(t, "from the link in the graph to the last packet on air with sound, %v", l.onAir)
	figure(t, "%d links: %d packets on air, of them %d not digital silence, %d samples", times, l.sum.Packets, l.sum.Loud, l.sum.Samples)
}

// linker links a call to a headset, again and again.
type linker struct {
	w      *world
	graph  *graph
	phone  *phone
	others []string // ports that were there before the call
	ear    string   // the headset's port

	silent      silences
	told, onAir figures
	sum         traffic
}

// link makes the link, waits until the call is silent and takes the link away. If
// the call was silent for another reason, or this look at the graph was lost, as
// where a server does not answer in time, no time is taken.
func (l *linker) link(t *testing.T) {
	t.Helper()
	p := l.phone
	p.probe.talks(t)
	disturbed := p.settle()
	ours := port(t, "-o", func(p string) bool { return strings.Contains(p, ":output_") && !slices.Contains(l.others, p) })
	l.graph.await(t)
	l.w.air.reset(t)
	p.probe.begin()
	if out, done := output("pw-link", ours, l.ear); !done {
		t.Logf("not linked: %s: %q", out, disturbed)
		return
	}
	r, at := until[engine.RouteRefused](p)
	p.probe.hush(t)
	linked, seen := l.graph.first()
	one := p.probe.since(linked)
	output("pw-link", "-d", ours, l.ear) // the stream may be another one by now
	disturbed = p.settle()
	leaked := l.w.air.traffic(t)
	l.sum.Packets, l.sum.Loud, l.sum.Samples = l.sum.Packets+leaked.Packets, l.sum.Loud+leaked.Loud, l.sum.Samples+leaked.Samples
	if !seen || len(disturbed) > 0 || !strings.Contains(r.Device, strings.ReplaceAll(headset, ":", "_")) {
		t.Logf("linked, and silent: %q, then %q", r.Reason, disturbed)
		return
	}
	l.silent.add(one)
	l.told = append(l.told, at.Sub(linked))
	l.onAir = append(l.onAir, max(0, time.Unix(0, leaked.Last).Sub(linked)))
}

// The speaker is unplugged, the sound server stopped, and killed: the call is
// silent within 100 ms and comes back by itself.
func TestCallSurvives(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		p := dial(t, route.Policy{})
		until[engine.Secured](p)
		lost := func(what string, lose func() time.Time, back func()) {
			t.Helper()
			inTime(t, what+": silent", lostLimit, func() time.Duration {
				p.probe.talks(t)
				p.settle()
				begin := lose()
				r, at := until[engine.RouteRefused](p)
				p.probe.hush(t)
				s := p.probe.since(begin)
				figure(t, "%s: the user knows after %v; the last sound was given to the loudspeaker after %v, and left for the other side after %v: %s",
					what, tenths(at.Sub(begin)), tenths(s.heard), tenths(s.said), r.Text)
				back()
				restored := time.Now()
				p.settle()
				figure(t, "%s: back after %v", what, tenths(time.Since(restored)))
				return max(at.Sub(begin), s.heard, s.said)
			})
		}
		now := func(f func()) func() time.Time {
			return func() time.Time {
				begin := time.Now()
				f()
				return begin
			}
		}
		lost("speaker unplugged", func() time.Time { return w.unplug(speaker) }, func() { w.plug(speaker); must(t, "pactl", "set-default-sink", speaker) })
		lost("server stopped for 5 s", now(func() { w.core().signal(syscall.SIGSTOP) }), func() {
			time.Sleep(5 * time.Second)
			w.core().signal(syscall.SIGCONT)
		})
		lost("server killed", now(func() { w.core().kill() }), func() { w.killServer(); w.startServer() })
	})
}
