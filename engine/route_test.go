package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

var (
	builtin = route.Report{Routes: []route.Route{{Class: route.BuiltinMic, Device: "mic", Capture: true}, {Class: route.BuiltinSpeaker, Device: "speaker"}}}
	headset = route.Report{Routes: []route.Route{{Class: route.BluetoothA2DP, Device: "bluez_output.1", Name: "CheapHeadset", Evidence: []string{"api.bluez5.address"}}}}
)

// hardware opens audio devices whose route tests decide on.
type hardware struct {
	source audio.Source
	sink   audio.Sink
	err    atomic.Pointer[error]
	opens  atomic.Int64

	mu      sync.Mutex
	report  route.Report // what the next watch begins with
	watches []*route.Reporter
}

func newHardware(first route.Report) *hardware {
	return &hardware{source: audio.NewTone(440, 0.5), sink: audio.Discard{}, report: first}
}

func (h *hardware) open(context.Context) (engine.Audio, error) {
	h.opens.Add(1)
	if err := h.err.Load(); err != nil {
		return engine.Audio{}, *err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	w := route.NewReporter(h.report)
	h.watches = append(h.watches, w)
	return engine.Audio{Source: h.source, Sink: h.sink, Watch: w}, nil
}

// set has all watches report r, and those that are opened later: audio that was
// opened for tones is opened anew for voice where the machine is so busy that the
// engine takes it for stuck.
func (h *hardware) set(r route.Report) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.report = r
	for _, w := range h.watches {
		w.Set(r)
	}
}

// lost ends the watches.
func (h *hardware) lost() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.watches {
		_ = w.Close()
	}
}

// hears waits until there is a sound in what each recorder records from now on.
func hears(t *testing.T, recorders ...*recorder) {
	t.Helper()
	for began := time.Now(); len(recorders) > 0; {
		recorders = slices.DeleteFunc(recorders, func(r *recorder) bool { return sounds(t, r, 1) })
		if time.Since(began) > limit {
			t.Fatal("nothing is heard")
		}
	}
}

// sounds waits for n frames of a recorder, and reports whether there was a
// sound in them.
func sounds(t *testing.T, r *recorder, n int) bool {
	t.Helper()
	start := len(r.heard())
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	for began := time.Now(); len(r.heard()) < start+n*audio.FrameSamples; <-tick.C {
		if time.Since(began) > limit {
			t.Fatal("nothing is played")
		}
	}
	return slices.ContainsFunc(r.heard()[start:], func(v int16) bool { return v > 100 || v < -100 })
}

// A call whose route is refused when it begins waits for a better one: nothing
// is read, played or sent, and the user reads which device it is and what to
// do. It begins as soon as the route is good.
func TestCallWaitsForRoute(t *testing.T) {
	t.Parallel()
	h := newHardware(headset)
	heard := newRecorder(1)
	h.sink = heard
	r := newRogue(t, true)
	call, _, _ := r.call(engine.Config{OpenAudio: h.open})
	refused := until[engine.RouteRefused](t, call)
	if refused.Class != route.BluetoothA2DP || refused.Device != "bluez_output.1" || refused.Reason == "" ||
		!slices.Equal(refused.Evidence, headset.Routes[0].Evidence) {
		t.Errorf("refused with %+v", refused)
	}
	for _, want := range []string{"CheapHeadset", "disconnect", "continue on the built-in speaker"} {
		if !strings.Contains(refused.Text, want) {
			t.Errorf("%q does not say %q", refused.Text, want)
		}
	}
	isClosed(t, r.agreed, "keys")
	if n := len(heard.heard()); n != 0 || r.seen[media.KindRTP].Load() != 0 || call.Level().Encrypted() {
		t.Errorf("%d samples were played, %d packets sent, %v", n, r.seen[media.KindRTP].Load(), call.Level())
	}
	restored := time.Now()
	h.set(builtin)
	until[engine.RouteRestored](t, call)
	until[engine.Secured](t, call)
	isClosed(t, r.heard, "voice")
	if took := time.Since(restored); took > time.Second {
		t.Errorf("voice came after %v", took)
	}
}

