package engine

import (
	"context"
	"io"
	"time"

	"sotto/media/audio"
	"sotto/media/route"
)

// silence is the Audio of a Config that names none.
func silence(context.Context) (Audio, error) {
	return Audio{Source: audio.Silence{}, Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal, Device: "silence"}}}, nil
}

// close closes what can be closed.
func (a Audio) close() {
	for _, end := range []any{a.Source, a.Sink} {
		if c, ok := end.(io.Closer); ok {
			_ = c.Close() // nothing follows from it
		}
	}
}

// opened is what Config.OpenAudio has returned.
type opened struct {
	audio Audio
	err   error
}

// openAudio asks for the call's audio, which may take its time. The goroutine
// reports once; finish waits for it if nobody has.
func (l *leg) openAudio() {
	reports := make(chan opened, 1)
	go func() {
		audio, err := l.cfg.OpenAudio(l.ctx)
		reports <- opened{audio, err}
	}()
	l.opening = reports
}

// onAudio takes the audio over and, in secure mode, verifies its routes: before
// that no keys reach the media, and without keys the audio stands still.
func (l *leg) onAudio(o opened) {
	l.opening = nil
	if o.err != nil {
		l.fail(AudioFailed, o.err)
		return
	}
	l.voice.audio = o.audio
	if !l.mode.insecure {
		verified, err := l.cfg.Routes.Verify(o.audio.Routes...)
		if err != nil {
			l.rule(routeLost)
			l.stopVoice(err)
			return
		}
		l.verified = verified
		l.rule(routeVerified)
	}
	if err := l.voice.start(l.cfg, l.agreed, l.ssrc, l.engine.phases); err != nil {
		l.fail(AudioFailed, err)
		return
	}
	l.scheduleReport(time.Now())
	l.proceed()
}
