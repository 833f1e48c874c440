package audio

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// ParseSource opens the source that a user names: "silence", "tone:HZ" (such
// as "tone:440", at a quarter of full scale), or the path of a WAV file.
func ParseSource(spec string) (Source, error) {
	hz, isTone := strings.CutPrefix(spec, "tone:")
	switch {
	case spec == "silence":
		return Silence{}, nil
	case isTone:
		f, err := strconv.ParseFloat(hz, 64)
		if err != nil || !(f >= 20 && f <= 20000) {
			return nil, fmt.Errorf("audio: tone of %q Hz: want a number from 20 to 20000", hz)
		}
		return NewTone(f, 0.25), nil
	case spec == "":
		return nil, errors.New("audio: no source named: want silence, tone:HZ or a WAV file")
	}
	s, err := OpenWAV(spec)
	if err != nil {
		return nil, err // a nil *WAVSource would not be a nil Source
	}
	return s, nil
}

// ReadAll reads a source to its end, which it must have.
func ReadAll(s Source) ([]int16, error) {
	var pcm []int16
	for {
		var frame [FrameSamples]int16
		switch err := s.ReadFrame(frame[:]); {
		case errors.Is(err, io.EOF):
			return pcm, nil
		case err != nil:
			return nil, err
		}
		pcm = append(pcm, frame[:]...)
	}
}

// Silence is a source without end.
type Silence struct{}

// ReadFrame fills pcm with zeros.
func (Silence) ReadFrame(pcm []int16) error {
	clear(pcm)
	return nil
}

// Discard is a sink that keeps nothing.
type Discard struct{}

// WriteFrame does nothing.
func (Discard) WriteFrame([]int16) error { return nil }

// Tone is a sine wave without end.
type Tone struct {
	step, phase float64 // radians
	peak        float64
}

// NewTone makes a tone of hz with a peak of level, where 1 is full scale.
func NewTone(hz, level float64) *Tone {
	return &Tone{step: 2 * math.Pi * hz / SampleRate, peak: level * math.MaxInt16}
}

// ReadFrame continues the wave into pcm.
func (t *Tone) ReadFrame(pcm []int16) error {
	for i := range pcm {
		pcm[i] = clip(float32(t.peak * math.Sin(t.phase)))
		t.phase = math.Mod(t.phase+t.step, 2*math.Pi)
	}
	return nil
}

// Clip is a source of PCM in memory.
type Clip struct {
	pcm  []int16
	pos  int
	loop bool
}

// NewClip plays pcm, which it does not copy, once or for ever. An empty clip
// ends at once.
func NewClip(pcm []int16, loop bool) *Clip { return &Clip{pcm: pcm, loop: loop} }

// ReadFrame yields the next frame.
func (c *Clip) ReadFrame(pcm []int16) error {
	if c.pos >= len(c.pcm) && (!c.loop || len(c.pcm) == 0) {
		return io.EOF
	}
	for n := 0; n < len(pcm); {
		if c.pos >= len(c.pcm) {
			if !c.loop {
				clear(pcm[n:])
				break
			}
			c.pos = 0
		}
		k := copy(pcm[n:], c.pcm[c.pos:])
		n += k
		c.pos += k
	}
	return nil
}
