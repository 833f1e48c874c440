package audio_test

import (
	"math"
	"sync"
	"testing"

	"sotto/media/audio"
)

func TestLevelOf(t *testing.T) {
	square := make([]int16, audio.FrameSamples)
	for i := range square {
		square[i] = math.MinInt16
	}
	one := make([]int16, audio.FrameSamples)
	one[17] = -1
	for name, c := range map[string]struct {
		pcm       []int16
		peak, rms float64
	}{
		"sine":       {sine(1000, audio.SampleRate, audio.FrameSamples, 32767), 0, -3.01},
		"half":       {sine(1000, audio.SampleRate, audio.FrameSamples, 16384), -6.02, -9.03},
		"full scale": {square, 0, 0},
		"one sample": {one, -90.31, -90.31 - 29.82},
		"silence":    {make([]int16, audio.FrameSamples), audio.SilenceLevel, audio.SilenceLevel},
		"nothing":    {nil, audio.SilenceLevel, audio.SilenceLevel},
	} {
		got := audio.LevelOf(c.pcm)
		if math.Abs(got.Peak-c.peak) > 0.02 || math.Abs(got.RMS-max(c.rms, audio.SilenceLevel)) > 0.02 {
			t.Errorf("%s: %+v, want %v and %v", name, got, c.peak, c.rms)
		}
	}
}

// Peak and mean that are read together are of one frame.
func TestMeter(t *testing.T) {
	var m audio.Meter
	if l := m.Level(); l.Peak != audio.SilenceLevel || l.RMS != audio.SilenceLevel {
		t.Errorf("before the first frame: %+v", l)
	}
	loud, quiet := make([]int16, 960), make([]int16, 960)
	for i := range loud {
		loud[i], quiet[i] = 20000, -20
	}
	m.Measure(loud)
	var writer sync.WaitGroup
	writer.Go(func() {
		for range 2000 {
			m.Measure(quiet)
			m.Measure(loud)
		}
	})
	for range 10000 {
		// Of a frame of one value, peak and mean are the same.
		if l := m.Level(); math.Abs(l.Peak-l.RMS) > 0.01 {
			t.Fatalf("levels of two frames: %+v", l)
		}
	}
	writer.Wait()
	if l := m.Level(); math.Abs(l.Peak+4.29) > 0.01 {
		t.Errorf("the last frame: %+v", l)
	}
}

// A gate is silent after 5 ms, and on its way there and back no sample is
// further from the one before it than the ramp makes it.
func TestGate(t *testing.T) {
	const level = 30000
	var g audio.Gate
	last := int16(level)
	for frame, closed := range []bool{false, true, true, false, false, true, false} {
		g.Close(closed)
		if g.Closed() != closed {
			t.Error("does not know whether it is closed")
		}
		pcm := make([]int16, audio.FrameSamples)
		for i := range pcm {
			pcm[i] = level
		}
		g.Apply(pcm)
		for i, v := range pcm {
			if d := math.Abs(float64(v) - float64(last)); d > level/240+1 {
				t.Fatalf("frame %d: a jump of %v at sample %d", frame, d, i)
			}
			last = v
		}
		want := int16(level)
		if closed {
			want = 0
		}
		for i, v := range pcm[240:] {
			if v != want {
				t.Fatalf("frame %d: %d at sample %d", frame, v, 240+i)
			}
		}
	}
}

func TestLevelAllocates(t *testing.T) {
	var m audio.Meter
	var g audio.Gate
	pcm := sine(440, audio.SampleRate, audio.FrameSamples, 20000)
	if n := testing.AllocsPerRun(100, func() { m.Measure(pcm); g.Apply(pcm); m.Level() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
