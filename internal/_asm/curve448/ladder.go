package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const scalarWords = 7

// Selections of lanes, two bits of VPBLENDD's for each.
const (
	lane0 = 0x03
	lane1 = 0x0c
	lane2 = 0x30
	lane3 = 0xc0
)

// swapPairs exchanges lanes 0 and 1, and lanes 2 and 3, for VPSHUFD.
const swapPairs = 0x4e

// Selections of halves, for VPERM2I128: of the vector that stands third, and
// then of the one that stands second.
const (
	lowerTwice = 0x00
	swapHalves = 0x01
	bothLower  = 0x20
	upperLower = 0x21
	bothUpper  = 0x31
)

// ladder is what the parts of a round share.
type ladder struct {
	multiplier
	state quad   // X2, Z2, X3, Z3, in the names of RFC 7748 §5
	x, y  factor // scratch
	x1    quad   // its limbs as byX1 wants them
	a24   Mem
}

// ladderRounds writes all rounds of X448.
func ladderRounds(m multiplier) {
	a24 := GLOBL("a24", RODATA|NOPTR)
	for lane, n := range []uint64{0, 39081, 0, 0} {
		DATA(8*lane, U64(n))
	}
	TEXT("ladderAVX2", 0, "func(state *[16][4]uint64, x1 *[8][4]uint64, scalar *[7]uint64)")
	Doc("ladderAVX2 does the rounds of climbGo.")
	f := newFrame()
	l := ladder{
		multiplier: m.in(f), state: f.take(quadLimbs), x: f.factor(), y: f.factor(), x1: f.take(quadHalf),
		a24: a24,
	}
	copyVectors(l.state.Mem, argument("state"), quadLimbs)
	copyVectors(l.x1.Mem, argument("x1"), quadHalf)
	scalar, word, words, bits, last := argument("scalar"), GP64(), GP64(), GP64(), GP64()
	XORQ(last, last)
	MOVQ(U32(scalarWords), words)
	Label("word")
	MOVQ(scalar.Idx(words, 8).Offset(-8), word)
	MOVQ(U32(64), bits)
	Label("bit")
	bit := GP64()
	ADDQ(word, word)
	SBBQ(bit, bit)
	XORQ(bit, last)
	exchange := YMM()
	VMOVQ(last, exchange.AsX())
	VPBROADCASTQ(exchange.AsX(), exchange)
	MOVQ(bit, last)
	l.round(exchange)
	DECQ(bits)
	JNZ(LabelRef("bit"))
	DECQ(words)
	JNZ(LabelRef("word"))
	copyVectors(argument("state"), l.state.Mem, quadLimbs)
	VZEROUPPER()
	RET()
}

func copyVectors(to, from Mem, n int) {
	for i := range n {
		v := YMM()
		VMOVDQU(from.Offset(vectorLen*i), v)
		VMOVDQU(v, to.Offset(vectorLen*i))
	}
}

// round is ladder.step.
func (l ladder) round(exchange reg.VecVirtual) {
	for _, i := range settled {
		var x, y pair
		for half := range x {
			x[half], y[half] = l.sums(i+half*quadHalf, exchange)
		}
		l.x.put(i, x)
		l.y.put(i, y)
	}
	l.multiply(l.state, l.x, l.y) // AA, BB, CB, DA
	l.differences()
	l.multiply(l.state, l.x, l.y) // X2, Z2, X3, Z3 / X1
	l.byX1()
}

// sums gives A, B, C, D and, to multiply these with, A, B, B, A.
func (l ladder) sums(i int, exchange reg.VecVirtual) (abcd, abba reg.VecVirtual) {
	v, swapped, sum := YMM(), YMM(), YMM()
	VMOVDQU(l.state.limb(i), v)
	VPSHUFD(U8(swapPairs), v, swapped)
	VPADDQ(v, swapped, sum)
	VPSUBQ(v, swapped, swapped)
	VPBLENDD(U8(lane1|lane3), swapped, sum, sum)
	other := YMM()
	VPERM2I128(U8(swapHalves), sum, sum, other)
	abcd, abba = YMM(), YMM()
	VPBLENDVB(exchange, other, sum, abcd)
	VPSHUFD(U8(swapPairs), abcd, abba)
	VPERM2I128(U8(bothLower), abba, abcd, abba)
	return abcd, abba
}

// differences prepares AA·BB, E·(AA + a24·E), (CB + DA)² and (CB - DA)². What
// a24·E has beyond 28 bits goes to the next limb, and no further.
func (l ladder) differences() {
	mask := quadMask()
	first, over := l.difference(settled[0], mask)
	for _, i := range settled[1:] {
		if i == 0 {
			VPADDQ(over[1], over[0], over[0]) // beyond 2^448: for 1 and for φ
			over[0], over[1] = over[1], over[0]
		}
		y, beyond := l.difference(i, mask)
		l.y.putWith(i, y, over)
		over = beyond
	}
	l.y.putWith(settled[0], first, over)
}

