package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/route"
)

// limit bounds every wait of these tests: nothing sleeps, but nothing may
// hang either.
const limit = 20 * time.Second

func newEngine(t *testing.T, cfg engine.Config) *engine.Engine {
	t.Helper()
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

func uri(e *engine.Engine) string { return "sip:bob@" + e.Addr().String() }

// next takes the next event and demands its type.
func next[E engine.Event](t *testing.T, c *engine.Call) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	e, err := c.Next(ctx)
	if err != nil {
		t.Fatalf("waiting for an event: %v", err)
	}
	want, ok := e.(E)
	if !ok {
		t.Fatalf("got %T %+v, want %T", e, e, want)
	}
	return want
}

// until skips events until one of the wanted type.
func until[E engine.Event](t *testing.T, c *engine.Call) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			var want E
			t.Fatalf("waiting for %T: %v", want, err)
		}
		if want, ok := e.(E); ok {
			return want
		}
	}
}

// connect makes a call from a to b and answers it.
func connect(t *testing.T, a, b *engine.Engine) (caller, callee *engine.Call) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	caller, err := a.Dial(t.Context(), uri(b))
	if err != nil {
		t.Fatal(err)
	}
	if callee, err = b.Accept(ctx); err != nil {
		t.Fatal(err)
	}
	if err := callee.Answer(); err != nil {
		t.Fatal(err)
	}
	return caller, callee
}

// recorder is a Sink that keeps what it hears.
type recorder struct {
	mu  sync.Mutex
	pcm []int16
	got chan struct{} // closed when enough has been heard
	min int
}

func newRecorder(min int) *recorder { return &recorder{got: make(chan struct{}), min: min} }

func (r *recorder) WriteFrame(pcm []int16) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := len(r.pcm)
	r.pcm = append(r.pcm, pcm...)
	if before < r.min && len(r.pcm) >= r.min {
		close(r.got)
	}
	return nil
}

func (r *recorder) heard() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]int16(nil), r.pcm...)
}

// withAudio is a Config whose calls play source and are heard by sink.
func withAudio(source audio.Source, sink audio.Sink) engine.Config {
	return engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: source, Sink: sink, Routes: []route.Route{{Class: route.Internal, Device: "test"}}}, nil
	}}
}

func TestSecureCall(t *testing.T) {
	heardA, heardB := newRecorder(audio.SampleRate), newRecorder(audio.SampleRate)
	a := newEngine(t, withAudio(audio.NewTone(440, 0.5), heardA))
	b := newEngine(t, withAudio(audio.NewTone(880, 0.5), heardB))
	caller, callee := connect(t, a, b)
	next[engine.Ringing](t, caller)
	if got := next[engine.Answered](t, caller); got.Codec != "opus" {
		t.Errorf("codec %q", got.Codec)
	}
	next[engine.Answered](t, callee)
	sa, sb := next[engine.Secured](t, caller), next[engine.Secured](t, callee)
	if sa.SAS == "" || sa.SAS != sb.SAS || sa.Suite != sb.Suite || sa.Initiator == sb.Initiator {
		t.Fatalf("the two sides differ: %+v, %+v", sa, sb)
	}
	if sa.Level != engine.LevelEncrypted || caller.Level() != engine.LevelEncrypted || sa.Verified {
		t.Errorf("first call is %s", sa.Level)
	}
	for _, r := range []*recorder{heardA, heardB} {
		select {
		case <-r.got:
		case <-time.After(limit):
			t.Fatal("nothing was heard")
		}
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	ea, eb := next[engine.Ended](t, caller), next[engine.Ended](t, callee)
	if ea.Reason.Kind != engine.HungUp || eb.Reason.Kind != engine.HungUp || !eb.Reason.Remote {
		t.Errorf("ended with %+v, %+v", ea.Reason, eb.Reason)
	}
	if _, err := caller.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after Ended: %v", err)
	}
	if ea.Stats.PacketsSent == 0 || ea.Stats.PacketsReceived == 0 || ea.Stats.Discarded.Clear != 0 {
		t.Errorf("statistics: %+v", ea.Stats)
	}
	for hz, pcm := range map[float64][]int16{880: heardA.heard(), 440: heardB.heard()} {
		// The last tenth of a second: the phase may jump when the jitter
		// buffer changes its delay.
		if level := audio.ToneLevel(pcm[len(pcm)-audio.SampleRate/10:], hz); level < 0.9 {
			t.Errorf("the %v Hz tone has a share of %.2f of what was heard", hz, level)
		}
	}
}

func TestVerifiedFromCallToCall(t *testing.T) {
	a := newEngine(t, engine.Config{StateDir: t.TempDir(), Identity: "sip:alice@test"})
	b := newEngine(t, engine.Config{StateDir: t.TempDir(), Identity: "sip:bob@test"})
	for i, want := range []engine.SecurityLevel{engine.LevelEncrypted, engine.LevelVerified} {
		caller, callee := connect(t, a, b)
		for _, c := range []*engine.Call{caller, callee} {
			if s := until[engine.Secured](t, c); s.Level != want {
				t.Errorf("call %d: %s", i, s.Level)
			}
			if err := c.SetVerified(true); err != nil {
				t.Fatal(err)
			}
			next[engine.PeerVerified](t, c)
			if c.Level() != engine.LevelVerified {
				t.Errorf("call %d: %s after the SAS was compared", i, c.Level())
			}
		}
		if err := callee.Close(); err != nil {
			t.Fatal(err)
		}
		next[engine.Ended](t, caller)
	}
}