// In the midst of a call: silence as long as the route is refused, packets all
// the while, and voice again after it. The user hears of each once.
func TestRouteChangesMidCall(t *testing.T) {
	t.Parallel()
	h := newHardware(builtin)
	far, near := newRecorder(1), newRecorder(1)
	h.sink = near
	a, b := newEngine(t, engine.Config{OpenAudio: h.open}), newEngine(t, withAudio(audio.NewTone(880, 0.5), far))
	caller, callee := connect(t, a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	for range 3 {
		sounds(t, far, 25) // what was on its way
		hears(t, far, near)
		for range 3 { // the same again is nothing new
			h.set(headset)
		}
		until[engine.RouteRefused](t, caller)
		before, missed := callee.Stats(), caller.Stats().Missed
		if sounds(t, near, 1); sounds(t, near, 25) { // one may have been on its way
			t.Error("the headset plays")
		}
		if sounds(t, far, 25); sounds(t, far, 25) {
			t.Error("the other side hears")
		}
		missed = caller.Stats().Missed - missed // on a machine that is too busy
		if after := callee.Stats(); after.PacketsReceived+missed < before.PacketsReceived+50 || after.Discarded != before.Discarded {
			t.Errorf("packets: %+v, before %+v", after, before)
		}
		h.set(builtin)
		until[engine.RouteRestored](t, caller)
	}
	if l := caller.Level(); l != engine.LevelEncrypted {
		t.Errorf("level is %v", l)
	}
}

// A device that nobody watches is refused, whatever it says it is, and the call
// ends: nothing could tell of a better one.
func TestUnwatchedDeviceIsRefused(t *testing.T) {
	t.Parallel()
	call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Routes: builtin.Routes}, nil
	}})
	if r := until[engine.Refused](t, call); r.Route == nil || r.Route.Device != "mic" {
		t.Errorf("refused with %+v", r)
	}
	if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NoRoute || e.Stats.PacketsSent != 0 {
		t.Errorf("ended with %+v", e)
	}
}

// Audio that is lost, with its watch or by itself, is opened again, until that
// succeeds. Meanwhile there is silence, and no gap in what is sent.
func TestAudioIsReplaced(t *testing.T) {
	t.Parallel()
	gone := errors.New("no such device")
	for name, lose := range map[string]func(*hardware, *unplugged){
		"the watch is lost": func(h *hardware, _ *unplugged) { h.lost() },
		"unplugged":         func(_ *hardware, u *unplugged) { u.out.Store(true) },
		"both, and cannot be opened for a while": func(h *hardware, u *unplugged) {
			h.err.Store(&gone)
			u.out.Store(true)
			h.lost()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, far := newHardware(builtin), newRecorder(1)
			mic := &unplugged{Source: audio.NewTone(440, 0.5)}
			h.source = mic
			a, b := newEngine(t, engine.Config{OpenAudio: h.open}), newEngine(t, withAudio(audio.NewTone(880, 0.5), far))
			caller, callee := connect(t, a, b)
			until[engine.Secured](t, caller) // which has waited for the audio
			until[engine.Secured](t, callee)
			lose(h, mic)
			if r := until[engine.RouteRefused](t, caller); r.Class != route.Unknown || r.Text == "" {
				t.Errorf("refused with %+v", r)
			}
			if h.err.Load() != nil {
				if sounds(t, far, 25); sounds(t, far, 25) {
					t.Error("the other side hears")
				}
				opens := h.opens.Load()
				for start := time.Now(); h.opens.Load() < opens+2 && time.Since(start) < limit; {
					sounds(t, far, 5)
				}
				h.err.Store(nil)
			}
			mic.out.Store(false)
			until[engine.RouteRestored](t, caller)
			hears(t, far)
			if s := callee.Stats(); s.Discarded.Auth+s.Discarded.Clear+s.Discarded.OtherSource != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// unplugged is a source that fails while it is out.
type unplugged struct {
	audio.Source
	out atomic.Bool
}

func (u *unplugged) ReadFrame(pcm []int16) error {
	if u.out.Load() {
		return errors.New("unplugged")
	}
	return u.Source.ReadFrame(pcm)
}

// Audio that cannot be opened because of its route is waited for.
func TestRefusedWhenOpened(t *testing.T) {
	t.Parallel()
	_, refusal := route.Policy{}.Check(headset)
	for name, secure := range map[string]bool{"secure mode": true, "no secure mode": false} {
		t.Run(name, func(t *testing.T) {
			h := newHardware(builtin)
			h.err.Store(&refusal)
			call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: h.open, AllowInsecure: !secure})
			if !secure {
				if e := until[engine.Ended](t, call); e.Reason.Kind != engine.AudioFailed {
					t.Errorf("ended with %+v", e.Reason)
				}
				return
			}
			if r := until[engine.RouteRefused](t, call); r.Class != route.BluetoothA2DP {
				t.Errorf("refused with %+v", r)
			}
			h.err.Store(nil)
			until[engine.RouteRestored](t, call)
			until[engine.Secured](t, call)
		})
	}
}

// The policy says for how long a call may be silent: then it is put on hold, or
// ended.
func TestSilenceHasAnEnd(t *testing.T) {
	t.Parallel()
	t.Run("hold", func(t *testing.T) {
		h := newHardware(builtin)
		a := newEngine(t, engine.Config{OpenAudio: h.open, Routes: route.Policy{HoldAfter: 10 * time.Millisecond}})
		caller, callee := connect(t, a, newEngine(t, engine.Config{}))
		until[engine.Secured](t, caller)
		h.set(headset)
		if e := until[engine.Held](t, callee); !e.Remote {
			t.Errorf("%+v", e)
		}
		if e := until[engine.Held](t, caller); e.Remote || !e.ForRoute {
			t.Errorf("%+v", e)
		}
		h.set(builtin)
		until[engine.RouteRestored](t, caller)
		until[engine.Resumed](t, callee)
		until[engine.Resumed](t, caller)
	})
	t.Run("end", func(t *testing.T) {
		h := newHardware(headset)
		call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: h.open, Routes: route.Policy{EndAfter: 10 * time.Millisecond}})
		until[engine.RouteRefused](t, call)
		if r := next[engine.Refused](t, call); r.Route == nil || r.Route.Class != route.BluetoothA2DP {
			t.Errorf("refused with %+v", r)
		}
		if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NoRoute || !strings.Contains(e.Reason.Text, "CheapHeadset") {
			t.Errorf("ended with %+v", e)
		}
	})
}

