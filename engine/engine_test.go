package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/route"
)

// limit bounds every wait of these tests: nothing sleeps, but nothing may
// hang either.
const limit = time.Minute

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

// next takes the next event and demands its type; a Security that is not asked
// for is passed over.
func next[E engine.Event](t *testing.T, c *engine.Call) E {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for {
		e, err := c.Next(ctx)
		if err != nil {
			t.Fatalf("waiting for an event: %v", err)
		}
		want, ok := e.(E)
		if _, passed := e.(engine.Security); !ok && !passed {
			t.Fatalf("got %T %+v, want %T", e, e, want)
		}
		if ok {
			return want
		}
	}
}

// reaches waits until the user is told of the level.
func reaches(t *testing.T, c *engine.Call, level engine.SecurityLevel) engine.Security {
	t.Helper()
	for {
		if s := until[engine.Security](t, c); s.Level == level {
			return s
		}
	}
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

// toneSink knows when it has heard a tenth of a second of a tone, undisturbed.
// It takes its time: the phase may jump when the jitter buffer changes its
// delay, and a loaded machine loses frames.
type toneSink struct {
	hz    float64
	last  []int16
	heard chan struct{} // closed when it has
	done  bool
}

func newToneSink(hz float64) *toneSink { return &toneSink{hz: hz, heard: make(chan struct{})} }

func (s *toneSink) WriteFrame(pcm []int16) error {
	const tenth = audio.SampleRate / 10
	s.last = append(s.last, pcm...)
	if s.done || len(s.last) < tenth {
		return nil
	}
	s.last = append(s.last[:0], s.last[len(s.last)-tenth:]...)
	if audio.ToneLevel(s.last, s.hz) > 0.9 {
		s.done = true
		close(s.heard)
	}
	return nil
}

func TestSecureCall(t *testing.T) {
	heardA, heardB := newToneSink(880), newToneSink(440)
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
	for _, s := range []*toneSink{heardA, heardB} {
		select {
		case <-s.heard:
		case <-time.After(limit):
			t.Fatalf("the %v Hz tone was not heard", s.hz)
		}
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	ea, eb := next[engine.Ended](t, caller), next[engine.Ended](t, callee)
	if ea.Reason.Kind != engine.HungUp || eb.Reason.Kind != engine.HungUp || !eb.Reason.Remote || eb.Reason.Text != "the other side hung up" {
		t.Errorf("ended with %+v, %+v", ea.Reason, eb.Reason)
	}
	if _, err := caller.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("after Ended: %v", err)
	}
	if ea.Stats.PacketsSent == 0 || ea.Stats.PacketsReceived == 0 || ea.Stats.Discarded.Clear != 0 {
		t.Errorf("statistics: %+v", ea.Stats)
	}
	if got := caller.Stats(); got != ea.Stats {
		t.Errorf("statistics after the end: %+v", got)
	}
}

// Two phones that offer nothing but Galois/counter mode hear each other.
func TestGCMCall(t *testing.T) {
	t.Parallel()
	heardA, heardB := newToneSink(880), newToneSink(440)
	cfgA, cfgB := withAudio(audio.NewTone(440, 0.5), heardA), withAudio(audio.NewTone(880, 0.5), heardB)
	cfgA.AuthTags, cfgB.AuthTags = []string{"GCM"}, []string{"GCM"}
	caller, callee := connect(t, newEngine(t, cfgA), newEngine(t, cfgB))
	for _, c := range []*engine.Call{caller, callee} {
		if s := until[engine.Secured](t, c); !strings.HasSuffix(s.Suite, "/AES3/GCM/B256") {
			t.Errorf("suite %s", s.Suite)
		}
	}
	for _, s := range []*toneSink{heardA, heardB} {
		isClosed(t, s.heard, "the tone")
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*engine.Call{caller, callee} {
		if s := until[engine.Ended](t, c).Stats; s.Discarded.Auth+s.Discarded.Malformed != 0 || s.PacketsReceived == 0 {
			t.Errorf("%+v", s)
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
			reaches(t, c, engine.LevelCompared)
			if c.Level() != engine.LevelCompared {
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
	if s.PeerZID != zid || s.Level != engine.LevelSuspect || s.Verified {
		t.Errorf("no alarm: %+v", s)
	}
	reaches(t, caller, engine.LevelSuspect)
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

// Two sides with nothing in common find out, and neither thinks it is secure.
func TestNothingInCommonIsNotSecure(t *testing.T) {
	for name, cfg := range map[string][2]engine.Config{
		"key agreement": {{KeyAgreements: []string{"X255"}}, {KeyAgreements: []string{"EC25"}}},
		"SAS":           {{SASTypes: []string{"B256"}}, {SASTypes: []string{"B32"}}},
	} {
		t.Run(name, func(t *testing.T) {
			caller, callee := connect(t, newEngine(t, cfg[0]), newEngine(t, cfg[1]))
			refused := 0
			for _, c := range []*engine.Call{caller, callee} {
				e := until[engine.Ended](t, c)
				if e.Reason.Kind == engine.NotSecure {
					refused++
				} else if e.Reason.Kind != engine.HungUp || !e.Reason.Remote {
					t.Errorf("ended with %+v", e.Reason)
				}
				if e.Level != engine.LevelNone || e.Stats.PacketsSent != 0 || e.Stats.PacketsReceived != 0 {
					t.Errorf("%s, %+v", e.Level, e.Stats)
				}
			}
			if refused == 0 {
				t.Error("nobody says why")
			}
		})
	}
}

// leftBehind waits until no more goroutines of this module run than before.
func leftBehind(t *testing.T, before int) {
	t.Helper()
	for start := time.Now(); ; runtime.Gosched() {
		stacks := ours()
		if len(stacks) <= before {
			return
		}
		if time.Since(start) > limit {
			t.Errorf("%d goroutines, %d before:\n%s", len(stacks), before, strings.Join(stacks, "\n\n"))
			return
		}
	}
}

// ours are the stacks of the goroutines that run this module's code, but for
// the tests.
func ours() (stacks []string) {
	buf := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		if strings.Contains(stack, "sotto/") && !strings.Contains(stack, "testing.tRunner") {
			stacks = append(stacks, stack)
		}
	}
	return stacks
}

// Closing at any step leaves nothing behind and never hangs.
func TestCloseAtEveryStep(t *testing.T) {
	for step := range 12 {
		t.Run(fmt.Sprint(step), func(t *testing.T) {
			before := len(ours())
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
			leftBehind(t, before)
		})
	}
}

// seven is as many as a Hello has room for (RFC 6189 §5.2).
var seven = []string{"X3M3", "X1M1", "X448", "X255", "EC38", "EC25", "DH3k"}

// A phone may offer as many algorithms as fit, and be met at the last.
func TestSevenKeyAgreements(t *testing.T) {
	t.Parallel()
	for _, last := range []string{"X3M3", "DH3k"} {
		caller, callee := connect(t, newEngine(t, engine.Config{KeyAgreements: seven}), newEngine(t, engine.Config{KeyAgreements: []string{last}}))
		for _, c := range []*engine.Call{caller, callee} {
			if s := until[engine.Secured](t, c); !strings.HasPrefix(s.Suite, last+"/") {
				t.Errorf("suite %s, want %s", s.Suite, last)
			}
		}
	}
}

func TestBadConfig(t *testing.T) {
	taken := newEngine(t, engine.Config{})
	for name, cfg := range map[string]engine.Config{
		"port in use":          {Bind: taken.Addr().String()},
		"no address":           {Bind: "nonsense"},
		"nobody's address":     {Bind: "0.0.0.0:0"}, // which no peer could send to
		"eight key exchanges":  {KeyAgreements: append(slices.Clone(seven), "DH2k")},
		"unknown key exchange": {KeyAgreements: []string{"RSA"}},
		"a longer name":        {KeyAgreements: []string{"EC25519"}},
		"no name":              {KeyAgreements: []string{"X255", ""}},
		"a longer SAS":         {SASTypes: []string{"B256K"}},
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
	if _, err := engine.New(engine.Config{Identity: "alice"}); !errors.Is(err, engine.ErrBadAddress) {
		t.Errorf("a bad identity: %v", err)
	}
	if _, err := taken.Dial(t.Context(), "mailto:bob@test"); !errors.Is(err, engine.ErrBadAddress) {
		t.Errorf("a mail address: %v", err)
	}
}
