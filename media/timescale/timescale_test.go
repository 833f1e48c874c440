package timescale

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const (
	frame = SampleRate / 50
	past  = 15 * SampleRate / 1000
)

func newScaler(t testing.TB, channels int) *Scaler {
	t.Helper()
	s, err := New(channels)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ways are the two changes, with what they do to the length.
var ways = []struct {
	name string
	sign int
	f    func(s *Scaler, pcm []int16, past, limit int) int
}{
	{"shorten", -1, (*Scaler).Shorten},
	{"lengthen", +1, (*Scaler).Lengthen},
}

// run plays pcm in frames and changes every other one in way w.
func run(s *Scaler, w int, pcm []int16) (out []int16, changed, calls int) {
	c := s.channels
	buf := make([]int16, past*c, (past+2*frame)*c)
	for at := 0; at+frame*c <= len(pcm); at += frame * c {
		buf = append(buf[:past*c], pcm[at:at+frame*c]...)
		if at/(frame*c)%2 == 1 {
			n := ways[w].f(s, buf, past, MaxChange)
			buf = buf[:len(buf)+ways[w].sign*n*c]
			changed += n
			calls++
		}
		out = append(out, buf[past*c:]...)
		copy(buf, buf[len(buf)-past*c:])
	}
	return out, changed, calls
}

func tone(hz, amplitude float64, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(amplitude * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)))
	}
	return pcm
}

func noise(seed uint64, amplitude float64, n int) []int16 {
	r := rand.New(rand.NewPCG(seed, 0))
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(max(min(amplitude*r.NormFloat64(), math.MaxInt16), math.MinInt16))
	}
	return pcm
}

// level is the power of hz in pcm.
func level(pcm []int16, hz float64) float64 {
	var re, im float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/float64(len(pcm)))
		re += window * cos * float64(v)
		im += window * sin * float64(v)
	}
	return re*re + im*im
}

// fundamental is the frequency of the strongest partial near hz, in Hz.
func fundamental(pcm []int16, hz float64) (best float64) {
	most := 0.0
	for f := hz * 0.98; f <= hz*1.02; f += hz / 2000 {
		if l := level(pcm, f); l > most {
			best, most = f, l
		}
	}
	return best
}

// A tone comes out shorter or longer by just what is said, and sounds the same.
func TestToneKeepsItsPitch(t *testing.T) {
	for w, way := range ways {
		for _, hz := range []float64{85, 120, 233, 440, 1000, 3000} {
			in := tone(hz, 12000, 2*SampleRate)
			out, changed, calls := run(newScaler(t, 1), w, in)
			if len(out) != len(in)+way.sign*changed {
				t.Errorf("%s, %v Hz: %d samples of %d, though %d were changed", way.name, hz, len(out), len(in), changed)
			}
			if changed < calls*minChange {
				t.Errorf("%s, %v Hz: %d samples changed in %d calls", way.name, hz, changed, calls)
			}
			part := out[SampleRate/2:][:SampleRate/4]
			if got := fundamental(part, hz); math.Abs(got-hz) > hz/500 {
				t.Errorf("%s, %v Hz: now %.1f Hz", way.name, hz, got)
			}
			// Its power is still at its frequency.
			if share := level(part, hz) / level(tone(hz, 12000, len(part)), hz); share < 0.85 || share > 1.05 {
				t.Errorf("%s, %v Hz: %.2f of the power is left", way.name, hz, share)
			}
		}
	}
}

// steepest is the greatest difference of neighbours of one channel.
func steepest(pcm []int16, channels int) (most int) {
	for i := channels; i < len(pcm); i++ {
		most = max(most, int(pcm[i])-int(pcm[i-channels]), int(pcm[i-channels])-int(pcm[i]))
	}
	return most
}

