package devices

import (
	"errors"
	"io"
	"testing"

	"sotto/media/audio"
	"sotto/media/audio/voice"
)

// end is a device that counts.
type end struct{ frames, closed int }

func (e *end) ReadFrame([]int16) error  { e.frames++; return nil }
func (e *end) WriteFrame([]int16) error { e.frames++; return nil }
func (e *end) Close() error             { e.closed++; return nil }

// Nothing stands between a call and its devices unless it is asked for; and then
// something does, or the build says that it cannot.
func TestVoice(t *testing.T) {
	mic, speaker := &end{}, &end{}
	source, sink, err := (Choice{}).couple(mic, speaker)
	if source != audio.Source(mic) || sink != audio.Sink(speaker) || err != nil {
		t.Fatalf("by default: %T, %T, %v", source, sink, err)
	}
	c := Choice{Voice: voice.Options{Echo: true}}
	source, sink, err = c.couple(mic, speaker)
	if _, built := voice.New(c.Voice); built != nil {
		if !errors.Is(err, voice.ErrNotBuilt) || source != audio.Source(mic) || sink != audio.Sink(speaker) {
			t.Fatalf("without speexdsp: %T, %T, %v", source, sink, err)
		}
		return
	}
	if err != nil || source == audio.Source(mic) || sink == audio.Sink(speaker) {
		t.Fatalf("with speexdsp: %T, %T, %v", source, sink, err)
	}
	pcm := make([]int16, audio.FrameSamples)
	if err = errors.Join(sink.WriteFrame(pcm), source.ReadFrame(pcm), source.(io.Closer).Close(), sink.(io.Closer).Close()); err != nil {
		t.Error(err)
	}
	if *mic != (end{1, 1}) || *speaker != (end{1, 1}) {
		t.Errorf("%+v, %+v", mic, speaker)
	}
}
