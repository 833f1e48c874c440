package engine

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// NoTones is the [Config.Tones] of who wants none.
const NoTones = "off"

// tonesKnown reports whether s is a [Config.Tones].
func tonesKnown(s string) bool {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	return s == "" || s == NoTones || len(s) == 2 && letter(s[0]) && letter(s[1])
}

// refusalHeard is how long the caller of a refused call hears that it is, the
// opening of the audio included.
const refusalHeard = 4 * time.Second

// tones are what a caller hears until there is voice. A goroutine of their own opens
// the call's audio for them, earlier than the voice needs it, and owns it until
// they are stopped; then the leg has it, as if it had just been opened. What is
// refused meanwhile is not told, and looked at again then; what fails is opened
// anew, as a call's audio is.
type tones struct {
	cfg  *Config
	now  atomic.Pointer[audio.ProgressTone] // which is heard; that goroutine reads it
	ctx  context.Context                    // while they may be heard
	stop context.CancelFunc                 // ends them; does not wait
	over chan struct{}                      // closed when they are heard no more, or nobody knows whether they ever will be
	end  func()                             // closes over, if nobody has
}

// startTones opens audio for the first tone; life bounds that. The audio comes once,
// after stop.
func startTones(life context.Context, cfg *Config, first *audio.ProgressTone) (*tones, <-chan opened) {
	t := &tones{cfg: cfg, over: make(chan struct{})}
	t.now.Store(first)
	t.end = sync.OnceFunc(func() { close(t.over) })
	t.ctx, t.stop = context.WithCancel(context.Background())
	reports := make(chan opened, 1)
	go func() {
		o := t.run(life)
		t.end()
		<-t.ctx.Done()
		reports <- o
	}()
	return t, reports
}

// run opens the audio and has the tones heard over it until they are stopped. Where a
// route is refused there may be another one soon.
func (t *tones) run(life context.Context) opened {
	a, err := t.cfg.OpenAudio(life)
	o := opened{audio: a, lost: err != nil}
	if errors.As(err, new(*route.Refusal)) {
		t.end()
		o = t.reopen(life, Audio{})
	}
	for !o.lost && t.ctx.Err() == nil && o.audio.listened(t.cfg) {
		if o = t.play(o.audio); o.lost {
			o = t.reopen(life, o.audio)
		}
	}
	return o
}

// reopen closes audio that is of no use any more, and opens other, again and again
// until there is some or the tones are stopped.
func (t *tones) reopen(life context.Context, old Audio) opened {
	_ = old.Close() // nothing follows from it
	for {
		select {
		case <-time.After(reopenAfter):
		case <-t.ctx.Done():
			return opened{lost: true}
		}
		if a, err := t.cfg.OpenAudio(life); err == nil {
			return opened{audio: a}
		}
	}
}

// listened reports whether there is somebody at a who may hear tones: a device has a
// watch in secure mode, and without it may have nothing. A file is to have the call
// only.
func (a Audio) listened(cfg *Config) bool {
	file := len(a.Routes) > 0 && !slices.ContainsFunc(a.Routes, func(r route.Route) bool { return r.Class != route.Internal })
	return a.Watch != nil || cfg.AllowInsecure && !file
}

// play has the tones heard until they are stopped or a fails, the watch over it
// included. In secure mode it is held to the route as voice is: verified first,
// watched all the while.
func (t *tones) play(a Audio) opened {
	ctx, end := context.WithCancel(t.ctx)
	p := &tonePlayer{tones: t, sink: a.Sink}
	sightings, failed := make(chan sighting), make(chan struct{})
	var group sync.WaitGroup
	if !t.cfg.AllowInsecure {
		p.gate = &media.Gate{}
		jack := newJack()
		jack.plug(a)
		w := &watcher{watch: a.Watch, policy: t.cfg.Routes, jack: jack}
		group.Go(func() { w.run(ctx, sightings) })
	}
	group.Go(func() {
		if realtime.Playout(ctx, time.Now(), p) != nil {
			close(failed)
		}
	})
	lost := false
	for !lost && ctx.Err() == nil {
		select {
		case s := <-sightings:
			if lost = s.lost; s.err == nil {
				_ = p.gate.Open(s.verified) // if it is revoked already, the next sighting is on its way
			}
		case <-failed:
			lost = true
		case <-ctx.Done():
		}
	}
	end()
	if a.closeIfStuck(group.Wait) {
		return opened{lost: true}
	}
	flush(a.Sink)
	return opened{audio: a, lost: lost}
}

// tonePlayer writes the tone of now to the sink. The goroutine of its Playout owns
// it.
type tonePlayer struct {
	tones *tones
	sink  audio.Sink
	gate  *media.Gate // nil without secure mode
	pcm   [audio.FrameSamples]int16
}

// Play is [realtime.Player]. Without a verified route nothing is written at all.
func (p *tonePlayer) Play(time.Time) (time.Duration, error) {
	if !p.gate.Passes() {
		return media.FrameDuration, nil
	}
	_ = p.tones.now.Load().ReadFrame(p.pcm[:]) // has no end
	err := p.sink.WriteFrame(p.pcm[:])
	if !p.gate.Passes() { // who has shut it may have flushed the sink before it had the frame
		flush(p.sink)
	}
	return media.FrameDuration, err
}

// sound lets our user hear a tone from now on.
func (l *leg) sound(p audio.Progress) {
	if l.cfg.Tones == NoTones {
		return
	}
	tone := audio.NewProgressTone(p, l.cfg.Tones)
	if l.tones != nil {
		l.tones.now.Store(tone)
		return
	}
	l.tones, l.opening = startTones(l.ctx, l.cfg, tone)
}

// hush ends the tones, if there are any; their audio follows as l.opening.
func (l *leg) hush() {
	if l.tones != nil {
		l.tones.stop()
	}
}

// soundRefusal tells the caller of a refused call at once, and lets him hear it for a
// while, unless Close or the Engine's end come before. What is asked of the call is
// answered meanwhile.
func (l *leg) soundRefusal() {
	tone, refused := refusalTone(*l.reason)
	if !refused || !l.gone || l.answered || l.call.incoming || l.ctx.Err() != nil {
		return
	}
	l.say(Unanswered{*l.reason})
	if l.sound(tone); l.tones == nil {
		return
	}
	enough := time.NewTimer(refusalHeard)
	defer enough.Stop()
	for {
		select {
		case f := <-l.call.commands:
			f(l)
		case <-l.tones.over:
			return
		case <-l.tones.ctx.Done():
			return
		case <-l.ctx.Done():
			return
		case <-enough.C:
			return
		}
	}
}

// refusalTone is what the caller hears of why a call has not been answered. Who has given
// up needs to hear nothing.
func refusalTone(r Reason) (tone audio.Progress, refused bool) {
	if r.Kind == Busy {
		return audio.Busy, true
	}
	return audio.Congestion, r.Code != 0 || r.Kind == Unreachable
}