// Whatever comes, what is joined is no steeper than the signal was, but for
// the difference of what is joined spread over the fade; and what was played
// stays as it was.
func TestJoinsAreBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	changes := 0
	for _, way := range ways {
		for round := range 4000 {
			c := 1 + round%2
			s := newScaler(t, c)
			s.refused = 50 // takes anything
			before, ahead := r.IntN(2*MaxPast), r.IntN(3*frame)
			pcm := make([]int16, (before+ahead)*c, (before+ahead+MaxChange)*c)
			switch round % 5 {
			case 0:
				copy(pcm, noise(uint64(round), 15000, len(pcm)))
			case 1: // from one end of the scale to the other
				for i := range pcm {
					pcm[i] = math.MinInt16
					if i > len(pcm)/3 && i < len(pcm)/2 {
						pcm[i] = math.MaxInt16
					}
				}
			case 2:
				copy(pcm, tone(50+2000*r.Float64(), 32000, len(pcm)))
			case 3:
				pcm[r.IntN(len(pcm)+1)%max(len(pcm), 1)] = math.MaxInt16
			}
			in, limit := slices.Clone(pcm), r.IntN(2*MaxChange)
			n := way.f(s, pcm, before, limit)
			if n < 0 || n > limit || n > MaxChange || n != 0 && n < minChange {
				t.Fatalf("%s, %d: changed %d, limit %d", way.name, round, n, limit)
			}
			out := pcm[:len(pcm)+way.sign*n*c]
			if !slices.Equal(out[:before*c], in[:before*c]) {
				t.Fatalf("%s, %d: the past has changed", way.name, round)
			}
			if n == 0 {
				if !slices.Equal(out, in) {
					t.Fatalf("%s, %d: refused and changed", way.name, round)
				}
				continue
			}
			changes++
			if got, most := steepest(out, c), steepest(in, c)+math.MaxUint16/minFade+1; got > most {
				t.Fatalf("%s, %d: a step of %d, %d allowed", way.name, round, got, most)
			}
			// Only the fade is new: both ends are as they were.
			tail := (ahead - n - min(n, ahead-n)) * c
			if !slices.Equal(out[len(out)-tail:], in[len(in)-tail:]) {
				t.Fatalf("%s, %d: the tail has changed", way.name, round)
			}
		}
	}
	if changes < 4000 {
		t.Errorf("only %d changes: nothing was tested", changes)
	}
}

// Both channels are cut at the same place.
func TestStereo(t *testing.T) {
	mono := speechClip(t)[:3*SampleRate]
	both := make([]int16, 2*len(mono))
	for i, v := range mono {
		both[2*i], both[2*i+1] = v, v
	}
	for w, way := range ways {
		want, _, _ := run(newScaler(t, 1), w, mono)
		got, changed, _ := run(newScaler(t, 2), w, both)
		if changed == 0 || len(got) != 2*len(want) {
			t.Fatalf("%s: %d samples, mono has %d", way.name, len(got), len(want))
		}
		for i := range want {
			if got[2*i] != want[i] || got[2*i+1] != want[i] {
				t.Fatalf("%s: sample %d is %d and %d, want %d", way.name, i, got[2*i], got[2*i+1], want[i])
			}
		}
	}
	if s, err := New(3); s != nil || err == nil {
		t.Error("three channels")
	}
}

// Speech is changed at once where it is voiced or silent. Everywhere, what
// comes out is what went in, but for where it lies.
func TestSpeechStaysAlike(t *testing.T) {
	in := speechClip(t)[:4*SampleRate]
	for w, way := range ways {
		out, changed, calls := run(newScaler(t, 1), w, in)
		if share := float64(changed) / float64(len(in)); share < 0.05 {
			t.Errorf("%s: changed by %.3f", way.name, share)
		}
		like, frames := 0.0, 0
		for at := 0; at+frame <= len(out); at += 5 * frame {
			if power(out[at:at+frame]) < 1e4 {
				continue
			}
			like += bestMatch(in, out[at:at+frame], at*len(in)/len(out))
			frames++
		}
		t.Logf("%s: %d calls, by %.3f; alike %.4f over %d frames", way.name, calls, float64(way.sign*changed)/float64(len(in)), like/float64(frames), frames)
		if like /= float64(frames); like < 0.97 {
			t.Errorf("%s: alike only by %.3f", way.name, like)
		}
	}
}

func power(pcm []int16) (p float64) {
	for _, v := range pcm {
		p += float64(v) * float64(v)
	}
	return p / float64(len(pcm))
}

// bestMatch is the greatest correlation of part with what lies within 150 ms
// of near.
func bestMatch(in, part []int16, near int) (best float64) {
	for at := max(near-7200, 0); at <= min(near+7200, len(in)-len(part)); at += 3 {
		var cross, a, b float64
		for i, v := range part {
			x, y := float64(v), float64(in[at+i])
			cross, a, b = cross+x*y, a+x*x, b+y*y
		}
		best = max(best, cross/math.Sqrt(a*b+1))
	}
	return best
}

// Noise has no period: it is left alone at first, and gives way when that is
// asked for long enough, or much is to be made good.
func TestPatience(t *testing.T) {
	pcm := noise(9, 3000, past+frame)
	s := newScaler(t, 1)
	calls := 0
	for s.Shorten(slices.Clone(pcm), past, MaxChange) == 0 {
		if calls++; calls > 50 {
			t.Fatal("noise was left alone for more than a second")
		}
	}
	if calls < 25 {
		t.Errorf("noise was changed after %d frames", calls)
	}
	if s.Shorten(slices.Clone(pcm), past, MaxChange) != 0 {
		t.Error("and again at once")
	}
	hasty := 0
	for s = newScaler(t, 1); s.Shorten(slices.Clone(pcm), past, urgent) == 0; hasty++ {
	}
	if hasty >= calls {
		t.Errorf("changed after %d frames when much was to be made good, after %d else", hasty, calls)
	}
}

