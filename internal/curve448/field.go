package curve448

import (
	"encoding/binary"
	"math/bits"
)

// limbs is how many limbs an element has, radix is how many bits each holds.
const (
	limbs = 8
	radix = 56
	mask  = 1<<radix - 1
)

// element is a number modulo p = 2^448 - 2^224 - 1, its least significant limb
// first. A limb may hold more than its 56 bits: what mul, sqr and mulSmall
// return is tight, up to 2^56 + 2^38; add and sub of tight elements give loose
// ones, below 2^57.6, and nothing is to be added to those. All take either, but
// for sub and join, which take tight ones. It is an alias so that assembly and
// Go agree on a type that has a name in neither.
type element = [limbs]uint64

// prime is p in limbs.
var prime = element{mask, mask, mask, mask, mask - 1, mask, mask, mask}

// setBytes sets z to the 56 bytes of b, little-endian. What is not below p is
// taken modulo p (RFC 7748 §5).
func setBytes(z *element, b *[Size]byte) {
	for i := range z {
		var limb [8]byte
		copy(limb[:radix/8], b[i*radix/8:])
		z[i] = binary.LittleEndian.Uint64(limb[:])
	}
}

// toBytes returns the one number below p that the tight x stands for.
func toBytes(x *element) (b [Size]byte) {
	z := *x
	carry(&z)
	carry(&z)
	// Now z is below 2p: take p away, and put it back if that was too much.
	var borrow uint64
	for i := range z {
		z[i] -= prime[i] + borrow
		borrow = z[i] >> 63
		z[i] &= mask
	}
	putBack, over := -borrow, uint64(0)
	for i := range z {
		z[i] += prime[i]&putBack + over
		over = z[i] >> radix
		z[i] &= mask
		var limb [8]byte
		binary.LittleEndian.PutUint64(limb[:], z[i])
		copy(b[i*radix/8:], limb[:radix/8])
	}
	return b
}

// carry hands what is beyond 56 bits to the next limb, and from the last to
// those of 1 and 2^224, since 2^448 = 2^224 + 1.
func carry(z *element) {
	var over uint64
	for i := range z {
		z[i] += over
		over = z[i] >> radix
		z[i] &= mask
	}
	z[0] += over
	z[limbs/2] += over
}

func add(z, x, y *element) {
	for i := range z {
		z[i] = x[i] + y[i]
	}
}

// sub adds 2p, so that no limb falls below 0.
func sub(z, x, y *element) {
	for i := range z {
		z[i] = x[i] + 2*prime[i] - y[i]
	}
}

// mulSmall sets z to x·n for an n below 2^17.
func mulSmall(z, x *element, n uint64) {
	var over uint64
	for i := range z {
		high, low := bits.Mul64(x[i], n)
		low, c := bits.Add64(low, over, 0)
		over = (high+c)<<(64-radix) | low>>radix
		z[i] = low & mask
	}
	z[0] += over
	z[limbs/2] += over
}

// swap exchanges x and y if bit is 1.
func swap(x, y *element, bit uint64) {
	for i := range x {
		t := -bit & (x[i] ^ y[i])
		x[i] ^= t
		y[i] ^= t
	}
}

// wide is a sum of products of two limbs.
type wide struct{ high, low uint64 }

func (w *wide) mulAdd(x, y uint64) {
	high, low := bits.Mul64(x, y)
	var c uint64
	w.low, c = bits.Add64(w.low, low, 0)
	w.high, _ = bits.Add64(w.high, high, c)
}

func (w *wide) add(x wide) {
	var c uint64
	w.low, c = bits.Add64(w.low, x.low, 0)
	w.high, _ = bits.Add64(w.high, x.high, c)
}

func (w *wide) sub(x wide) {
	var c uint64
	w.low, c = bits.Sub64(w.low, x.low, 0)
	w.high, _ = bits.Sub64(w.high, x.high, c)
}

// mulGo sets z to x·y. With φ = 2^224, for which φ² = φ + 1 modulo p,
//
//	(a + bφ)(c + dφ) = ac + bd + ((a+b)(c+d) - ac)φ
//
// takes three products of halves where schoolbooks take four. Column j of such
// a product has the weight 2^(56j); j+4 is the column j of the part that
// belongs to the next power of φ.
func mulGo(z, x, y *element) {
	const half = limbs / 2
	var xSum, ySum [half]uint64
	for i := range half {
		xSum[i] = x[i] + x[i+half]
		ySum[i] = y[i] + y[i+half]
	}
	var t element
	var overLow, overHigh uint64
	for j := range half {
		var ac, acNext, low, high, sumNext wide
		low.low, high.low = overLow, overHigh
		for i := range half {
			if k := j - i; k >= 0 {
				ac.mulAdd(x[i], y[k])
				low.mulAdd(x[i+half], y[k+half])
				high.mulAdd(xSum[i], ySum[k])
			} else {
				k += half
				acNext.mulAdd(x[i], y[k])
				high.mulAdd(x[i+half], y[k+half])
				sumNext.mulAdd(xSum[i], ySum[k])
			}
		}
		low.add(ac)
		low.sub(acNext)
		low.add(sumNext)
		high.sub(ac)
		high.add(sumNext)
		t[j], overLow = low.low&mask, low.high<<(64-radix)|low.low>>radix
		t[j+half], overHigh = high.low&mask, high.high<<(64-radix)|high.low>>radix
	}
	t[0] += overHigh
	t[half] += overLow + overHigh
	t[1] += t[0] >> radix
	t[half+1] += t[half] >> radix
	t[0] &= mask
	t[half] &= mask
	*z = t
}
