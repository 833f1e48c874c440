package engine

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"sotto/media/audio"
	"sotto/media/route"
)

// silence is the Audio of a Config that names none.
func silence(context.Context) (Audio, error) {
	return Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal, Device: "silence"}}}, nil
}

// errNoEnds is about an Audio of Config.OpenAudio.
var errNoEnds = errors.New("engine: the audio that was opened has no source or no sink: want audio.Silence or audio.Discard where there is nothing to hear or to play")

// withEnds is open without Audio that nothing can be read from or written to: its
// error ends the call, where a player would end the program.
func withEnds(open func(context.Context) (Audio, error)) func(context.Context) (Audio, error) {
	return func(ctx context.Context) (Audio, error) {
		a, err := open(ctx)
		if err == nil && (a.Source == nil || a.Sink == nil) {
			return Audio{}, errors.Join(errNoEnds, a.Close())
		}
		return a, err
	}
}

// Close closes what can be closed, for who has opened some of an Audio and can't
// give it to an Engine.
func (a Audio) Close() error {
	var failed []error
	for _, end := range []any{a.Source, a.Sink, a.Watch} {
		if c, ok := end.(io.Closer); ok {
			failed = append(failed, c.Close())
		}
	}
	return errors.Join(failed...)
}

// stuckAfter is how long players and watchers may take to end before the audio is
// closed under them. A frame has 20 ms.
const stuckAfter = 200 * time.Millisecond

// closeIfStuck waits for whoever uses a, and closes it under them if that takes too
// long, which it reports.
func (a Audio) closeIfStuck(wait func()) bool {
	closeAudio := sync.OnceFunc(func() { _ = a.Close() })
	rescue := time.AfterFunc(stuckAfter, closeAudio)
	wait()
	if rescue.Stop() {
		return false
	}
	closeAudio() // waits for rescue
	return true
}

// opened is what Config.OpenAudio has returned.
type opened struct {
	audio Audio
	err   error
	lost  bool // there was none, or it is of no use any more, before voice needed it
}

// openAudio closes the audio that there was and asks for other, both of which
// may take their time. The goroutine reports once; finish waits for it if nobody
// has.
func (l *leg) openAudio(old Audio) {
	l.path.reopenAt = time.Time{}
	reports := make(chan opened, 1)
	go func() {
		_ = old.Close() // nothing follows from it
		audio, err := l.cfg.OpenAudio(l.ctx)
		reports <- opened{audio: audio, err: err}
	}()
	l.opening = reports
}

// onAudio takes the audio over and, in secure mode, has its routes verified:
// before that no keys reach the media, and without keys the audio stands still.
func (l *leg) onAudio(o opened) {
	l.opening = nil
	switch {
	case o.lost:
		l.openAudio(o.audio)
		return
	case o.err != nil:
		l.onNoAudio(o.err)
		return
	}
	l.voice.plug(o.audio)
	watched := !l.mode.insecure && o.audio.Watch != nil
	var verified route.Verified
	if !l.mode.insecure && !watched {
		var err error
		if verified, err = checkUnwatched(l.cfg.Routes, o.audio.Routes); err != nil {
			l.rule(routeLost)
			l.stopVoice(err)
			return
		}
	}
	if err := l.voice.start(l.cfg, l.agreed, l.ssrc, l.engine.phases); err != nil {
		l.fail(AudioFailed, err)
		return
	}
	l.scheduleReport(time.Now())
	switch {
	case watched:
		l.watchRoute(o.audio.Watch)
	case l.mode.insecure:
		l.proceed()
	default:
		l.acceptRoute(verified, o.audio.Routes)
	}
}