// putWith is put of the sums of y and over.
func (f factor) putWith(i int, y, over pair) {
	for half := range y {
		VPADDQ(over[half], y[half], y[half])
	}
	f.put(i, y)
}

// difference stores the first factors and gives the second ones, and what these
// have beyond 28 bits.
func (l ladder) difference(i int, mask reg.VecVirtual) (y, beyond pair) {
	var x pair
	for half := range x {
		limb := i + half*quadHalf
		v, swapped, sum, minus := YMM(), YMM(), YMM(), YMM()
		VMOVDQU(l.state.limb(limb), v) // AA, BB, CB, DA
		VPSHUFD(U8(swapPairs), v, swapped)
		VPADDQ(v, swapped, sum)
		VPSUBQ(v, swapped, minus)
		x[half], y[half] = YMM(), YMM()
		VPBLENDD(U8(lane0), v, minus, x[half])
		VPBLENDD(U8(lane2), sum, x[half], x[half])
		VPBLENDD(U8(lane0|lane1), swapped, x[half], y[half])
		small := YMM()
		VPMULDQ(l.a24, x[half], small)
		beyond[half] = split(small, nil, mask)
		VPADDQ(small, y[half], y[half])
	}
	l.x.put(i, x)
	return y, beyond
}

// byX1 multiplies lane 3 of the state by x1. Now the lanes are those of one
// product: with the names of mulGo ac, (a+b)(c+d), bd, (a+b)(c+d).
func (l ladder) byX1() {
	for _, i := range settled {
		low, high, sum := YMM(), YMM(), YMM()
		VMOVDQU(l.state.limb(i), low)
		VMOVDQU(l.state.limb(quadHalf+i), high)
		VPADDQ(low, high, sum)
		VPUNPCKHQDQ(sum, low, low)
		VPUNPCKHQDQ(sum, high, high)
		VPERM2I128(U8(bothUpper), high, low, low)
		VMOVDQU(low, l.x.limb(i))
	}
	mask := quadMask()
	var over reg.VecVirtual
	hand := func(j int, limbs reg.VecVirtual) {
		over = split(limbs, over, mask)
		if j < 2 {
			VMOVDQU(limbs, l.rest.limb(j)) // more is to come
		} else {
			l.putLane3(j, limbs)
		}
	}
	l.columns(l.x.limb(0), l.x1.Mem, func(k int, sum reg.VecVirtual) {
		if k < quadHalf {
			VMOVDQU(sum, l.ac.limb(k))
		} else {
			hand(k-quadHalf, l.combined(k-quadHalf, sum))
		}
	})
	none := YMM()
	VPXOR(none, none, none)
	hand(quadHalf-1, l.combined(quadHalf-1, none))
	both := YMM()
	VPSHUFD(U8(swapPairs), over, both) // beyond 2^448: for 1 and for φ
	VPBLENDD(U8(lane0), none, over, over)
	VPADDQ(both, over, over)
	VPADDQ(l.rest.limb(0), over, over)
	next := split(over, nil, mask)
	l.putLane3(0, over)
	VPADDQ(l.rest.limb(1), next, next)
	l.putLane3(1, next)
}

// combined gives in lanes 0 and 1 the columns of the product at j and at j φ. Of
// the products that make these up column j has been stored, and next is the one
// at j φ.
func (l ladder) combined(j int, next reg.VecVirtual) reg.VecVirtual {
	sum, bd, bdNext, part := YMM(), YMM(), YMM(), YMM()
	VMOVDQU(l.ac.limb(j), sum)
	VEXTRACTI128(U8(1), sum, bd.AsX())
	VEXTRACTI128(U8(1), next, bdNext.AsX())
	VPUNPCKLQDQ(sum.AsX(), next.AsX(), part.AsX())
	VPSUBQ(part.AsX(), sum.AsX(), sum.AsX())
	VPUNPCKLQDQ(bdNext.AsX(), bd.AsX(), bd.AsX())
	VPADDQ(bd.AsX(), sum.AsX(), sum.AsX())
	VPUNPCKHQDQ(next.AsX(), next.AsX(), next.AsX())
	VPADDQ(next.AsX(), sum.AsX(), sum.AsX())
	return sum
}

// putLane3 stores lanes 0 and 1 as limbs of lane 3 of the state. Whole vectors
// are written: a processor waits long for one that was written in parts.
func (l ladder) putLane3(i int, limbs reg.VecVirtual) {
	high, low := YMM(), YMM()
	VINSERTI128(U8(1), limbs.AsX(), limbs, high)
	VPSHUFD(U8(swapPairs), high, low)
	VPBLENDD(U8(0xff-lane3), l.state.limb(i), low, low)
	VMOVDQU(low, l.state.limb(i))
	VPBLENDD(U8(0xff-lane3), l.state.limb(quadHalf+i), high, high)
	VMOVDQU(high, l.state.limb(quadHalf+i))
}
