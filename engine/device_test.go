package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip"
)

func TestAudioFailures(t *testing.T) {
	broken := errors.New("no microphone here")
	a := newEngine(t, engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) { return engine.Audio{}, broken }})
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.AudioFailed || e.Reason.Text != broken.Error() {
		t.Errorf("ended with %+v", e.Reason)
	}
	if e := until[engine.Ended](t, callee); !e.Reason.Remote {
		t.Errorf("the other side ended with %+v", e.Reason)
	}
}

// half is an end of audio that counts how often it is closed.
type half struct {
	audio.Silence
	audio.Discard
	closed *atomic.Int64
}

func (h half) Close() error { h.closed.Add(1); return nil }

// A program that opens half of the audio, or none, hears so by the end of the call,
// and goes on, also where tones would be played before. What it has opened is closed.
func TestAudioWithoutEnds(t *testing.T) {
	t.Parallel()
	for name, a := range map[string]func(h half) engine.Audio{
		"no source": func(h half) engine.Audio { return engine.Audio{Sink: h} },
		"no sink":   func(h half) engine.Audio { return engine.Audio{Source: h} },
	} {
		for _, insecure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, insecure %v", name, insecure), func(t *testing.T) {
				var opened, closed atomic.Int64
				call, _, answer := newRogue(t, true).rings(newEngine(t, engine.Config{
					AllowInsecure: insecure,
					OpenAudio: func(context.Context) (engine.Audio, error) {
						opened.Add(1)
						a := a(half{closed: &closed})
						if !insecure {
							a.Routes = []route.Route{{Class: route.Internal}}
						}
						return a, nil
					},
				}))
				next[engine.Ringing](t, call)
				answer()
				if e := until[engine.Ended](t, call); e.Reason.Kind != engine.AudioFailed || !strings.Contains(e.Reason.Text, "no source or no sink") {
					t.Errorf("ended with %+v", e.Reason)
				}
				if opened.Load() == 0 || opened.Load() != closed.Load() {
					t.Errorf("%d were opened, %d closed", opened.Load(), closed.Load())
				}
			})
		}
	}
}

// A source that ends ends the call.
func TestSourceEnds(t *testing.T) {
	a := newEngine(t, withAudio(audio.NewClip(make([]int16, audio.SampleRate/4), false), audio.Discard{}))
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.HungUp {
		t.Errorf("ended with %+v", e.Reason)
	}
	until[engine.Ended](t, callee)
}

// A Bluetooth route is refused: no media packet leaves, and the reason says
// what to do.
func TestRouteRefused(t *testing.T) {
	a := newEngine(t, engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{
			Source: audio.NewTone(440, 0.5), Sink: audio.Discard{},
			Routes: []route.Route{{Class: route.BluetoothA2DP, Device: "CheapHeadset"}},
		}, nil
	}})
	b := newEngine(t, engine.Config{})
	caller, callee := connect(t, a, b)
	r := until[engine.Refused](t, caller)
	if r.Route == nil || r.Route.Class != route.BluetoothA2DP || r.Text == "" {
		t.Errorf("refused with %+v", r)
	}
	e := next[engine.Ended](t, caller)
	if e.Reason.Kind != engine.NoRoute || e.Stats.PacketsSent != 0 {
		t.Errorf("ended with %+v after %d packets", e.Reason, e.Stats.PacketsSent)
	}
	if got := until[engine.Ended](t, callee); got.Stats.PacketsReceived != 0 || got.Stats.Discarded.Clear != 0 {
		t.Errorf("the other side received %+v", got.Stats)
	}
}

func TestUnknownRouteIsRefused(t *testing.T) {
	a := newEngine(t, engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.Silence{}, Sink: audio.Discard{}}, nil
	}})
	caller, _ := connect(t, a, newEngine(t, engine.Config{}))
	if r := until[engine.Refused](t, caller); r.Route == nil {
		t.Errorf("refused with %+v", r)
	}
}

// stuck is a device that blocks until it is closed.
type stuck struct {
	begun  chan struct{} // closed with the first call
	closed chan struct{}
	once   sync.Once
}

func newStuck() *stuck { return &stuck{begun: make(chan struct{}), closed: make(chan struct{})} }

