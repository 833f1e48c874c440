package audio_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sotto/media/audio"
)

// TestResamplerPasses: in the pass band a tone keeps its level and is free of
// images; each rate pair is one that a device, a file or a codec may have.
func TestResamplerPasses(t *testing.T) {
	for _, pair := range [][2]int{
		{8000, 48000}, {11025, 48000}, {16000, 48000}, {22050, 48000}, {32000, 48000}, {44100, 48000},
		{96000, 48000}, {192000, 48000}, {48000, 8000}, {48000, 16000}, {48000, 44100},
	} {
		from, to := pair[0], pair[1]
		nyquist := float64(min(from, to)) / 2
		for _, hz := range []float64{100, 1000, 0.5 * nyquist, 0.84 * nyquist} {
			out := resample(t, sine(hz, from, from/5, 16000), from, to)
			out = out[to/20 : to/5-to/20] // without the edges of the tone
			want := sine(hz, to, to/5, 16000)[to/20 : to/5-to/20]
			var noise float64
			for i := range out {
				d := float64(out[i]) - float64(want[i])
				noise += d * d
			}
			snr := rms(out) - 10*math.Log10(noise/float64(len(out))/(math.MaxInt16*math.MaxInt16/2))
			if snr < 75 {
				t.Errorf("%d to %d Hz: a tone of %v Hz has %.1f dB of signal to noise", from, to, hz, snr)
			}
		}
	}
}

// TestResamplerRejectsAliases: what the output rate can't carry is gone, and
// does not come back as another tone.
func TestResamplerRejectsAliases(t *testing.T) {
	for _, pair := range [][2]int{{48000, 8000}, {48000, 16000}, {48000, 44100}, {96000, 48000}, {192000, 48000}} {
		from, to := pair[0], pair[1]
		for _, part := range []float64{1.01, 1.1, 1.3, 1.7, 1.99} {
			hz := part * float64(to) / 2
			if hz > 0.99*float64(from)/2 {
				continue
			}
			out := resample(t, sine(hz, from, from/5, 32000), from, to)
			if level := rms(out[to/20 : to/5-to/20]); level > -88 {
				t.Errorf("%d to %d Hz: %.0f Hz left %.1f dB", from, to, hz, level)
			}
		}
	}
}

// TestResamplerImages: between the samples of a lower rate nothing appears
// above its band.
func TestResamplerImages(t *testing.T) {
	out := resample(t, sine(3000, 8000, 8000, 32000), 8000, 48000)
	for _, image := range []float64{5000, 11000, 13000, 19000, 21000} {
		if level := audio.ToneLevel(out, image); level > 1e-7 {
			t.Errorf("image at %v Hz: %.1f dB", image, 10*math.Log10(level))
		}
	}
}

func TestResamplerStreams(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, pair := range [][2]int{{8000, 48000}, {44100, 48000}, {48000, 8000}, {48000, 48000}, {11025, 48000}} {
		in := noise(pair[0] / 4)
		whole, parts := newResampler(t, pair), newResampler(t, pair)
		want := make([]int16, whole.MaxOutput(len(in)))
		want = want[:whole.Process(want, in)]
		var got []int16
		for rest := in; len(rest) > 0; {
			n := min(r.IntN(2500), len(rest))
			out := make([]int16, parts.MaxOutput(n))
			got = append(got, out[:parts.Process(out, rest[:n])]...)
			rest = rest[n:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v: in parts %d samples, at once %d, or they differ", pair, len(got), len(want))
		}
		if exact := float64(len(in)) * float64(pair[1]) / float64(pair[0]); math.Abs(exact-float64(len(want))) > 1 {
			t.Errorf("%v: %d samples made %d", pair, len(in), len(want))
		}
	}
}

func newResampler(t testing.TB, pair [2]int) *audio.Resampler {
	t.Helper()
	r, err := audio.NewResampler(pair[0], pair[1])
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestResamplerFrames: between the codec's rate and ours frames stay frames.
func TestResamplerFrames(t *testing.T) {
	up, down := newResampler(t, [2]int{8000, 48000}), newResampler(t, [2]int{48000, 8000})
	narrow, wide := make([]int16, 200), make([]int16, 1000)
	for range 100 {
		if n := up.Process(wide, narrow[:160]); n != 960 {
			t.Fatalf("160 samples made %d", n)
		}
		if n := down.Process(narrow, wide[:960]); n != 160 {
			t.Fatalf("960 samples made %d", n)
		}
	}
}

func TestResamplerClips(t *testing.T) {
	in := make([]int16, 8000)
	for i := range in {
		in[i] = math.MaxInt16
		if i/20%2 == 1 {
			in[i] = math.MinInt16
		}
	}
	for i, v := range resample(t, in, 8000, 48000) {
		// A square wave overshoots; it must clip, not wrap around.
		if phase := i % 240; phase > 10 && phase < 110 && v < 20000 {
			t.Fatalf("sample %d is %d in the positive half", i, v)
		}
	}
}

func TestResamplerRefuses(t *testing.T) {
	for _, pair := range [][2]int{{0, 48000}, {7999, 48000}, {192001, 48000}, {48000, 0}, {48000, 96000}, {-8000, 8000}} {
		if r, err := audio.NewResampler(pair[0], pair[1]); err == nil || r != nil {
			t.Errorf("%v accepted", pair)
		}
	}
}

func BenchmarkResampler(b *testing.B) {
	for _, pair := range [][2]int{{8000, 48000}, {48000, 8000}, {44100, 48000}} {
		b.Run(fmt.Sprint(pair[0], "-", pair[1]), func(b *testing.B) {
			r := newResampler(b, pair)
			in, out := noise(pair[0]/50), make([]int16, 1000)
			b.ReportAllocs()
			for b.Loop() {
				r.Process(out, in)
			}
		})
	}
}
