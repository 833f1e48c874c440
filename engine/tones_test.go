package engine

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip"
)

// handset is what tones are played to in virtual time: a card, and a microphone that
// nobody may read.
type handset struct {
	card
	t       *testing.T
	watch   *route.Reporter // nil: nobody watches
	routes  []route.Route
	opens   int
	err     error             // of opening
	written atomic.Int64      // frames
	before  func(frame int64) // each frame
	fails   func(frame int64) error
	closes  atomic.Int64 // once for each end
}

func newHandset(t *testing.T, r route.Report) *handset {
	return &handset{t: t, watch: route.NewReporter(r)}
}

func (h *handset) ReadFrame([]int16) error {
	h.t.Error("the microphone is read")
	return nil
}

func (h *handset) WriteFrame(pcm []int16) error {
	n := h.written.Add(1)
	if h.before != nil {
		h.before(n)
	}
	if h.fails != nil {
		if err := h.fails(n); err != nil {
			return err
		}
	}
	return h.card.WriteFrame(pcm)
}

func (h *handset) Close() error {
	h.closes.Add(1)
	return nil
}

func (h *handset) open(context.Context) (Audio, error) {
	h.opens++
	a := Audio{Source: h, Sink: h, Routes: h.routes}
	if h.watch != nil {
		a.Watch = h.watch
	}
	return a, h.err
}

// hears reports whether there was a sound between two times.
func (h *handset) hears(from, to time.Time) bool {
	return slices.ContainsFunc(h.all(), func(p played) bool { return p.sound && p.at.After(from) && p.at.Before(to) })
}

// ringback begins it.
func (h *handset) ringback(cfg Config) (*tones, <-chan opened) {
	cfg.OpenAudio = h.open
	return startTones(h.t.Context(), &cfg, audio.NewProgressTone(audio.Ringback, cfg.Tones))
}

// handedOver is what the leg gets, and fails if it comes before the tones were
// stopped or much later.
func (h *handset) handedOver(tones *tones, reports <-chan opened, within time.Duration) opened {
	h.t.Helper()
	synctest.Wait()
	if len(reports) != 0 {
		h.t.Fatal("handed over too early")
	}
	tones.stop()
	stopped := time.Now()
	o := <-reports
	if took := time.Since(stopped); took > within {
		h.t.Errorf("handed over after %v", took)
	}
	return o
}

// A caller hears that it rings, in the cadence of the country, until somebody
// answers, and not a moment longer. The voice has the same audio then.
func TestRingback(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		for country, on := range map[string]time.Duration{"": time.Second, "FR": 1500 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				e := newHandset(t, good)
				if insecure {
					e.watch = nil
				}
				tones, reports := e.ringback(Config{Tones: country, AllowInsecure: insecure})
				begin := time.Now()
				at := func(d time.Duration) time.Time { return begin.Add(d + cardDelay) }
				time.Sleep(5500 * time.Millisecond)
				o := e.handedOver(tones, reports, media.FrameDuration)
				answered := time.Now()
				time.Sleep(time.Second)
				if !e.hears(at(0), at(40*time.Millisecond)) || !e.hears(at(on-60*time.Millisecond), at(on)) || !e.hears(at(5*time.Second), answered) {
					t.Errorf("%q: no ringback", country)
				}
				if e.hears(at(on+20*time.Millisecond), at(5*time.Second)) {
					t.Errorf("%q: it rings without a pause", country)
				}
				if e.hears(answered, time.Now()) {
					t.Errorf("%q: it rings after the answer", country)
				}
				if o.lost || o.err != nil || o.audio.Sink != audio.Sink(e) || e.opens != 1 {
					t.Errorf("%q: handed over: %+v, opened %d times", country, o, e.opens)
				}
			})
		}
	}
}

// In secure mode tones need a verified route as voice does: nothing is written
// without one, and what waits in the card is taken back when the route is in
// doubt.
func TestTonesNeedTheRoute(t *testing.T) {
	for phase := time.Duration(0); phase < media.FrameDuration; phase += 3300 * time.Microsecond {
		synctest.Test(t, func(t *testing.T) {
			e := newHandset(t, bad)
			tones, reports := e.ringback(Config{})
			time.Sleep(2*time.Second + phase)
			if n := e.written.Load(); n != 0 {
				t.Fatalf("%d frames go to a headset", n)
			}
			e.watch.Set(good)
			restored := time.Now()
			time.Sleep(500*time.Millisecond + phase)
			if !e.hears(restored, time.Now()) {
				t.Fatal("no ringback when the route is good")
			}
			e.watch.Set(bad)
			alarm := time.Now()
			synctest.Wait()
			n := e.written.Load()
			time.Sleep(500 * time.Millisecond)
			if e.hears(alarm, time.Now()) || e.written.Load() != n {
				t.Fatal("a sound after the alarm")
			}
			if o := e.handedOver(tones, reports, media.FrameDuration); o.lost {
				t.Error("the audio is lost because of its route")
			}
		})
	}
}