func (s *stuck) ReadFrame([]int16) error {
	s.once.Do(func() { close(s.begun) })
	<-s.closed
	return os.ErrClosed
}

func (s *stuck) WriteFrame(pcm []int16) error { return s.ReadFrame(pcm) }

// isClosed waits until c is closed.
func isClosed(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(limit):
		t.Fatalf("%s: never", what)
	}
}

// slowToClose is one that holds its Close back until it may.
type slowToClose struct {
	*stuck
	may chan struct{}
}

func (s slowToClose) Close() error {
	<-s.may
	close(s.closed)
	return nil
}

// A device that hangs keeps neither the peer from hearing that the call is over
// nor the call from ending.
func TestStuckDevice(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"source", "sink"} {
		t.Run(name, func(t *testing.T) {
			device := slowToClose{newStuck(), make(chan struct{})}
			cfg := withAudio(device, audio.Discard{})
			if name == "sink" {
				cfg = withAudio(audio.Silence{}, device)
			}
			call, dialog, _ := newRogue(t, true).call(cfg)
			until[engine.Secured](t, call)
			isClosed(t, device.begun, "a frame")
			done := make(chan struct{})
			go func() {
				_ = call.Close()
				close(done)
			}()
			if reason := endOf(t, dialog); reason.Kind != sip.HungUp {
				t.Errorf("the peer ended with %+v", reason)
			}
			close(device.may)
			isClosed(t, done, "Close")
			isClosed(t, device.closed, "the device's Close")
		})
	}
}

// lateAudio opens when its context ends, or when it may.
type lateAudio struct {
	begun, may chan struct{}
	audio      engine.Audio
	before     func() // runs when it may
}

func newLateAudio(a engine.Audio) *lateAudio {
	return &lateAudio{begun: make(chan struct{}), may: make(chan struct{}), audio: a}
}

func (l *lateAudio) open(ctx context.Context) (engine.Audio, error) {
	close(l.begun)
	select {
	case <-ctx.Done():
	case <-l.may:
		l.before()
	}
	return l.audio, nil
}

// A call whose audio is still being opened can be ended from both sides; what
// was opened too late is closed.
func TestEndWhileAudioOpens(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*engine.Call, *sip.Dialog){
		"we hang up":          func(c *engine.Call, _ *sip.Dialog) { _ = c.Close() },
		"the other side does": func(_ *engine.Call, d *sip.Dialog) { _ = d.Bye(context.Background(), "") },
	} {
		t.Run(name, func(t *testing.T) {
			device := slowToClose{newStuck(), make(chan struct{})}
			close(device.may)
			late := newLateAudio(engine.Audio{Source: device, Sink: audio.Discard{}})
			call, dialog, _ := newRogue(t, true).call(engine.Config{OpenAudio: late.open})
			isClosed(t, late.begun, "OpenAudio")
			go end(call, dialog)
			if e := until[engine.Ended](t, call); e.Reason.Kind != engine.HungUp {
				t.Errorf("ended with %+v", e.Reason)
			}
			isClosed(t, device.closed, "the device's Close")
		})
	}
}

// Keys are agreed while the audio is being opened; they and the voice wait for
// it, and for what its route is.
func TestKeysWaitForTheRoute(t *testing.T) {
	t.Parallel()
	for class, secure := range map[route.Class]bool{route.Internal: true, route.BluetoothA2DP: false} {
		t.Run(class.String(), func(t *testing.T) {
			r := newRogue(t, true)
			late := newLateAudio(engine.Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Routes: []route.Route{{Class: class}}})
			call, _, _ := r.call(engine.Config{OpenAudio: late.open})
			isClosed(t, r.agreed, "keys")
			late.before = func() {
				if call.Level().Encrypted() || r.seen[media.KindRTP].Load() != 0 {
					t.Errorf("%s before there is audio", call.Level())
				}
			}
			close(late.may)
			until[engine.Answered](t, call)
			if !secure {
				next[engine.Refused](t, call)
				if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NoRoute || e.Level != engine.LevelNone {
					t.Errorf("ended with %+v, %s", e.Reason, e.Level)
				}
				return
			}
			next[engine.Secured](t, call)
			isClosed(t, r.heard, "voice")
		})
	}
}