func TestLostCacheRaisesTheAlarm(t *testing.T) {
	stateA, identity := t.TempDir(), "sip:alice@test"
	a := newEngine(t, engine.Config{StateDir: stateA, Identity: identity})
	stateB := t.TempDir()
	b := newEngine(t, engine.Config{StateDir: stateB})
	caller, _ := connect(t, a, b)
	zid := until[engine.Secured](t, caller).PeerZID
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	// b calls itself bob now and so looks up another record: to a it is
	// the same ZID without the secret.
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	b = newEngine(t, engine.Config{StateDir: stateB, Identity: "sip:robert@test"})
	caller, _ = connect(t, a, b)
	s := until[engine.Secured](t, caller)
	if s.PeerZID != zid || s.Level != engine.LevelSuspect || s.Level.Missing() == "" {
		t.Errorf("no alarm: %+v", s)
	}
	next[engine.CacheMismatch](t, caller)
	if err := caller.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	next[engine.Refused](t, caller)
	if e := next[engine.Ended](t, caller); e.Reason.Kind != engine.NotSecure {
		t.Errorf("ended with %+v", e.Reason)
	}
}

func TestReject(t *testing.T) {
	a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
	caller, err := a.Dial(t.Context(), uri(b))
	if err != nil {
		t.Fatal(err)
	}
	callee, err := b.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := callee.Reject(); err != nil {
		t.Fatal(err)
	}
	if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.Declined || e.Reason.Code != 603 || !e.Reason.Remote {
		t.Errorf("ended with %+v", e.Reason)
	}
	if err := callee.Answer(); err == nil {
		t.Error("a rejected call was answered")
	}
}

func TestCancel(t *testing.T) {
	a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
	caller, err := a.Dial(t.Context(), uri(b))
	if err != nil {
		t.Fatal(err)
	}
	callee, err := b.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.Canceled {
		t.Errorf("caller ended with %+v", e.Reason)
	}
	if e := until[engine.Ended](t, callee); e.Reason.Kind != engine.Canceled || !e.Reason.Remote {
		t.Errorf("callee ended with %+v", e.Reason)
	}
}

func TestHoldAndResume(t *testing.T) {
	a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
	caller, callee := connect(t, a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	for range 2 {
		if err := caller.Hold(t.Context()); err != nil {
			t.Fatal(err)
		}
		if h := next[engine.Held](t, caller); h.Remote {
			t.Error("our own hold is the peer's")
		}
		if h := next[engine.Held](t, callee); !h.Remote {
			t.Error("the peer's hold is our own")
		}
		if err := caller.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		next[engine.Resumed](t, caller)
		next[engine.Resumed](t, callee)
	}
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
	if e.Reason.Kind != engine.RouteRefused || e.Stats.PacketsSent != 0 {
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

// A source that ends ends the call.
func TestSourceEnds(t *testing.T) {
	a := newEngine(t, withAudio(audio.NewClip(make([]int16, audio.SampleRate/4), false), audio.Discard{}))
	caller, callee := connect(t, a, newEngine(t, engine.Config{}))
	if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.HungUp {
		t.Errorf("ended with %+v", e.Reason)
	}
	until[engine.Ended](t, callee)
}

func TestNoCommonSASOrKeyAgreementIsNotSecure(t *testing.T) {
	a := newEngine(t, engine.Config{KeyAgreements: []string{"X255"}})
	b := newEngine(t, engine.Config{KeyAgreements: []string{"EC25"}})
	caller, callee := connect(t, a, b)
	for _, c := range []*engine.Call{caller, callee} {
		if e := until[engine.Ended](t, c); e.Reason.Kind != engine.NotSecure && e.Reason.Kind != engine.HungUp {
			t.Errorf("ended with %+v", e.Reason)
		}
	}
}

// Closing at any step leaves nothing behind and never hangs.
func TestCloseAtEveryStep(t *testing.T) {
	for step := range 12 {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
			caller, err := a.Dial(t.Context(), uri(b))
			if err != nil {
				t.Fatal(err)
			}
			var callee *engine.Call
			if step >= 2 {
				if callee, err = b.Accept(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if step >= 4 {
				if err := callee.Answer(); err != nil {
					t.Fatal(err)
				}
			}
			if step >= 6 {
				until[engine.Answered](t, caller)
			}
			if step >= 8 {
				until[engine.Secured](t, caller)
			}
			if step >= 10 {
				until[engine.Secured](t, callee)
			}
			first, second := a, b
			if step%2 == 1 {
				first, second = b, a
			}
			if err := errors.Join(first.Close(), second.Close(), first.Close()); err != nil {
				t.Error(err)
			}
			until[engine.Ended](t, caller)
			if callee != nil {
				until[engine.Ended](t, callee)
			}
			if _, err := a.Dial(t.Context(), uri(b)); err == nil {
				t.Error("a closed engine made a call")
			}
		})
	}
}

func TestBadConfig(t *testing.T) {
	taken := newEngine(t, engine.Config{})
	for name, cfg := range map[string]engine.Config{
		"port in use":          {Bind: taken.Addr().String()},
		"no address":           {Bind: "nonsense"},
		"unknown key exchange": {KeyAgreements: []string{"RSA"}},
		"unknown SAS":          {SASTypes: []string{"EMO"}},
		"unusable state":       {StateDir: "/dev/null/state"},
		"bad identity":         {Identity: "alice"},
	} {
		e, err := engine.New(cfg)
		if err == nil {
			t.Errorf("%s: accepted", name)
			_ = e.Close()
		}
	}
	if _, err := taken.Dial(t.Context(), "mailto:bob@test"); err == nil {
		t.Error("dialled a mail address")
	}
}
