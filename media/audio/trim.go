package audio

import "sync"

const (
	// A Trimmer's filter reaches over trimTaps/2 samples to both sides. Under a
	// Kaiser window of trimBeta its images are 80 dB down for what is below
	// 20 kHz, and all of that passes.
	trimTaps = 32
	trimBeta = 8.0
	// Between two samples there are trimPhases filters; what lies between two
	// filters is taken from both in proportion.
	trimPhases = 256

	one = int64(1) << 32 // of a sample, in fixed point
)

// MaxTrim is how far a Trimmer's rates may differ: 1 in 500, which is 2000 ppm.
const MaxTrim = 1.0 / 500

// trimBank holds a filter for each phase, and one more: the last is the first,
// one sample on.
type trimBank [trimPhases + 1][trimTaps]float32

// trimFilters is the one bank, made when it is first wanted.
var trimFilters = sync.OnceValue(func() *trimBank {
	var bank trimBank
	for p := range bank {
		for i := range trimTaps {
			x := float64(i-trimTaps/2+1) - float64(p)/trimPhases
			bank[p][i] = float32(sinc(x) * kaiser(trimBeta, x/(trimTaps/2)))
		}
	}
	return &bank
})

// Trimmer converts one stream between two clocks that tick almost alike, whose
// ratio may change with each call: the difference is not heard, and there is no
// join. It allocates nothing after construction. Not safe for concurrent use.
type Trimmer struct {
	bank *trimBank
	// in is the past and one frame of new samples, with room for what more a
	// rate within MaxTrim needs.
	in [trimTaps + FrameSamples + FrameSamples/500 + 2]float32
	// pos is where the next output sample lies in what is new, in 1/one of a
	// sample; down to -1 if the last call ended early.
	pos int64
}

// NewTrimmer makes one.
func NewTrimmer() *Trimmer { return &Trimmer{bank: trimFilters()} }

// TrimDelay is how much later the output of a Trimmer is, in samples.
const TrimDelay = trimTaps / 2

// TrimRoom is how many samples a frame can become.
const TrimRoom = FrameSamples + FrameSamples/500 + 2

func fixed(step float64) int64 {
	return int64(min(max(step, 1-MaxTrim), 1+MaxTrim) * float64(one))
}

// Need is how many samples of input make n of output when step samples of
// input are one of output, where n is at most a frame.
func (t *Trimmer) Need(n int, step float64) int {
	return int((t.pos+int64(n-1)*fixed(step))>>32) + 1
}

// Process takes all of src, at most TrimRoom samples, with step samples of
// input being one of output, and returns how many it has written to dst. That
// has room for [TrimRoom], or for as many as [Trimmer.Need] was asked about.
func (t *Trimmer) Process(dst, src []int16, step float64) int {
	for i, v := range src {
		t.in[trimTaps+i] = float32(v)
	}
	by, end := fixed(step), int64(len(src))<<32
	n := 0
	for ; n < len(dst) && t.pos < end; n++ {
		dst[n] = clip(t.at(t.pos))
		t.pos += by
	}
	t.pos -= end
	copy(t.in[:trimTaps], t.in[len(src):len(src)+trimTaps])
	return n
}

// at is the signal at pos, a delay later.
func (t *Trimmer) at(pos int64) float32 {
	// Sample 0 of what is new is in[trimTaps], and the last tap falls on it;
	// position -1 still has all of its taps.
	x := (*[trimTaps]float32)(t.in[1+int(pos>>32):])
	phase := uint32(pos)
	a, b := &t.bank[phase>>24], &t.bank[phase>>24+1]
	var a0, a1, b0, b1 float32 // two sums each, as in dot
	for i := 0; i < trimTaps; i += 2 {
		a0 += a[i] * x[i]
		b0 += b[i] * x[i]
		a1 += a[i+1] * x[i+1]
		b1 += b[i+1] * x[i+1]
	}
	part := float32(phase<<8) * (1.0 / (1 << 32))
	return (1-part)*(a0+a1) + part*(b0+b1)
}
