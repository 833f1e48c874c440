package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip"
	"sotto/sip/sdp"
)

// rings makes an engine call the rogue, whose phone rings, and returns how it is
// answered.
func (r *rogue) rings(e *engine.Engine) (call *engine.Call, dialog *sip.Dialog, answer func()) {
	r.t.Helper()
	call, err := e.Dial(r.t.Context(), r.uri())
	if err != nil {
		r.t.Fatal(err)
	}
	dialog, offer := r.accept()
	if err := dialog.Ring(); err != nil {
		r.t.Fatal(err)
	}
	return call, dialog, func() {
		r.t.Helper()
		answer, err := sdp.Answer(offer, nil, r.local)
		if err != nil {
			r.t.Fatal(err)
		}
		if err := dialog.Answer(answer.Append(nil)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// packets counts what has arrived at the media port.
func (r *rogue) packets() (n int64) {
	for kind := range r.seen {
		n += r.seen[kind].Load()
	}
	return n
}

// reads counts how often a source is read.
type reads struct {
	audio.Source
	n atomic.Int64
}

func (r *reads) ReadFrame(pcm []int16) error {
	r.n.Add(1)
	return r.Source.ReadFrame(pcm)
}

// A call rings in the caller's ear until it is answered. Until then nothing leaves and the
// microphone is not read; then the voice has the audio that the tone had, and the
// tone is not in it.
func TestToneUntilAnswered(t *testing.T) {
	t.Parallel()
	for name, insecure := range map[string]bool{"secure mode": false, "no secure mode": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, mic, heard := newHardware(builtin), &reads{Source: audio.NewTone(440, 0.5)}, newRecorder(1)
			h.source, h.sink = mic, heard
			r := newRogue(t, true)
			call, _, answer := r.rings(newEngine(t, engine.Config{OpenAudio: h.open, AllowInsecure: insecure}))
			next[engine.Ringing](t, call)
			for start := time.Now(); !sounds(t, heard, 5); {
				if time.Since(start) > limit {
					t.Fatal("no ringback")
				}
			}
			if n := r.packets(); n != 0 || mic.n.Load() != 0 {
				t.Errorf("before the answer %d packets leave, and the microphone is read %d times", n, mic.n.Load())
			}
			answer()
			next[engine.Answered](t, call)
			next[engine.Secured](t, call)
			isClosed(t, r.heard, "voice")
			if sounds(t, heard, 10) { // the other side says nothing
				t.Error("the tone goes on")
			}
			if n := h.opens.Load(); n != 1 {
				t.Errorf("the audio is opened %d times", n)
			}
		})
	}
}

// Audio that is refused, fails or hangs while it rings leaves the call as it would be
// if nobody had wanted a tone: with the same events.
func TestTonesChangeNoEvents(t *testing.T) {
	t.Parallel()
	broken := errors.New("no microphone here")
	for _, c := range []struct {
		name  string
		first route.Report
		err   error // while it rings, and after the answer, unless it heals
		heals bool
		opens int64 // with tones
		want  []engine.Event
	}{
		{name: "a headset", first: headset, opens: 1, want: []engine.Event{
			engine.Ringing{}, engine.Answered{}, engine.RouteRefused{}, engine.RouteRestored{}, engine.Secured{}}},
		{name: "fails", first: builtin, err: broken, opens: 2, want: []engine.Event{
			engine.Ringing{}, engine.Answered{}, engine.Ended{}}},
		{name: "fails while it rings", first: builtin, err: broken, heals: true, opens: 2, want: []engine.Event{
			engine.Ringing{}, engine.Answered{}, engine.Secured{}}},
	} {
		for _, tones := range []string{"", engine.NoTones} {
			t.Run(c.name+tones, func(t *testing.T) {
				t.Parallel()
				h, heard := newHardware(c.first), newRecorder(1)
				h.sink = heard
				if c.err != nil {
					h.err.Store(&c.err)
				}
				tried, once := make(chan struct{}), sync.Once{}
				call, _, answer := newRogue(t, true).rings(newEngine(t, engine.Config{Tones: tones, OpenAudio: func(ctx context.Context) (engine.Audio, error) {
					defer once.Do(func() { close(tried) })
					return h.open(ctx)
				}}))
				var got, want []string
				for _, e := range c.want {
					want = append(want, fmt.Sprintf("%T", e))
				}
				for len(got) < len(want) {
					e := anything(t, call)
					got = append(got, fmt.Sprintf("%T", e))
					switch e := e.(type) {
					case engine.Ringing:
						if tones == "" {
							isClosed(t, tried, "OpenAudio")
						}
						if c.heals {
							h.err.Store(nil)
						}
						answer()
					case engine.RouteRefused:
						if n := len(heard.heard()); n != 0 {
							t.Errorf("%d samples go to a headset", n)
						}
						h.set(builtin)
					case engine.Ended:
						if e.Reason.Kind != engine.AudioFailed || e.Reason.Text != broken.Error() {
							t.Errorf("ended with %+v", e.Reason)
						}
					}
				}
				opens := int64(1)
				if tones == "" {
					opens = c.opens
				}
				if !slices.Equal(got, want) || h.opens.Load() != opens {
					t.Errorf("%v, audio opened %d times; want %v, %d times", got, h.opens.Load(), want, opens)
				}
			})
		}
	}
}

// anything is the next event that is no Security.
func anything(t *testing.T, c *engine.Call) engine.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, security := e.(engine.Security); !security {
			return e
		}
	}
}