// An alarm while a frame is on its way to the card takes that back too.
func TestToneUnderwayIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		var alarm time.Time
		e.before = func(frame int64) {
			if frame == 10 {
				alarm = time.Now()
				e.watch.Set(bad)
				synctest.Wait() // the route has been looked at, and the card is empty
			}
		}
		tones, reports := e.ringback(Config{})
		time.Sleep(time.Second)
		e.handedOver(tones, reports, media.FrameDuration)
		if alarm.IsZero() || e.hears(alarm, time.Now()) {
			t.Error("a sound after the alarm")
		}
	})
}

// Tones are for who listens at a device that secure mode can watch. Other audio
// stays as it is until there is voice.
func TestWhoHearsTones(t *testing.T) {
	internal := []route.Route{{Class: route.Internal}}
	for _, c := range []struct {
		name            string
		insecure, watch bool
		routes          []route.Route
		err             error
		heard, lost     bool
	}{
		{name: "a watched device", watch: true, heard: true},
		{name: "files", routes: internal},
		{name: "a device that nobody watches", routes: good.Routes},
		{name: "nobody knows what"},
		{name: "a device, no secure mode", insecure: true, heard: true},
		{name: "a watched device, no secure mode", insecure: true, watch: true, heard: true},
		{name: "files, no secure mode", insecure: true, routes: internal},
		{name: "no audio", err: errors.New("no microphone here"), lost: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newHandset(t, good)
			if e.routes, e.err = c.routes, c.err; !c.watch {
				e.watch = nil
			}
			tones, reports := e.ringback(Config{AllowInsecure: c.insecure})
			time.Sleep(500 * time.Millisecond)
			select {
			case <-tones.over:
				if c.heard {
					t.Errorf("%s: it is over", c.name)
				}
			default:
				if !c.heard {
					t.Errorf("%s: the call waits for what nobody hears", c.name)
				}
			}
			if heard := e.written.Load() != 0; heard != c.heard {
				t.Errorf("%s: heard %v", c.name, heard)
			}
			if o := e.handedOver(tones, reports, media.FrameDuration); o.lost != c.lost || o.err != nil {
				t.Errorf("%s: %+v", c.name, o)
			}
		})
	}
}

// Audio that fails while it rings, by itself or with the watch over it, is closed and
// opened anew, though at first there may be none: it rings on, and the voice has the
// audio that it rings in.
func TestTonesLoseTheAudio(t *testing.T) {
	for name, lose := range map[string]func(*handset){
		"unplugged": func(h *handset) {
			h.fails = func(int64) error { return errors.New("unplugged") }
		},
		"the watch ends": func(h *handset) { _ = h.watch.Close() },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHandset(t, good)
			h.before = func(frame int64) {
				if frame == 10 {
					lose(h)
				}
			}
			back := time.Now().Add(5100 * time.Millisecond) // it would ring again
			cfg := Config{OpenAudio: func(ctx context.Context) (Audio, error) {
				if h.opens > 0 && time.Now().Before(back) {
					return Audio{}, errors.New("no loudspeaker here")
				}
				h.fails, h.watch = nil, route.NewReporter(good)
				return h.open(ctx)
			}}
			tones, reports := startTones(t.Context(), &cfg, audio.NewProgressTone(audio.Ringback, ""))
			time.Sleep(time.Until(back))
			if n := h.written.Load(); n > 11 {
				t.Errorf("%s: %d frames go to audio that has failed", name, n)
			}
			time.Sleep(6 * time.Second)
			heard := h.hears(back, time.Now())
			o := h.handedOver(tones, reports, media.FrameDuration)
			if !heard || h.opens != 2 || h.closes.Load() != 2 {
				t.Errorf("%s: heard %v, opened %d times, %d ends closed", name, heard, h.opens, h.closes.Load())
			}
			if o.lost || o.audio.Watch != route.Watch(h.watch) {
				t.Errorf("%s: %+v", name, o)
			}
		})
	}
}

