package audio_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"sotto/media/audio"
)

// TestTrimmer: a tone keeps its level at any rate, also one that changes with
// each frame, and nothing is added to it: it is the pitch that changes.
func TestTrimmer(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, hz := range []float64{100, 1000, 3400, 8000, 19500} {
		for name, rate := range map[string]func() float64{
			"equal":   func() float64 { return 1 },
			"fast":    func() float64 { return 1 + 200e-6 },
			"slow":    func() float64 { return 1 - 200e-6 },
			"most":    func() float64 { return 1 + audio.MaxTrim },
			"least":   func() float64 { return 1 - audio.MaxTrim },
			"varying": func() float64 { return 1 + (r.Float64()*2-1)*audio.MaxTrim },
		} {
			if snr := trimmed(t, hz, rate); snr < 75 {
				t.Errorf("%v Hz, %s: %.1f dB of signal to noise", hz, name, snr)
			}
		}
	}
}

// trimmed is the signal-to-noise ratio of a tone that went through a Trimmer.
func trimmed(t *testing.T, hz float64, rate func() float64) float64 {
	t.Helper()
	trim, tone := audio.NewTrimmer(), func(at float64) float64 {
		return 16000 * math.Sin(2*math.Pi*hz/audio.SampleRate*at)
	}
	var noise, energy, at float64 // at is where the next sample of output lies
	in, out := make([]int16, audio.TrimRoom), make([]int16, audio.FrameSamples)
	for frame, taken := 0, 0; frame < 12; frame++ {
		step := rate()
		n := trim.Need(audio.FrameSamples, step)
		for i := range n {
			in[i] = int16(math.Round(tone(float64(taken + i))))
		}
		taken += n
		if got := trim.Process(out, in[:n], step); got != audio.FrameSamples {
			t.Fatalf("%d samples made %d", n, got)
		}
		for _, v := range out {
			want := tone(at - audio.TrimDelay)
			at += step
			if frame > 0 { // the filter is full
				noise += (float64(v) - want) * (float64(v) - want)
				energy += want * want
			}
		}
	}
	return 10 * math.Log10(energy/noise)
}

// Frames that go in whole come out whole, over time, at every rate.
func TestTrimmerCounts(t *testing.T) {
	in, out := make([]int16, audio.FrameSamples), make([]int16, audio.TrimRoom)
	for _, ppm := range []float64{0, 1, -1, 200, -200, 1999, -1999, 1e6, -1e6} {
		trim, n := audio.NewTrimmer(), 0
		for range 1000 {
			n += trim.Process(out, in, 1+ppm/1e6)
		}
		want := 1000 * audio.FrameSamples / (1 + min(max(ppm/1e6, -audio.MaxTrim), audio.MaxTrim))
		if math.Abs(float64(n)-want) > 1 {
			t.Errorf("%v ppm: %d samples, want %.1f", ppm, n, want)
		}
	}
}

func TestTrimmerAllocates(t *testing.T) {
	trim := audio.NewTrimmer()
	in, out := make([]int16, audio.FrameSamples), make([]int16, audio.TrimRoom)
	if n := testing.AllocsPerRun(100, func() { trim.Process(out, in, 1.0001) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkTrimmer(b *testing.B) {
	trim := audio.NewTrimmer()
	in, out := noise(audio.FrameSamples), make([]int16, audio.TrimRoom)
	b.ReportAllocs()
	for b.Loop() {
		trim.Process(out, in, 1.0001)
	}
}
