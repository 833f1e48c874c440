// Command curve448 writes the assembly of internal/curve448: what mulGo does,
// the same with the symmetry of a square, and with AVX2 what multiplies four pairs
// at a time.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	half  = 4 // of the eight limbs stand below φ = 2^224
	radix = 56
)

func main() {
	ConstraintExpr("!purego")
	TEXT("mulADX", NOSPLIT, "func(z, x, y *[8]uint64)")
	Doc("mulADX is mulGo.")
	multiplyInPlace(argument("x"), argument("y"))
	TEXT("sqrADX", NOSPLIT, "func(z, x *[8]uint64)")
	Doc("sqrADX is mulGo of x and x.")
	x := argument("x")
	multiplyInPlace(x, x)
	m := newMultiplier()
	ladderRounds(m)
	combLoop(m)
	Generate()
}

// argument loads a pointer.
func argument(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }

// multiplyInPlace writes the rest of a function that sets z, which may be x or
// y, to x·y.
func multiplyInPlace(x, y Mem) {
	product := AllocLocal(8 * 2 * half)
	newScratch().multiply(product, x, y)
	z := argument("z")
	for i := range 2 * half {
		same := GP64()
		MOVQ(limb(product, i), same)
		MOVQ(same, limb(z, i))
	}
	RET()
}

// scratch is the part of a function's frame that multiply uses.
type scratch struct{ xSum, ySum Mem }

func newScratch() scratch { return scratch{AllocLocal(8 * half), AllocLocal(8 * half)} }

// halves stores the sums of x's limbs below and from φ on.
func halves(sums, x Mem) {
	for i := range half {
		sum := GP64()
		MOVQ(limb(x, i), sum)
		ADDQ(limb(x, half+i), sum)
		MOVQ(sum, limb(sums, i))
	}
}

func limb(x Mem, i int) Mem { return x.Offset(8 * i) }

// multiply sets z, which is neither x nor y, to x·y, or to x² if y is x. The
// names are those of mulGo.
func (s scratch) multiply(z, x, y Mem) {
	xSum, ySum := s.xSum, s.xSum
	halves(xSum, x)
	if x != y {
		ySum = s.ySum
		halves(ySum, y)
	}
	mask := GP64()
	MOVQ(U64(1<<radix-1), mask)
	overLow, overHigh := GP64(), GP64()
	XORQ(overLow, overLow)
	XORQ(overHigh, overHigh)
	for j := range half {
		high := column(xSum, ySum, j)
		low := column(x, y, j) // ac
		high.sub(low)
		low.add(column(limb(x, half), limb(y, half), j)) // bd
		if j < half-1 {
			low.sub(column(x, y, j+half))
			high.add(column(limb(x, half), limb(y, half), j+half))
			sumNext := column(xSum, ySum, j+half)
			low.add(sumNext)
			high.add(sumNext)
		}
		low.settle(limb(z, j), overLow, mask)
		high.settle(limb(z, half+j), overHigh, mask)
	}
	Comment("What is beyond 2^448 counts for 1 and for φ.")
	ADDQ(overHigh, overLow)
	for i, over := range []reg.GPVirtual{overHigh, overLow} {
		first, second := limb(z, half*i), limb(z, half*i+1)
		ADDQ(first, over)
		next := GP64()
		MOVQ(over, next)
		ANDQ(mask, over)
		MOVQ(over, first)
		SHRQ(U8(radix), next)
		ADDQ(next, second)
	}
}

// column returns the sum of the products x[i]·y[k] with i+k = j.
func column(x, y Mem, j int) (sum wide) {
	for i := max(0, j-half+1); i <= min(j, half-1); i++ {
		k := j - i
		if x == y && i > k {
			break // a square: this was counted twice already
		}
		MOVQ(limb(x, i), reg.RDX)
		if x == y && i < k {
			ADDQ(reg.RDX, reg.RDX)
		}
		product := wide{GP64(), GP64()}
		MULXQ(limb(y, k), product.low, product.high)
		if sum.low == nil {
			sum = product
		} else {
			sum.add(product)
		}
	}
	return sum
}

// wide is a number of 128 bits.
type wide struct{ high, low reg.GPVirtual }

func (w wide) add(x wide) { ADDQ(x.low, w.low); ADCQ(x.high, w.high) }
func (w wide) sub(x wide) { SUBQ(x.low, w.low); SBBQ(x.high, w.high) }

// settle adds what was beyond the limb before, moves a limb of w to where it
// belongs, and leaves in over what is beyond it.
func (w wide) settle(to Mem, over, mask reg.Register) {
	ADDQ(over, w.low)
	ADCQ(U8(0), w.high)
	MOVQ(w.low, over)
	ANDQ(mask, w.low)
	MOVQ(w.low, to)
	SHRQ(U8(radix), over)
	SHLQ(U8(64-radix), w.high)
	ORQ(w.high, over)
}
