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

const frameVectors = 120

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
	ac      quad
	rest    quad // of the columns, before the product of the sums
	partial quad
	bias    func(i int) Mem
}

// newMultiplier declares data, before the first function, in each of which in
// comes next: a multiple of p, as a vector for each limb.
func newMultiplier() multiplier {
	const times = 5 << 32
	data := GLOBL("bias", RODATA|NOPTR)
	for kind, limb := range []uint64{1<<quadRadix - 1, 1<<quadRadix - 2} {
		for lane := range 4 {
			DATA(vectorLen*kind+8*lane, U64(times*limb))
		}
	}
	return multiplier{bias: func(limb int) Mem {
		if limb == quadHalf {
			return data.Offset(vectorLen)
		}
		return data
	}}
}

func (m multiplier) in(f *frame) multiplier {
	m.ac, m.rest, m.partial = f.take(quadLimbs), f.take(quadLimbs), f.take(quadHalf-1)
	return m
}

// quadMask has the bits of a limb set.
func quadMask() reg.VecVirtual {
	mask := YMM()
	VPCMPEQQ(mask, mask, mask)
	VPSRLQ(U8(64-quadRadix), mask, mask)
	return mask
}

// columns gives the columns of the product of two halves, in order: column k is
// the sum of x[i]·y[k-i]. The limbs of y are taken in two turns, so that these
// and the columns that are being added to have room in registers: what has to be
// loaded for each product takes as long as the product.
func (m multiplier) columns(x, y Mem, take func(k int, sum reg.VecVirtual)) {
	const turn = quadHalf / 2
	for start := 0; start < quadHalf; start += turn {
		var limbs [turn]reg.VecVirtual
		for j := range limbs {
			limbs[j] = YMM()
			VMOVDQU(y.Offset(vectorLen*(start+j)), limbs[j])
		}
		var sums [quadHalf + turn - 1]reg.VecVirtual
		for k := range sums {
			if k < quadHalf {
				limb := YMM()
				VMOVDQU(x.Offset(vectorLen*k), limb)
				for j := range limbs {
					sums[k+j] = addProduct(sums[k+j], limb, limbs[j])
				}
			}
			switch {
			case start > 0 && k < len(sums)-turn:
				VPADDQ(m.partial.limb(k), sums[k], sums[k])
				take(start+k, sums[k])
			case start > 0 || k < turn:
				take(start+k, sums[k])
			default:
				VMOVDQU(sums[k], m.partial.limb(k-turn))
			}
		}
	}
}

// addProduct returns sum + x·y, or x·y if sum is nil.
func addProduct(sum, x, y reg.VecVirtual) reg.VecVirtual {
	product := YMM()
	VPMULDQ(x, y, product)
	if sum == nil {
		return product
	}
	VPADDQ(product, sum, sum)
	return sum
}

// settled are the limbs of a half in the order in which multiply is done with
// them: what follows shall not begin by waiting.
var settled = [quadHalf]int{2, 3, 4, 5, 6, 7, 0, 1}

// multiply sets z to x·y in each lane. The names are those of mulGo. To what may
// be below 0 it adds a multiple of p: there is no shift that keeps a sign.
func (m multiplier) multiply(z quad, x, y factor) {
	m.columns(x.limb(0), y.limb(0), func(k int, ac reg.VecVirtual) {
		VMOVDQU(ac, m.ac.limb(k))
	})
	m.columns(x.limb(quadHalf), y.limb(quadHalf), func(k int, bd reg.VecVirtual) {
		VPADDQ(m.bias(k), bd, bd)
		if k < quadHalf {
			VPADDQ(m.ac.limb(k), bd, bd)
		} else {
			VPSUBQ(m.ac.limb(k-quadHalf), bd, bd)
		}
		if k < quadHalf-1 {
			VPSUBQ(m.ac.limb(k+quadHalf), bd, bd)
		}
		VMOVDQU(bd, m.rest.limb(k))
	})
	m.settle(z, x.limb(quadLimbs), y.limb(quadLimbs))
}

// settle adds the product of the sums to the rest, and hands what is beyond 28
// bits to the next limb. There is no rest yet in the last column.
func (m multiplier) settle(z quad, xSum, ySum Mem) {
	mask := quadMask()
	var overLow, overHigh reg.VecVirtual
	hand := func(j int, low, high reg.VecVirtual) {
		overLow = split(low, overLow, mask)
		overHigh = split(high, overHigh, mask)
		VMOVDQU(low, z.limb(j))
		VMOVDQU(high, z.limb(quadHalf+j))
	}
	m.columns(xSum, ySum, func(k int, sum reg.VecVirtual) {
		switch j := k - quadHalf; {
		case k == quadHalf-1:
			VPADDQ(m.bias(quadLimbs-1), sum, sum)
			VPSUBQ(m.ac.limb(k), sum, sum)
			VMOVDQU(sum, m.rest.limb(quadHalf+k))
		case k < quadHalf:
			VPADDQ(m.rest.limb(quadHalf+k), sum, sum)
			VMOVDQU(sum, m.rest.limb(quadHalf+k))
		default:
			high := YMM()
			VPADDQ(m.rest.limb(k), sum, high)
			VPADDQ(m.rest.limb(j), sum, sum)
			hand(j, sum, high)
		}
	})
	low, high := YMM(), YMM()
	VMOVDQU(m.rest.limb(quadHalf-1), low)
	VMOVDQU(m.rest.limb(quadLimbs-1), high)
	hand(quadHalf-1, low, high)
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
// what is beyond this one. If that is below 0, only its lower 32 bits are right,
// and so it is still good for a factor.
func split(limb, over, mask reg.VecVirtual) (beyond reg.VecVirtual) {
	if over != nil {
		VPADDQ(over, limb, limb)
	}
	beyond = YMM()
	VPSRLQ(U8(quadRadix), limb, beyond)
	VPAND(mask, limb, limb)
	return beyond
}
