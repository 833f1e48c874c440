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
}

// told is an event and when it was told.
type told struct {
	engine.Event
	at time.Time
}

// dial begins a call from the devices.
func dial(t *testing.T, policy route.Policy) *phone {
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
	a := open(engine.Config{Routes: policy, OpenAudio: devices.Choice{Policy: policy}.Open})
	b := open(engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.NewTone(440, 0.5), Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal}}}, nil
	}})
	p := &phone{t: t, events: make(chan told, 10_000)}
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
		select {
		case e, ok := <-p.events:
			if wanted, is := e.Event.(E); is {
				return wanted, e.at
			}
			if ended, is := e.Event.(engine.Ended); is || !ok {
				p.t.Fatalf("the call has ended: %+v", ended.Reason)
			}
		case <-deadline:
			var wanted E
			p.t.Fatalf("no %T within %v", wanted, patience)
		}
	}
}

// silences are why the call was silent, in what has been told and not been taken.
func (p *phone) silences() (why []string) {
	for len(p.events) > 0 {
		if r, is := (<-p.events).Event.(engine.RouteRefused); is {
			why = append(why, r.Reason)
		}
	}
	return why
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
				times := 100
				if strict {
					times = 10
				}
				p := dial(t, route.Policy{Strict: strict})
				until[engine.Secured](p)
				var muted figures
				for range times {
					at := w.air.connect(t)
					if strict {
						r, when := until[engine.RouteRefused](p)
						muted = append(muted, when.Sub(at))
						if !strings.Contains(r.Text, headsetName) {
							t.Errorf("%+v", r)
						}
					}
					w.sink(true)
					p.flows()
					w.air.disconnect(t)
					w.sink(false)
					if strict {
						until[engine.RouteRestored](p)
					}
				}
				sum := w.air.traffic(t)
				figure(t, "%d packets on air, of them %d not digital silence", sum.Packets, sum.Loud)
				if sum.Loud != 0 {
					t.Errorf("%d samples with sound were on air", sum.Samples)
				}
				if strict {
					muted.within(t, "from BlueZ's signal until the user knows that the call is silent", 100*time.Millisecond)
				} else { // nothing asks for it, and nothing forbids it: a server under load may not answer in time
					figure(t, "the call was silent for a while because of %q", p.silences())
				}
			})
		})
	}
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
		r, _ := until[engine.RouteRefused](p)
		if !strings.Contains(r.Device, address) || !strings.Contains(r.Text, headsetName) || !strings.Contains(r.Text, "disconnect") {
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
	others := ports(t, "-o")
	p := dial(t, route.Policy{})
	until[engine.Secured](p)
	ours := port(t, "-o", func(p string) bool { return strings.Contains(p, ":output_") && !slices.Contains(others, p) })
	w.air.connect(t)
	ear := port(t, "-i", func(p string) bool { return strings.HasPrefix(p, "bluez_output.") })
	p.flows()
	p.silences()
	w.air.reset(t)
	var muted figures
	for range times {
		p.flows() // so that the call is heard again when the link is made
		begin := time.Now()
		must(t, "pw-link", ours, ear)
		r, at := until[engine.RouteRefused](p)
		muted = append(muted, at.Sub(begin))
		if !strings.Contains(r.Device, strings.ReplaceAll(headset, ":", "_")) {
			t.Fatalf("%+v", r)
		}
		must(t, "pw-link", "-d", ours, ear)
		until[engine.RouteRestored](p)
	}
	muted.within(t, "from the start of pw-link until the user knows that the call is silent", 100*time.Millisecond)
	sum := w.air.traffic(t)
	figure(t, "%d links: %d packets on air, of them %d not digital silence, %d samples", times, sum.Packets, sum.Loud, sum.Samples)
}

// The speaker is unplugged, the sound server stopped, and killed: the call is
// silent within 100 ms and comes back by itself.
func TestCallSurvives(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		p := dial(t, route.Policy{})
		until[engine.Secured](p)
		lost := func(what string, lose, back func()) {
			t.Helper()
			p.flows()
			p.silences()
			begin := time.Now()
			lose()
			r, at := until[engine.RouteRefused](p)
			figure(t, "%s: silent, and the user knows, after %v: %s", what, at.Sub(begin).Round(time.Millisecond/10), r.Text)
			if took := at.Sub(begin); took > lostLimit {
				t.Errorf("%s: silent after %v", what, took)
			}
			p.flows() // silence
			back()
			begin = time.Now()
			_, at = until[engine.RouteRestored](p)
			figure(t, "%s: back after %v", what, at.Sub(begin).Round(time.Millisecond))
		}
		lost("speaker unplugged", func() { w.unplug(speaker) }, func() { w.plug(speaker); must(t, "pactl", "set-default-sink", speaker) })
		lost("server stopped for 5 s", func() { w.core().signal(syscall.SIGSTOP) }, func() {
			time.Sleep(5 * time.Second)
			w.core().signal(syscall.SIGCONT)
		})
		lost("server killed", w.core().kill, func() { w.killServer(); w.startServer() })
	})
}
