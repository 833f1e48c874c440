package device

import (
	"context"
	"os"
	"sync/atomic"

	"sotto/media/audio"
)

// Source is a microphone. Its frames belong to the goroutine that calls
// ReadFrame; everything else may be called from anywhere.
type Source struct {
	common
	clock clock
	trim  *audio.Trimmer
	raw   [audio.TrimRoom]int16
}

// Sink is a loudspeaker. Its frames belong to the goroutine that calls
// WriteFrame; everything else may be called from anywhere.
type Sink struct {
	common
	clock clock
	trim  *audio.Trimmer
	raw   [audio.TrimRoom]int16
}

// common is what both have.
type common struct {
	line   *line
	outlet outlet
	gate   audio.Gate
	meter  audio.Meter
	closed atomic.Bool
}

var (
	_ audio.Source = (*Source)(nil)
	_ audio.Sink   = (*Sink)(nil)

	_ audio.Flusher = (*Source)(nil)
	_ audio.Flusher = (*Sink)(nil)
)

// OpenSource opens the capture device of exactly that ID. PulseAudio and PipeWire
// show the stream under the name, their media.name; ALSA has none. It takes 3 s at
// most, and less if ctx ends.
func OpenSource(ctx context.Context, id, name string) (*Source, error) {
	return openSource(ctx, id, named(name))
}

// OpenSink opens the playback device of exactly that ID, as OpenSource does.
func OpenSink(ctx context.Context, id, name string) (*Sink, error) {
	return openSink(ctx, id, named(name))
}

func openSource(ctx context.Context, id string, open opener) (*Source, error) {
	s := &Source{trim: audio.NewTrimmer()}
	s.clock = newClock(&s.outlet)
	s.line = newLine(id, Capture, s.outlet.ring.write)
	if err := s.line.dial(ctx, open); err != nil {
		return nil, err
	}
	return s, nil
}

func openSink(ctx context.Context, id string, open opener) (*Sink, error) {
	s := &Sink{trim: audio.NewTrimmer()}
	s.clock = newClock(&s.outlet)
	s.line = newLine(id, Playback, s.play)
	if err := s.line.dial(ctx, open); err != nil {
		return nil, err
	}
	return s, nil
}

// ReadFrame takes what the microphone has brought, and never waits: what has
// not come in time is silence. After Close it returns [os.ErrClosed].
func (s *Source) ReadFrame(pcm []int16) error {
	if s.closed.Load() {
		return os.ErrClosed
	}
	step := s.clock.step(s.outlet.ring.level() - len(pcm))
	raw := s.raw[:s.trim.Need(len(pcm), step)]
	flushed := s.outlet.take(raw)
	s.trim.Process(pcm, raw, step)
	if flushed { // the trimmer has some of the past too
		clear(pcm)
	}
	s.meter.Measure(pcm)
	s.gate.Apply(pcm)
	return nil
}

// Flush implements [audio.Flusher]: what the microphone has heard so far is not
// read, and neither what is still on its way here. No more than that is heard for
// the next 120 ms or so.
func (s *Source) Flush() { s.outlet.flush(underway) }

// WriteFrame hands a frame to the loudspeaker, and never waits. After Close it
// returns [os.ErrClosed].
func (s *Sink) WriteFrame(pcm []int16) error {
	if s.closed.Load() {
		return os.ErrClosed
	}
	s.meter.Measure(pcm)
	step := s.clock.step(s.outlet.ring.level())
	s.outlet.ring.write(s.raw[:s.trim.Process(s.raw[:], pcm, step)])
	return nil
}

// Flush implements [audio.Flusher]: what waits for the card is not played. What
// the card has been given is.
func (s *Sink) Flush() { s.outlet.flush(0) }

// play fills what the card asks for. Muting comes last, so that nothing of what
// waits in the ring is heard after it.
func (s *Sink) play(samples []int16) {
	s.outlet.take(samples)
	s.gate.Apply(samples)
}

// Mute makes the device silent, or not. The next samples of a microphone that
// are read, and of a loudspeaker that the card asks for, fade within 5 ms.
func (c *common) Mute(on bool) { c.gate.Close(on) }

// Level is how loud the last frame was, also while it is muted.
func (c *common) Level() audio.Level { return c.meter.Level() }

// Events tells what happens to the device, until Close. Who does not listen
// loses the oldest of them.
func (c *common) Events() <-chan Event { return c.line.events }

// Gone reports whether the device has ever been [Gone]. Unlike the event, this is not
// lost on who did not listen for a while.
func (c *common) Gone() bool { return c.line.gone.Load() }

// Starved is how often there was nothing to read or to play in time.
func (c *common) Starved() uint64 { return c.outlet.dry.Load() }

// Close ends it, within half a second. If the sound system hangs it returns
// [ErrNoAnswer], and the rest of the work is done when it answers.
func (c *common) Close() error {
	c.closed.Store(true)
	return c.line.close()
}