// Audio that is refused when it begins to ring is asked for again, as a call's is: it
// rings as soon as there is some. Nobody waits for that.
func TestTonesAreRefusedAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandset(t, good)
		back := time.Now().Add(time.Second)
		cfg := Config{OpenAudio: func(ctx context.Context) (Audio, error) {
			if time.Now().Before(back) {
				return Audio{}, unknownRoute(route.Policy{}, "no microphone yet")
			}
			return h.open(ctx)
		}}
		tones, reports := startTones(t.Context(), &cfg, audio.NewProgressTone(audio.Ringback, ""))
		synctest.Wait()
		<-tones.over
		time.Sleep(time.Second + reopenAfter + cardDelay + 2*media.FrameDuration)
		if len(h.all()) == 0 {
			t.Error("no ringback when there is audio")
		}
		if o := h.handedOver(tones, reports, media.FrameDuration); o.lost || o.audio.Sink == nil || h.opens != 1 {
			t.Errorf("%+v, opened %d times", o, h.opens)
		}
	})
}

// Audio that has failed while it rings, and is not there when somebody answers, is
// opened for the voice.
func TestAnsweredWithoutAudio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		e.fails = func(int64) error {
			e.err = errors.New("unplugged")
			return e.err
		}
		tones, reports := e.ringback(Config{})
		time.Sleep(5 * time.Second)
		if o := e.handedOver(tones, reports, media.FrameDuration); !o.lost || o.audio.Sink != nil || o.err != nil || e.written.Load() != 1 {
			t.Errorf("%+v after %d frames", o, e.written.Load())
		}
	})
}

// hangs is a handset whose sink hangs until it is closed.
type hangs struct {
	*handset
	closed chan struct{}
}

func (h hangs) WriteFrame([]int16) error {
	<-h.closed
	return os.ErrClosed
}

func (h hangs) Close() error {
	close(h.closed)
	return nil
}

// A loudspeaker that hangs while it rings is closed under the frame, once.
func TestTonesHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		h := hangs{e, make(chan struct{})}
		cfg := Config{OpenAudio: func(context.Context) (Audio, error) { return Audio{Source: e, Sink: h, Watch: e.watch}, nil }}
		tones, reports := startTones(t.Context(), &cfg, audio.NewProgressTone(audio.Ringback, ""))
		time.Sleep(time.Second)
		if o := e.handedOver(tones, reports, stuckAfter); !o.lost || o.audio.Sink != nil {
			t.Errorf("%+v", o)
		}
		<-h.closed
	})
}

// refused is the caller's leg of a call that has ended so, without signalling.
func refused(ctx context.Context, cfg *Config, r Reason) *leg {
	return &leg{cfg: cfg, call: newCall("sip:bob@test", false), ctx: ctx, gone: true, reason: &r}
}

// The caller of a refused call hears why, for some seconds at most, though it
// never rang, and is told at once; whoever has given up hears nothing.
func TestRefusalIsHeard(t *testing.T) {
	for _, c := range []struct {
		reason Reason
		heard  string // in quarters of a second
	}{
		{Reason{Kind: Busy, Code: 486, Remote: true}, "1100"},
		{Reason{Kind: Busy, Code: 600, Remote: true}, "1100"},
		{Reason{Kind: Declined, Code: 603, Remote: true}, "1010"},
		{Reason{Kind: NotFound, Code: 404, Remote: true}, "1010"},
		{Reason{Kind: Failed, Code: 500, Remote: true}, "1010"},
		{Reason{Kind: NoAnswer, Code: 408}, "1010"},
		{Reason{Kind: Unreachable}, "1010"},
		{Reason{Kind: Canceled}, ""},
		{Reason{Kind: NoAnswer}, ""},
		{Reason{Kind: HungUp}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newHandset(t, good)
			l := refused(t.Context(), &Config{OpenAudio: e.open}, c.reason)
			begin := time.Now()
			told := make(chan []Event, 1)
			time.AfterFunc(time.Millisecond, func() { told <- unread(t, l.call) })
			l.soundRefusal()
			took := time.Since(begin)
			l.hush()
			if c.heard == "" {
				if took != 0 || e.opens != 0 || len(<-told) != 0 {
					t.Errorf("%+v: %v, audio opened %d times", c.reason, took, e.opens)
				}
				return
			}
			if got := <-told; !slices.Equal(got, []Event{Unanswered{c.reason}}) {
				t.Errorf("%+v: told at once: %+v", c.reason, got)
			}
			if o := <-l.opening; o.lost || took != refusalHeard || e.opens != 1 {
				t.Errorf("%+v: %v, %+v", c.reason, took, o)
			}
			time.Sleep(time.Second)
			for i, want := range c.heard {
				from := begin.Add(cardDelay + time.Duration(i)*250*time.Millisecond)
				if heard := e.hears(from.Add(30*time.Millisecond), from.Add(220*time.Millisecond)); heard != (want == '1') {
					t.Errorf("%+v: quarter %d: heard %v", c.reason, i, heard)
				}
			}
			if e.hears(begin.Add(refusalHeard+media.FrameDuration), time.Now()) {
				t.Errorf("%+v: no end", c.reason)
			}
		})
	}
}