// Silence is left out and made at once, as much as there is.
func TestSilence(t *testing.T) {
	for _, way := range ways {
		for name, pcm := range map[string][]int16{"digital": make([]int16, past+frame), "faint": noise(1, 4, past+frame)} {
			pcm = slices.Grow(pcm, MaxChange)
			if n := way.f(newScaler(t, 1), pcm, past, frame); n != MaxChange {
				t.Errorf("%s, %s: changed by %d", way.name, name, n)
			}
		}
	}
}

// A sound that begins behind silence, as a consonant does, is heard once, and whole.
func TestSoundBehindSilence(t *testing.T) {
	burst := tone(2000, 12000, 120)
	for _, way := range ways {
		changes := 0
		for at := 0; at+len(burst) <= frame; at += 24 {
			pcm := make([]int16, past+frame, past+2*frame)
			copy(pcm[past+at:], burst)
			n := way.f(newScaler(t, 1), pcm, past, MaxChange)
			if n > 0 {
				changes++
			}
			out := pcm[past : past+frame+way.sign*n]
			if heard := power(out) * float64(len(out)) / (power(burst) * float64(len(burst))); heard < 0.99 || heard > 1.01 {
				t.Errorf("%s by %d: of what begins after %d samples %.2f is heard", way.name, n, at, heard)
			}
		}
		if changes < 10 {
			t.Errorf("%s: changed %d times", way.name, changes)
		}
	}
}

// Without enough ahead, room or wish, nothing is done.
func TestTooLittle(t *testing.T) {
	full := tone(440, 9000, past+frame)
	for _, way := range ways {
		s := newScaler(t, 1)
		for _, limit := range []int{-frame, 0, minChange - 1} {
			if n := way.f(s, slices.Clone(full), past, limit); n != 0 {
				t.Errorf("%s, limit %d: changed by %d", way.name, limit, n)
			}
		}
		for _, n := range []int{0, 1, MinAhead - 1} {
			if got := way.f(s, slices.Grow(slices.Clone(full[:past+n]), frame), past, frame); got != 0 {
				t.Errorf("%s, %d ahead: changed by %d", way.name, n, got)
			}
		}
	}
	if n := newScaler(t, 1).Lengthen(slices.Clip(slices.Clone(full)), past, frame); n != 0 {
		t.Errorf("lengthened by %d without room", n)
	}
}

func TestNoAllocation(t *testing.T) {
	s, pcm := newScaler(t, 1), slices.Grow(speechClip(t)[SampleRate:SampleRate+past+frame], frame)
	buf := make([]int16, len(pcm), 2*len(pcm))
	if n := testing.AllocsPerRun(200, func() {
		copy(buf, pcm)
		s.Shorten(buf, past, MaxChange)
		s.Lengthen(buf, past, MaxChange)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzScaler: any samples and numbers; what is promised holds.
func FuzzScaler(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint16(0), int16(0), false)
	f.Add([]byte{1, 2, 3, 250, 128}, uint16(720), uint16(960), int16(600), true)
	f.Add([]byte{0, 127, 0, 128}, uint16(10), uint16(480), int16(480), false)
	f.Add([]byte{255}, uint16(240), uint16(2880), int16(32767), true)
	f.Fuzz(func(t *testing.T, pattern []byte, past, ahead uint16, limit int16, stereo bool) {
		c := 1
		if stereo {
			c = 2
		}
		before, n := int(past)%2000, (int(past)%2000+int(ahead)%4000)*c
		in := make([]int16, n, n+MaxChange*c)
		for i := range in {
			if len(pattern) > 0 {
				in[i] = int16(pattern[i%len(pattern)])<<8 | int16(pattern[i*7%len(pattern)])
			}
		}
		s := newScaler(t, c)
		for range 60 {
			for _, way := range ways {
				pcm := slices.Grow(slices.Clone(in), MaxChange*c)
				changed := way.f(s, pcm, before, int(limit))
				if changed < 0 || changed > max(int(limit), 0) || changed > MaxChange {
					t.Fatalf("%s: %d, limit %d", way.name, changed, limit)
				}
				out := pcm[:len(pcm)+way.sign*changed*c]
				if steepest(out, c) > steepest(in, c)+math.MaxUint16/minFade+1 || !slices.Equal(out[:before*c], in[:before*c]) {
					t.Fatalf("%s by %d: a step of %d", way.name, changed, steepest(out, c))
				}
			}
		}
	})
}

func BenchmarkShorten(b *testing.B) { benchmark(b, 0) }

func BenchmarkLengthen(b *testing.B) { benchmark(b, 1) }

// benchmark costs a frame of voice with the frame copied there.
func benchmark(b *testing.B, w int) {
	s, clip := newScaler(b, 1), speechClip(b)
	buf := make([]int16, past+frame, past+2*frame)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		copy(buf, clip[i%300*frame:])
		ways[w].f(s, buf, past, MaxChange)
	}
}
