package audio

import (
	"fmt"
	"math"
)

const (
	minRate = 8000
	maxRate = 192000

	// The filter is a sinc under a Kaiser window. It reaches over halfWidth
	// samples of the lower rate to both sides; with kaiserBeta that rejects
	// aliases by 95 dB, to what 16 bits can carry, and takes the uppermost
	// transition of the lower rate for its slope: at 8 kHz the voice up to
	// 3.4 kHz passes whole. bench/resample measures it beside others.
	halfWidth  = 38
	kaiserBeta = 9.5
	transition = 6.05 / (2 * halfWidth)

	// resampleChunk input samples are worked on at a time.
	resampleChunk = 960
)

// Resampler converts one stream from one sample rate to another. It keeps the
// stream's tail between calls and allocates nothing after construction. Not
// safe for concurrent use.
type Resampler struct {
	up, down int // output and input rate without their common divisor
	taps     int // filter taps for one output sample
	delay    int
	// bank holds a filter of taps for each of the up positions that an output
	// sample can have between two input samples.
	bank []float32
	// in is taps-1 samples of the past and one chunk of new ones.
	in []float32
	// An output sample is next at input index pos of the chunk and phase/up.
	pos, phase int
}

// NewResampler makes a converter between two rates in Hz: from 8000 to 192000
// on the input, and from 8000 to 48000 on the output.
func NewResampler(from, to int) (*Resampler, error) {
	if from < minRate || from > maxRate || to < minRate || to > SampleRate {
		return nil, fmt.Errorf("audio: cannot resample %d Hz to %d Hz", from, to)
	}
	d := gcd(from, to)
	r := &Resampler{up: to / d, down: from / d}
	if r.up == r.down {
		return r, nil
	}
	// Half the filter is made a whole number of output samples long, so that
	// the delay is.
	r.delay = (halfWidth*max(r.up, r.down) + r.down - 1) / r.down
	half := r.delay * r.down
	r.taps = (2*half + r.up) / r.up
	r.bank = make([]float32, r.up*r.taps)
	cutoff := (1 - transition) / float64(max(r.up, r.down)) // of half the rate from*up
	for i := range 2*half + 1 {
		x := float64(i - half)
		h := sinc(x*cutoff) * cutoff * kaiser(kaiserBeta, x/float64(half)) * float64(r.up)
		// Tap i falls on phase i%up, and the past is stored oldest first.
		r.bank[i%r.up*r.taps+r.taps-1-i/r.up] = float32(h)
	}
	r.in = make([]float32, r.taps-1+resampleChunk)
	return r, nil
}

// Delay is how much later the output is than the input, in output samples.
func (r *Resampler) Delay() int { return r.delay }

// MaxOutput is the greatest number of samples that n samples of input make.
func (r *Resampler) MaxOutput(n int) int { return n*r.up/r.down + 1 }

// Process converts all of src, which goes on where the last call ended, and
// returns the number of samples written to dst. dst needs room for
// [Resampler.MaxOutput]; src and dst must not overlap. Between 48 and 8 kHz, a
// whole number of frames always makes as many frames.
func (r *Resampler) Process(dst, src []int16) int {
	if r.taps == 0 {
		return copy(dst[:len(src)], src)
	}
	n := 0
	for len(src) > 0 {
		chunk := src[:min(len(src), resampleChunk)]
		src = src[len(chunk):]
		n += r.chunk(dst[n:], chunk)
	}
	return n
}

func (r *Resampler) chunk(dst, src []int16) int {
	past := r.taps - 1
	for i, s := range src {
		r.in[past+i] = float32(s)
	}
	n := 0
	for ; r.pos < len(src); n++ {
		bank := r.bank[r.phase*r.taps:][:r.taps]
		dst[n] = clip(dot(bank, r.in[r.pos:]))
		r.phase += r.down
		r.pos += r.phase / r.up
		r.phase %= r.up
	}
	r.pos -= len(src)
	copy(r.in, r.in[len(src):len(src)+past])
	return n
}

// dot multiplies a with the first len(a) of b. Four sums run side by side,
// because one would wait for each addition.
func dot(a, b []float32) float32 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float32
	for len(a) >= 4 && len(b) >= 4 {
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
		a, b = a[4:], b[4:]
	}
	for i := range a {
		s0 += a[i] * b[i]
	}
	return s0 + s1 + s2 + s3
}

// clip rounds to the nearest sample value.
func clip(v float32) int16 {
	switch {
	case v >= math.MaxInt16:
		return math.MaxInt16
	case v <= math.MinInt16:
		return math.MinInt16
	case v < 0:
		return int16(v - 0.5)
	case v >= 0:
		return int16(v + 0.5)
	}
	return 0 // not a number
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

// kaiser is the window of beta at x from -1 to 1.
func kaiser(beta, x float64) float64 {
	return bessel(beta*math.Sqrt(max(0, 1-x*x))) / bessel(beta)
}

// bessel is the modified Bessel function of order zero.
func bessel(x float64) float64 {
	sum, term := 1.0, 1.0
	for k := 1.0; term > 1e-9*sum; k++ {
		term *= x / (2 * k) * x / (2 * k)
		sum += term
	}
	return sum
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
