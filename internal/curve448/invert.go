package curve448

import "math/bits"

// batches is how often radix division steps are taken together: Theorem 11.2 of
// "Fast constant-time gcd computation and modular inversion" (Bernstein and Yang,
// ePrint 2019/266) has the greatest common divisor of two numbers of 448 bits
// after 1294 steps.
const batches = (1294 + radix - 1) / radix

// matrix is what a batch makes of two numbers: 2^radix times their new values
// are u·f + v·g and q·f + r·g. |u| + |v| and |q| + |r| are at most 2^radix.
type matrix struct{ u, v, q, r uint64 }

// invert sets z to 1/x, or to 0 if x is 0, in little more than half the time of
// x^(p-2). f and g go from p and x to their greatest common divisor and 0, while
// d·x = f and e·x = g modulo p. All four have a sign, in their last limb.
func invert(z, x *element) {
	f, g, d, e := prime, *x, element{}, element{1}
	carry(&g)
	b := toBytes(&g)
	setBytes(&g, &b) // below p: 0 is nothing but 0, and leaves d at 0
	delta := uint64(1)
	for range batches {
		var m matrix
		m, delta = divide(delta, f[0], g[0])
		m.apply(&f, &g)
		m.apply(&d, &e)
	}
	// f is 1 or -1, and |d|, to which no batch adds more than p, below 26p.
	minus := sign(f[limbs-1])
	for i := range z {
		z[i] = (d[i] ^ minus) - minus + 32*prime[i]
	}
	carry(z)
}

// sign is all ones for a number below 0.
func sign(x uint64) uint64 { return uint64(int64(x) >> 63) }

// divide takes radix division steps, for which it needs no more than the last
// bits of f and g.
func divide(delta, f, g uint64) (matrix, uint64) {
	first, delta := divideHalf(delta, f, g)
	f, g = (first.u*f+first.v*g)>>(radix/2), (first.q*f+first.r*g)>>(radix/2)
	second, delta := divideHalf(delta, f, g)
	return matrix{
		second.u*first.u + second.v*first.q, second.u*first.v + second.v*first.r,
		second.q*first.u + second.r*first.q, second.q*first.v + second.r*first.r,
	}, delta
}

// divideHalf takes half as many: u and v, and q and r, go into one word.
func divideHalf(delta, f, g uint64) (matrix, uint64) {
	uv, qr := uint64(1), uint64(1)<<32
	for range radix / 2 {
		above, odd := sign(-delta), -(g & 1) // all ones if delta is above 0, and if g is odd
		g += ((f ^ above) - above) & odd
		qr += ((uv ^ above) - above) & odd
		above &= odd
		delta = (delta ^ above) - above + 1
		f += g & above
		g >>= 1
		uv = (uv + qr&above) << 1
	}
	u, q := uint64(int32(uv)), uint64(int32(qr))
	return matrix{u, uint64(int64(uv-u) >> 32), q, uint64(int64(qr-q) >> 32)}, delta
}

// apply replaces x and y by (u·x + v·y)/2^radix and (q·x + r·y)/2^radix, to which
// it adds p, which is -1 modulo 2^radix, as often as it takes for the division.
func (m *matrix) apply(x, y *element) {
	var a, b wide
	var timesA, timesB uint64 // of p
	for i := range limbs {
		a.mulAddSigned(m.u, x[i])
		a.mulAddSigned(m.v, y[i])
		b.mulAddSigned(m.q, x[i])
		b.mulAddSigned(m.r, y[i])
		switch i {
		case 0:
			timesA, timesB = a.low&mask, b.low&mask
		case limbs / 2:
			a.sub(wide{low: timesA}) // p is 2^448 - 2^224 - 1
			b.sub(wide{low: timesB})
			fallthrough
		default:
			x[i-1], y[i-1] = a.low&mask, b.low&mask
		}
		a.shift()
		b.shift()
	}
	x[limbs-1], y[limbs-1] = a.low+timesA, b.low+timesB
}

// mulAddSigned adds x·y, both of which have signs.
func (w *wide) mulAddSigned(x, y uint64) {
	high, low := bits.Mul64(x, y)
	high -= sign(x)&y + sign(y)&x
	w.add(wide{high, low})
}

// shift divides by 2^radix, downwards.
func (w *wide) shift() {
	w.low = w.high<<(64-radix) | w.low>>radix
	w.high = uint64(int64(w.high) >> radix)
}
