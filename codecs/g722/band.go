package g722

import "math"

// band is one of the two sub-bands: an adaptive predictor and the step size of
// an adaptive quantizer. What it does follows from the codes alone, so that
// encoder and decoder stay in step. These are blocks 3 and 4 of ITU-T G.722
// §6.2, with its names, in which a suffix L or H says which band. All values
// fit into 16 bits, and where the Recommendation saturates, so does this.
type band struct {
	nb, det int // step size: its logarithm, and itself

	s, sz int    // prediction of the next sample, and the zeros' part of it
	a     [2]int // coefficients of the two poles, 1 is 1<<14
	b     [6]int // and of the six zeros
	r, p  [2]int // last reconstructed samples, whole and without the poles
	d     [6]int // last quantized differences; the newest is first in all
}

// The limits of nb in each band, and the exponent in it at which the table of
// antilogarithms is taken as it stands.
const (
	maxLow, shiftLow   = 18432, 8
	maxHigh, shiftHigh = 22528, 10
)

func newLow() band  { return band{det: 32} }
func newHigh() band { return band{det: 8} }

// adaptLow follows a code of the lower band. It looks at the upper four of the
// six bits, so that the lower two may be taken away on the line.
func (b *band) adaptLow(code int) {
	d := mult(b.det, inverse4[code>>2])
	b.scale(logStep4[code>>2], maxLow, shiftLow)
	b.predict(d)
}

// adaptHigh follows a code of the higher band, of two bits.
func (b *band) adaptHigh(code int) {
	d := mult(b.det, inverse2[code])
	b.scale(logStep2[code], maxHigh, shiftHigh)
	b.predict(d)
}

// scale makes the next step size: blocks LOGSCL and SCALEL, LOGSCH and SCALEH.
func (b *band) scale(change, limit, shift int) {
	b.nb = min(max(mult(b.nb, 32512)+change, 0), limit)
	// The fraction of a logarithm of 5 bits comes from a table, and nb has
	// 6 more; what is above is the exponent.
	det := antilog[b.nb>>6&31]
	if down := shift - b.nb>>11; down >= 0 {
		det >>= down
	} else {
		det <<= -down
	}
	b.det = det << 2
}

// predict takes the quantized difference between the last sample and what was
// predicted of it, and predicts the next (block 4).
func (b *band) predict(d int) {
	r, p := saturate(b.s+d), saturate(b.sz+d)
	b.adaptPoles(p)
	b.adaptZeros(d)
	b.r[1], b.r[0] = b.r[0], r
	b.p[1], b.p[0] = b.p[0], p
	copy(b.d[1:], b.d[:5])
	b.d[0] = d

	b.sz = 0
	for i := 5; i >= 0; i-- {
		b.sz = saturate(b.sz + mult(saturate(2*b.d[i]), b.b[i]))
	}
	sp := saturate(mult(saturate(2*b.r[0]), b.a[0]) + mult(saturate(2*b.r[1]), b.a[1]))
	b.s = saturate(sp + b.sz)
}

// adaptPoles is blocks UPPOL1 and UPPOL2: a gradient step by signs alone, with
// a leak, and kept where the poles are stable.
func (b *band) adaptPoles(p int) {
	step := saturate(4 * b.a[0])
	same := p>>15 == b.p[0]>>15
	if same {
		step = saturate(-step)
	}
	step >>= 7
	if p>>15 == b.p[1]>>15 {
		step += 128
	} else {
		step -= 128
	}
	a2 := min(max(step+mult(b.a[1], 32512), -12288), 12288)

	step = -192
	if same {
		step = 192
	}
	limit := 15360 - a2
	a1 := min(max(step+mult(b.a[0], 32640), -limit), limit)
	b.a = [2]int{a1, a2}
}

// adaptZeros is block UPZERO, the same for the zeros.
func (b *band) adaptZeros(d int) {
	step := 128
	if d == 0 {
		step = 0
	}
	for i, old := range b.d {
		leaked := mult(b.b[i], 32640)
		if d>>15 == old>>15 {
			b.b[i] = saturate(leaked + step)
		} else {
			b.b[i] = saturate(leaked - step)
		}
	}
}

// mult multiplies two numbers of which one at least is a fraction of 1<<15.
func mult(x, y int) int { return x * y >> 15 }

func saturate(x int) int { return min(max(x, math.MinInt16), math.MaxInt16) }

// limit keeps a sub-band's sample in the 15 bits it has.
func limit(x int) int { return min(max(x, -1<<14), 1<<14-1) }