// A program that listens in is told, once, or refused as the policy says.
func TestTapIsTold(t *testing.T) {
	t.Parallel()
	spied := builtin
	spied.Taps = []route.Tap{{Program: route.Process{PID: 4711, Name: "spy"}, Device: "mic"}}
	h := newHardware(builtin)
	call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: h.open})
	until[engine.Secured](t, call)
	h.set(spied)
	if e := until[engine.Warning](t, call); !strings.Contains(e.Text, "spy") || !strings.Contains(e.Text, "4711") {
		t.Errorf("%+v", e)
	}
	h.set(route.Report{Unknown: "the server is gone"}) // which says nothing of the program
	next[engine.RouteRefused](t, call)
	h.set(spied)
	next[engine.RouteRestored](t, call)
	h.set(headset)
	next[engine.RouteRefused](t, call)

	h = newHardware(spied)
	call, _, _ = newRogue(t, true).call(engine.Config{OpenAudio: h.open, Routes: route.Policy{RefuseTaps: true}})
	if r := until[engine.RouteRefused](t, call); !strings.Contains(r.Text, "spy") || r.Tap == nil {
		t.Errorf("%+v", r)
	}
}

// Who wants the call on another device is told of, once, and the call goes on.
func TestOrderIsTold(t *testing.T) {
	t.Parallel()
	wanted := builtin
	wanted.Orders = []route.Order{{ID: "order", Stream: "out", Target: "Buds"}}
	h := newHardware(builtin)
	call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: h.open})
	until[engine.Secured](t, call)
	h.set(wanted)
	if e := until[engine.Warning](t, call); !strings.Contains(e.Text, `"Buds"`) {
		t.Errorf("%+v", e)
	}
	h.set(route.Report{Unknown: "the server is gone"}) // which says nothing of it
	next[engine.RouteRefused](t, call)
	h.set(wanted)
	next[engine.RouteRestored](t, call)
	h.set(headset)
	next[engine.RouteRefused](t, call)
}

