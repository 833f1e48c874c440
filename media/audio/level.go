package audio

import (
	"math"
	"sync/atomic"
)

// Level is how loud a frame is, in dB below a full-scale sine's peak (dBFS):
// 0 is the loudest, and digital silence is [SilenceLevel].
type Level struct {
	Peak float64 // the greatest sample
	// RMS is the mean: a full-scale sine is at -3.01.
	RMS float64
}

// SilenceLevel is the level of a frame of zeros, below that of any other.
const SilenceLevel = -120.0

// LevelOf measures pcm.
func LevelOf(pcm []int16) Level {
	var peak, energy int64
	for _, v := range pcm {
		x := int64(v)
		peak = max(peak, x, -x)
		energy += x * x
	}
	return Level{
		Peak: decibels(float64(peak)),
		RMS:  decibels(math.Sqrt(float64(energy) / float64(max(len(pcm), 1)))),
	}
}

func decibels(amplitude float64) float64 {
	return max(SilenceLevel, 20*math.Log10(amplitude/-math.MinInt16))
}

// Meter shows the level of a stream. One goroutine measures, any number of
// others read; neither waits for another. The zero value has seen nothing.
type Meter struct {
	// level is both numbers as float32, so that they change together.
	level atomic.Uint64
	seen  atomic.Bool
}

// Measure takes a frame's level.
func (m *Meter) Measure(pcm []int16) {
	l := LevelOf(pcm)
	m.level.Store(uint64(math.Float32bits(float32(l.Peak)))<<32 | uint64(math.Float32bits(float32(l.RMS))))
	m.seen.Store(true)
}

// Level is that of the last frame measured; silence before the first.
func (m *Meter) Level() Level {
	if !m.seen.Load() {
		return Level{Peak: SilenceLevel, RMS: SilenceLevel}
	}
	l := m.level.Load()
	return Level{Peak: float64(math.Float32frombits(uint32(l >> 32))), RMS: float64(math.Float32frombits(uint32(l)))}
}

// ramp is how long a change of loudness takes: 5 ms, so that it does not click.
const ramp = FrameSamples / 4

// Gate lets a stream through or makes it silence, without a click. One
// goroutine applies it, any other closes and opens it. The zero value is open.
type Gate struct {
	closed atomic.Bool
	// fading is how far the ramp to silence has come, from 0, open, to ramp.
	fading int
}

// Close makes what comes silent, or lets it through again.
func (g *Gate) Close(closed bool) { g.closed.Store(closed) }

// Closed reports whether what comes is made silent.
func (g *Gate) Closed() bool { return g.closed.Load() }

// Apply does so to the next samples of the stream. The first ones after a
// change fade out or in; after that a closed gate yields zeros.
func (g *Gate) Apply(pcm []int16) {
	towards, end := -1, 0
	if g.closed.Load() {
		towards, end = 1, ramp
	}
	for i := range pcm {
		if g.fading == end {
			if end == ramp {
				clear(pcm[i:])
			}
			return
		}
		g.fading += towards
		pcm[i] = int16(int(pcm[i]) * (ramp - g.fading) / ramp)
	}
}