// Who has heard ringback hears over the same audio that the call is refused.
func TestRefusalAfterRingback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		l := refused(t.Context(), &Config{OpenAudio: e.open}, Reason{Kind: Busy, Code: 486, Remote: true})
		l.sound(audio.Ringback)
		time.Sleep(2 * time.Second) // in its pause
		begin := time.Now()
		l.soundRefusal()
		l.hush()
		<-l.opening
		if !e.hears(begin, begin.Add(200*time.Millisecond)) || e.opens != 1 {
			t.Errorf("opened %d times", e.opens)
		}
	})
}

// No tone keeps a call that is to be over, and nobody waits for one that will not
// be heard.
func TestRefusalIsCutShort(t *testing.T) {
	hang := func(ctx context.Context) (Audio, error) {
		<-ctx.Done()
		return Audio{}, ctx.Err()
	}
	hangUp := func(l *leg, _ context.CancelFunc) { _ = l.call.Close() }
	for _, c := range []struct {
		name string
		cfg  Config
		leg  func(*leg, context.CancelFunc)
		took time.Duration
	}{
		{name: "hung up", took: time.Second, leg: hangUp},
		{name: "hung up while the audio hangs", cfg: Config{OpenAudio: hang}, took: time.Second, leg: hangUp},
		{name: "the audio hangs", cfg: Config{OpenAudio: hang}, took: refusalHeard},
		{name: "the engine closes", took: time.Second, leg: func(_ *leg, close context.CancelFunc) { close() }},
		{name: "no audio", cfg: Config{OpenAudio: func(context.Context) (Audio, error) { return Audio{}, os.ErrNotExist }}},
		{name: "files", cfg: Config{OpenAudio: silence}},
		{name: "no tones", cfg: Config{Tones: NoTones}},
	} {
		synctest.Test(t, func(t *testing.T) {
			e := newHandset(t, good)
			if c.cfg.OpenAudio == nil {
				c.cfg.OpenAudio = e.open
			}
			life, end := context.WithCancel(t.Context())
			l := refused(life, &c.cfg, Reason{Kind: Busy, Code: 486, Remote: true})
			if c.leg != nil {
				go func() {
					time.Sleep(time.Second)
					c.leg(l, end)
				}()
			}
			begin := time.Now()
			l.soundRefusal()
			if took := time.Since(begin); took != c.took {
				t.Errorf("%s: %v", c.name, took)
			}
			l.hush()
			end()
			if c.cfg.Tones != NoTones {
				<-l.opening
			} else if e.opens != 0 {
				t.Error("audio is opened though there are no tones")
			}
			close(l.call.ended)
		})
	}
}

// While the caller hears why, the call answers whoever asks something of it, and the
// tone goes on.
func TestRefusedCallAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		l := refused(t.Context(), &Config{OpenAudio: e.open}, Reason{Kind: Busy, Code: 486, Remote: true})
		asked := make(chan error, 1)
		go func() {
			time.Sleep(time.Second)
			asked <- l.call.Reject()
		}()
		begin := time.Now()
		l.soundRefusal()
		if took := time.Since(begin); took != refusalHeard {
			t.Errorf("heard for %v", took)
		}
		select {
		case err := <-asked:
			if err == nil {
				t.Error("an outgoing call is rejected")
			}
		default:
			t.Error("no answer")
		}
		l.hush()
		<-l.opening
	})
}

// It rings in the caller's ear when a phone rings (180), once, and not while the call is
// on its way (183).
func TestWhatRings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newHandset(t, good)
		l := &leg{cfg: &Config{OpenAudio: e.open}, call: newCall("sip:bob@test", false), ctx: t.Context()}
		if l.onSignal(sip.Ringing{Code: 183}); l.tones != nil || len(l.call.events.events) != 1 {
			t.Errorf("a call on its way rings, and tells %v", l.call.events.events)
		}
		l.onSignal(sip.Ringing{Code: 180})
		first := l.tones.now.Load()
		time.Sleep(time.Second)
		l.onSignal(sip.Ringing{Code: 180})
		last := l.tones.now.Load()
		l.hush()
		<-l.opening
		if last != first || e.opens != 1 {
			t.Errorf("it begins anew, opened %d times", e.opens)
		}
	})
}

// Tones are a country's or none.
func TestTonesConfig(t *testing.T) {
	for tones, known := range map[string]bool{"": true, "off": true, "de": true, "ES": true, "DEU": false, "D": false, "1A": false, "dé": false} {
		e, err := New(Config{Tones: tones})
		if (err == nil) != known {
			t.Errorf("%q: %v", tones, err)
		}
		if err == nil {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
