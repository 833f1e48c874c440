package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Four elements at a time: vector i holds limb i of each. Limbs have 28 bits and
// a sign. In the comments a bound of 1 is 2^28 and a little. What multiply
// returns is from 0 to 1; the bounds of the two numbers that it takes may have
// the product 4, or 2 where the product of the numbers may be below 0.
const (
	quadLimbs = 16
	quadHalf  = 8 // of them stand below φ
	quadRadix = 28
	vectorLen = 32 // bytes
)

// quad is where four elements stand.
type quad struct{ Mem }

func (q quad) limb(i int) Mem { return q.Offset(vectorLen * i) }

// frame is the aligned part of a function's frame: a vector that crosses two
// lines of the cache takes twice as long.
type frame struct {
	base  Mem
	taken int
}

const frameVectors = 104

func newFrame() *frame {
	base := GP64()
	LEAQ(AllocLocal(vectorLen*frameVectors+vectorLen), base)
	ADDQ(U8(vectorLen-1), base)
	ANDQ(I8(-vectorLen), base)
	return &frame{base: Mem{Base: base}}
}

func (f *frame) take(vectors int) quad {
	q := quad{f.base.Offset(vectorLen * f.taken)}
	if f.taken += vectors; f.taken > frameVectors {
		panic("the frame is too small")
	}
	return q
}

// pair are limb i of an element and the one at i φ.
type pair [2]reg.VecVirtual

// factor is a quad to be multiplied: behind its limbs stand the sums of those
// below and from φ on.
type factor struct{ quad }

func (f *frame) factor() factor { return factor{f.take(quadLimbs + quadHalf)} }

// put stores limb i and the one at i φ. The latter's register is used up.
func (f factor) put(i int, limbs pair) {
	low, high := limbs[0], limbs[1]
	VMOVDQU(low, f.limb(i))
	VMOVDQU(high, f.limb(quadHalf+i))
	VPADDQ(low, high, high)
	VMOVDQU(high, f.limb(quadLimbs+i))
}

// multiplier is what multiply needs beside its factors.
type multiplier struct {
	ac   quad
	rest quad // of the columns, before the product of the sums
	bias func(i int) Mem
}

// newMultiplier declares data and is to be called before the first function.
func newMultiplier() multiplier { return multiplier{bias: multipleOfP("bias", 5<<32, 0, 1, 2, 3)} }

// multipleOfP declares n·p for the given lanes, as a vector for each limb.
func multipleOfP(name string, n uint64, lanes ...int) func(limb int) Mem {
	data := GLOBL(name, RODATA|NOPTR)
	for kind, limb := range []uint64{1<<quadRadix - 1, 1<<quadRadix - 2} {
		for lane := range 4 {
			var value uint64
			for _, l := range lanes {
				if l == lane {
					value = n * limb
				}
			}
			DATA(vectorLen*kind+8*lane, U64(value))
		}
	}
	return func(limb int) Mem {
		if limb == quadHalf {
			return data.Offset(vectorLen)
		}
		return data
	}
}

// quadMask has the bits of a limb set.
func quadMask() reg.VecVirtual {
	mask := YMM()
	VPCMPEQQ(mask, mask, mask)
	VPSRLQ(U8(64-quadRadix), mask, mask)
	return mask
}

// load loads half an element.
func load(x Mem) (limbs [quadHalf]reg.VecVirtual) {
	for i := range limbs {
		limbs[i] = YMM()
		VMOVDQU(x.Offset(vectorLen*i), limbs[i])
	}
	return limbs
}

// quadColumn is column for halves of quads, and nil where there are no products.
func quadColumn(x [quadHalf]reg.VecVirtual, y Mem, j int) (sum reg.VecVirtual) {
	for i := max(0, j-quadHalf+1); i <= min(j, quadHalf-1); i++ {
		product := YMM()
		VPMULDQ(y.Offset(vectorLen*(j-i)), x[i], product)
		if sum == nil {
			sum = product
		} else {
			VPADDQ(product, sum, sum)
		}
	}
	return sum
}

// multiply sets z to x·y in each lane. The names are those of mulGo. To what may
// be below 0 it adds a multiple of p: there is no shift that keeps a sign.
func (m multiplier) multiply(z quad, x, y factor) {
	half := load(x.limb(0))
	for j := range quadLimbs - 1 {
		VMOVDQU(quadColumn(half, y.limb(0), j), m.ac.limb(j))
	}
	half = load(x.limb(quadHalf))
	for j := range quadLimbs {
		rest := quadColumn(half, y.limb(quadHalf), j) // bd
		if rest == nil {
			rest = YMM()
			VMOVDQU(m.bias(j), rest)
		} else {
			VPADDQ(m.bias(j), rest, rest)
		}
		if j < quadHalf {
			VPADDQ(m.ac.limb(j), rest, rest)
		} else {
			VPSUBQ(m.ac.limb(j-quadHalf), rest, rest)
		}
		if j < quadHalf-1 {
			VPSUBQ(m.ac.limb(j+quadHalf), rest, rest)
		}
		VMOVDQU(rest, m.rest.limb(j))
	}
	m.settle(z, load(x.limb(quadLimbs)), y.limb(quadLimbs))
}

// settle adds the product of the sums to the rest, and hands what is beyond 28
// bits to the next limb.
func (m multiplier) settle(z quad, xSum [quadHalf]reg.VecVirtual, ySum Mem) {
	mask := quadMask()
	var overLow, overHigh reg.VecVirtual
	for j := range quadHalf {
		high, next := quadColumn(xSum, ySum, j), quadColumn(xSum, ySum, j+quadHalf)
		VPADDQ(m.rest.limb(quadHalf+j), high, high)
		low := YMM()
		if next == nil {
			VMOVDQU(m.rest.limb(j), low)
		} else {
			VPADDQ(next, high, high)
			VPADDQ(m.rest.limb(j), next, low)
		}
		overLow = split(low, overLow, mask)
		overHigh = split(high, overHigh, mask)
		VMOVDQU(low, z.limb(j))
		VMOVDQU(high, z.limb(quadHalf+j))
	}
	Comment("What is beyond 2^448 counts for 1 and for φ.")
	VPADDQ(overHigh, overLow, overLow)
	for i, over := range []reg.VecVirtual{overHigh, overLow} {
		first, second := z.limb(quadHalf*i), z.limb(quadHalf*i+1)
		VPADDQ(first, over, over)
		next := split(over, nil, mask)
		VMOVDQU(over, first)
		VPADDQ(second, next, next)
		VMOVDQU(next, second)
	}
}

// split adds what was beyond the limb before, unless that is nil, and returns
// what is beyond this one.
func split(limb, over, mask reg.VecVirtual) (beyond reg.VecVirtual) {
	if over != nil {
		VPADDQ(over, limb, limb)
	}
	beyond = YMM()
	VPSRLQ(U8(quadRadix), limb, beyond)
	VPAND(mask, limb, limb)
	return beyond
}
