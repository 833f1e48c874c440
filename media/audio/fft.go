package audio

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// fft transforms x, whose length is a power of two, in place (radix 2,
// decimation in time).
func fft(x []complex128) {
	n := len(x)
	shift := 64 - bits.Len(uint(n-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); n > 1 && i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	twiddle := make([]complex128, n/2)
	for i := range twiddle {
		twiddle[i] = cmplx.Rect(1, -2*math.Pi*float64(i)/float64(n))
	}
	for size := 2; size <= n; size *= 2 {
		half, step := size/2, n/size
		for start := 0; start < n; start += size {
			for k := range half {
				even, odd := x[start+k], x[start+k+half]*twiddle[k*step]
				x[start+k], x[start+k+half] = even+odd, even-odd
			}
		}
	}
}

// bestLag finds the shift of b against a at which the two are most alike, by
// the peak of their cross-correlation. It is positive if b is later.
func bestLag(a, b []float32) int {
	n := 1 << bits.Len(uint(len(a)+len(b)))
	// Two real signals are transformed as one complex one, a + ib.
	x := make([]complex128, n)
	for i, v := range a {
		x[i] = complex(float64(v), 0)
	}
	for i, v := range b {
		x[i] += complex(0, float64(v))
	}
	fft(x)
	// With A and B taken apart again, conj(A)·B is the correlation; another
	// forward transform of it runs backwards in time.
	y := make([]complex128, n)
	for i := range x {
		p, q := x[i], cmplx.Conj(x[-i&(n-1)])
		fa, fb := (p+q)/2, (p-q)/2i
		y[i] = cmplx.Conj(fa) * fb
	}
	fft(y)
	lag, peak := 0, math.Inf(-1)
	for i, v := range y {
		if real(v) > peak {
			lag, peak = -i, real(v)
		}
	}
	if lag <= -len(a) {
		lag += n
	}
	return lag
}
