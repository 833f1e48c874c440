package engine

import (
	"sync/atomic"

	"sotto/media/audio"
)

// jack is where the stream meets the audio. What is plugged in may change while
// the stream flows; without anything there is silence. The players read and
// write it, the leg plugs and pulls, the watch flushes.
type jack struct {
	in      atomic.Pointer[Audio]
	plugged bool         // by the leg, which owns it; in is nil all the same once it has failed
	failed  chan failure // takes one: what was plugged in has failed, and is out
}

// failure is an error on its way to the leg.
type failure struct{ err error }

func newJack() *jack { return &jack{failed: make(chan failure, 1)} }

// ReadFrame is [audio.Source]. A failure of audio with a watch over it is told
// through failed, because it may be replaced; others are the caller's.
func (j *jack) ReadFrame(pcm []int16) error {
	a := j.in.Load()
	if a == nil {
		clear(pcm)
		return nil
	}
	err := a.Source.ReadFrame(pcm)
	if err == nil || a.Watch == nil {
		return err
	}
	clear(pcm)
	j.fail(a, err)
	return nil
}

// WriteFrame is [audio.Sink]; its failures are as those of ReadFrame.
func (j *jack) WriteFrame(pcm []int16) error {
	a := j.in.Load()
	if a == nil {
		return nil
	}
	err := a.Sink.WriteFrame(pcm)
	if err == nil || a.Watch == nil {
		return err
	}
	j.fail(a, err)
	return nil
}

// plug has the stream use a.
func (j *jack) plug(a Audio) {
	j.in.Store(&a)
	j.plugged = true
}

// out reports whether what the leg has plugged in has failed. What failed tells
// may be about audio that was pulled meanwhile.
func (j *jack) out() bool { return j.plugged && j.in.Load() == nil }

// pull leaves silence, and forgets that what was plugged in has failed. One
// goroutine may call it.
func (j *jack) pull() {
	j.in.Store(nil)
	j.plugged = false
	select {
	case <-j.failed:
	default:
	}
}

func (j *jack) fail(a *Audio, err error) {
	if !j.in.CompareAndSwap(a, nil) {
		return // the leg has pulled it already
	}
	select {
	case j.failed <- failure{err}:
	default:
	}
}

// Flush is [audio.Flusher], for both ends.
func (j *jack) Flush() {
	if a := j.in.Load(); a != nil {
		flush(a.Source)
		flush(a.Sink)
	}
}

func flush(end any) {
	if f, ok := end.(audio.Flusher); ok {
		f.Flush()
	}
}

// hearing is the jack as a source only: what is to be played stays when the
// microphone is flushed.
type hearing struct{ *jack }

// Flush is [audio.Flusher].
func (h hearing) Flush() {
	if a := h.in.Load(); a != nil {
		flush(a.Source)
	}
}