// Audio that hangs while it rings keeps neither the answer nor the keys; it is not
// asked for again.
func TestAnsweredWhileAudioHangs(t *testing.T) {
	t.Parallel()
	heard := newRecorder(1)
	late := newLateAudio(engine.Audio{Source: audio.Silence{}, Sink: heard, Watch: route.NewReporter(builtin)})
	r := newRogue(t, true)
	call, _, answer := r.rings(newEngine(t, engine.Config{OpenAudio: late.open})) // which panics the second time
	isClosed(t, late.begun, "OpenAudio")
	answer()
	next[engine.Ringing](t, call)
	next[engine.Answered](t, call)
	isClosed(t, r.agreed, "keys")
	late.before = func() {
		if n := len(heard.heard()); n != 0 || r.seen[media.KindRTP].Load() != 0 {
			t.Errorf("%d samples are heard", n)
		}
	}
	close(late.may)
	next[engine.Secured](t, call)
	isClosed(t, r.heard, "voice")
	if sounds(t, heard, 10) {
		t.Error("a tone is heard after the answer")
	}
}

// A call that has audio for its tones ends in every way that a ringing call can, and
// closes it, even if it hangs.
func TestEndWhileItRings(t *testing.T) {
	t.Parallel()
	const soon, refusal = 2 * time.Second, 4 * time.Second
	for name, c := range map[string]struct {
		end  func(*engine.Engine, *engine.Call, *sip.Dialog)
		kind engine.ReasonKind
		took time.Duration // at least, and not longer than soon after that
	}{
		"we hang up":        {func(_ *engine.Engine, c *engine.Call, _ *sip.Dialog) { _ = c.Close() }, engine.Canceled, 0},
		"the engine closes": {func(e *engine.Engine, _ *engine.Call, _ *sip.Dialog) { _ = e.Close() }, engine.HungUp, 0},
		"busy":              {func(_ *engine.Engine, _ *engine.Call, d *sip.Dialog) { _ = d.Reject(486) }, engine.Busy, refusal},
	} {
		for _, state := range []string{"sounds", "is refused", "hangs", "opens"} {
			if c.took != 0 && state != "sounds" {
				continue // these wait as long; TestRefusalIsCutShort has them in virtual time
			}
			t.Run(name+" while the audio "+state, func(t *testing.T) {
				t.Parallel()
				device := slowToClose{newStuck(), make(chan struct{})}
				close(device.may)
				report, sink := builtin, audio.Sink(audio.Discard{})
				switch state {
				case "is refused":
					report = headset
				case "hangs":
					sink = device.stuck
				}
				late := newLateAudio(engine.Audio{Source: device, Sink: sink, Watch: route.NewReporter(report)})
				late.before = func() {}
				if state != "opens" {
					close(late.may)
				}
				e := newEngine(t, engine.Config{OpenAudio: late.open})
				call, dialog, _ := newRogue(t, true).rings(e)
				isClosed(t, late.begun, "OpenAudio")
				if state == "hangs" {
					isClosed(t, device.begun, "a frame")
				}
				begun := time.Now()
				go c.end(e, call, dialog)
				got := until[engine.Ended](t, call)
				if took := time.Since(begun); took < c.took || took > c.took+soon || got.Reason.Kind != c.kind {
					t.Errorf("ended after %v with %+v", took, got.Reason)
				}
				isClosed(t, device.closed, "the device's Close")
			})
		}
	}
}