// A report of one direction lets no voice through: the other may be any device.
func TestHalfAReport(t *testing.T) {
	t.Parallel()
	for _, known := range builtin.Routes {
		h := newHardware(route.Report{Routes: []route.Route{known}})
		r := newRogue(t, true)
		call, _, _ := r.call(engine.Config{OpenAudio: h.open})
		if e := until[engine.RouteRefused](t, call); e.Class != route.Unknown || r.seen[media.KindRTP].Load() != 0 {
			t.Errorf("with %+v alone: refused with %+v, %d packets sent", known, e, r.seen[media.KindRTP].Load())
		}
		h.set(builtin)
		until[engine.RouteRestored](t, call)
		until[engine.Secured](t, call)
	}
}

// A call that waits for its route ends like any other, and closes its watch.
func TestEndWhileRouteIsRefused(t *testing.T) {
	t.Parallel()
	h := newHardware(headset)
	call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: h.open})
	until[engine.RouteRefused](t, call)
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	if e := until[engine.Ended](t, call); e.Reason.Kind != engine.HungUp || e.Stats.PacketsSent != 0 {
		t.Errorf("ended with %+v", e)
	}
	if _, err := h.watches[len(h.watches)-1].Report(t.Context()); !errors.Is(err, route.ErrWatch) {
		t.Errorf("the watch goes on: %v", err)
	}
}

// A hold that the user asks for outlasts the one because of the route.
func TestOurHoldOutlastsTheRoute(t *testing.T) {
	t.Parallel()
	h := newHardware(builtin)
	a := newEngine(t, engine.Config{OpenAudio: h.open, Routes: route.Policy{HoldAfter: time.Millisecond}})
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	h.set(headset)
	until[engine.Held](t, caller)
	if err := caller.Hold(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := next[engine.Held](t, caller); e.ForRoute {
		t.Errorf("%+v, and the user has asked for it", e)
	}
	h.set(builtin)
	next[engine.RouteRestored](t, caller)
	h.set(headset) // by now the call would be resumed
	next[engine.RouteRefused](t, caller)
	h.set(builtin)
	next[engine.RouteRestored](t, caller)
	if err := caller.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	next[engine.Resumed](t, caller)
}

// A route that is refused again while the other side is asked to resume the call
// has it put on hold again, though that was due before the answer.
func TestRefusedAgainWhileResumed(t *testing.T) {
	t.Parallel()
	h, played := newHardware(builtin), newRecorder(1)
	h.sink = played
	r := newRogue(t, true)
	call, dialog, _ := r.call(engine.Config{OpenAudio: h.open, Routes: route.Policy{HoldAfter: time.Millisecond}})
	until[engine.Secured](t, call)
	offered := func() func() {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		answer := r.offered(ctx, dialog, r.local)
		if answer == nil {
			t.Fatal("the engine offers nothing")
		}
		return answer
	}
	h.set(headset)
	offered()()
	until[engine.Held](t, call)
	h.set(builtin)
	resume := offered()
	h.set(headset)
	until[engine.RouteRefused](t, call)
	sounds(t, played, 5) // until the hold is due
	resume()
	next[engine.Resumed](t, call)
	offered()()
	if e := next[engine.Held](t, call); !e.ForRoute {
		t.Errorf("%+v, and nobody has asked for it", e)
	}
}

// deafWatch reports once and then, whatever becomes of the context, when it is
// closed.
type deafWatch struct {
	*route.Reporter
	asked  atomic.Int64
	closed chan struct{}
}

func (w *deafWatch) Report(ctx context.Context) (route.Report, error) {
	if w.asked.Add(1) > 1 {
		<-w.closed
	}
	return w.Reporter.Report(ctx)
}

func (w *deafWatch) Close() error {
	close(w.closed)
	return w.Reporter.Close()
}

// A report that does not end with its context keeps no call from ending.
func TestDeafWatch(t *testing.T) {
	t.Parallel()
	w := &deafWatch{Reporter: route.NewReporter(builtin), closed: make(chan struct{})}
	call, _, _ := newRogue(t, true).call(engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Watch: w}, nil
	}})
	until[engine.Secured](t, call)
	w.Set(builtin)
	for start := time.Now(); w.asked.Load() < 2; {
		if time.Since(start) > limit {
			t.Fatal("nobody asks")
		}
	}
	go func() { _ = call.Close() }()
	until[engine.Ended](t, call)
	isClosed(t, w.closed, "the watch")
}
