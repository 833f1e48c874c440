package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	combRounds = 10
	combBlocks = 9
	combSums   = 16 // in a block
	sumSize    = 4 * 4 * quadLimbs
)

// combLoop writes all rounds of X448Base.
func combLoop(m multiplier) {
	signed := GLOBL("signed", RODATA|NOPTR)
	for i, lane := range []uint32{1, 1, 0, 0, 1, 1, 0, 0} {
		DATA(4*i, U32(-lane))
	}
	TEXT("combAVX2", 0, "func(p *[16][4]uint64, table *[9][16][16][4]uint32, d *[10][9]uint32)")
	Doc("combAVX2 does the rounds of point.combGo.")
	f := newFrame()
	a := adder{
		multiplier: m.in(f), p: f.take(quadLimbs), picked: f.take(sumSize / vectorLen), x: f.factor(), y: f.factor(),
		signed: signed,
	}
	copyVectors(a.p.Mem, argument("p"), quadLimbs)
	digit, rounds := argument("d"), GP64()
	MOVQ(U32(combRounds), rounds)
	Label("round")
	a.double()
	table, left := argument("table"), GP64()
	MOVQ(U32(combBlocks), left)
	Label("block")
	a.pick(table, digit)
	a.add()
	ADDQ(U8(4), digit.Base)
	DECQ(left)
	JNZ(LabelRef("block"))
	DECQ(rounds)
	JNZ(LabelRef("round"))
	copyVectors(argument("p"), a.p.Mem, quadLimbs)
	VZEROUPPER()
	RET()
}

// adder is what the parts of a round share.
type adder struct {
	multiplier
	p      quad   // X, T, Z, Y, in the names of point.add
	picked quad   // x, dxy, x + y, y, with a sign, in half as many vectors
	x, y   factor // scratch
	signed Mem    // has the bits of x and dxy set
}

// double doubles p: point.double.
func (a adder) double() {
	for _, i := range settled {
		var x pair
		for half := range x {
			v, swapped := YMM(), YMM()
			x[half] = YMM()
			VMOVDQU(a.p.limb(i+half*quadHalf), v) // X, T, Z, Y
			VPERM2I128(U8(swapHalves), v, v, x[half])
			VPSHUFD(U8(swapPairs), v, swapped)
			VPADDQ(swapped, x[half], x[half])
			VPBLENDD(U8(lane1), x[half], v, x[half]) // X, X + Y, Z, Y
		}
		a.x.put(i, x)
	}
	squares := quad{a.rest.Mem} // which is free when multiply writes it
	a.multiply(squares, a.x, a.x)
	mask := quadMask()
	first, over := a.halfDoubled(squares, settled[0], mask)
	for _, i := range settled[1:] {
		if i == 0 {
			VPADDQ(over[1], over[0], over[0]) // beyond 2^448: for 1 and for φ
			over[0], over[1] = over[1], over[0]
		}
		fh, beyond := a.halfDoubled(squares, i, mask)
		a.putFHFH(i, fh, over)
		over = beyond
	}
	a.putFHFH(settled[0], first, over)
	a.multiply(a.p, a.x, a.y)
}

// halfDoubled stores E, E, G, G, and gives H in lane 1 and in lane 2 what is left
// of F without what it has beyond 28 bits.
func (a adder) halfDoubled(squares quad, i int, mask reg.VecVirtual) (fh, beyond pair) {
	var eegg pair
	for half := range eegg {
		limb := i + half*quadHalf
		v, swapped, other := YMM(), YMM(), YMM()
		VMOVDQU(squares.limb(limb), v) // A, (X + Y)², C, B
		VPSHUFD(U8(swapPairs), v, swapped)
		VPERM2I128(U8(swapHalves), v, v, other)
		g, e, f := YMM(), YMM(), YMM()
		fh[half] = YMM()
		VPADDQ(swapped, other, g) // A + B in lanes 1 and 2
		VPSUBQ(g, v, e)
		VPSUBQ(other, swapped, fh[half]) // A - B in lane 1
		VPSUBQ(v, g, f)
		VPSUBQ(v, f, f)
		beyond[half] = split(f, nil, mask)
		VPBLENDD(U8(lane2), f, fh[half], fh[half])
		eegg[half] = YMM()
		VPUNPCKHQDQ(e, e, e)
		VPUNPCKLQDQ(g, g, g)
		VPBLENDD(U8(lane2|lane3), g, e, eegg[half])
	}
	a.x.put(i, eegg)
	return fh, beyond
}

// putFHFH stores F, H, F, H, to whose F it adds over.
func (a adder) putFHFH(i int, fh, over pair) {
	var fhfh pair
	for half := range fhfh {
		f := YMM()
		fhfh[half] = YMM()
		VPADDQ(over[half], fh[half], f)
		VPERM2I128(U8(swapHalves), f, f, f) // F in lane 0
		VPBLENDD(U8(lane1), fh[half], f, f)
		VPERM2I128(U8(lowerTwice), f, f, fhfh[half])
	}
	a.y.put(i, fhfh)
}

// pick goes through a whole block, and moves on to the next. The first bit of a
// digit is its sign.
func (a adder) pick(sum, digit Mem) {
	sign, wanted, number, one := YMM(), YMM(), YMM(), YMM()
	VPBROADCASTD(digit, sign)
	VPADDD(sign, sign, wanted)
	VPSRLD(U8(1), wanted, wanted)
	VPXOR(number, number, number)
	VPCMPEQD(one, one, one)
	VPSUBD(one, number, one)
	var found [sumSize / vectorLen]reg.VecVirtual
	for i := range found {
		found[i] = YMM()
		VPXOR(found[i], found[i], found[i])
	}
	left := GP64()
	MOVQ(U32(combSums), left)
	Label("sum")
	chosen := YMM()
	VPCMPEQD(number, wanted, chosen)
	VPADDD(one, number, number)
	for i := range found {
		masked := YMM()
		VPAND(sum.Offset(vectorLen*i), chosen, masked)
		VPOR(masked, found[i], found[i])
	}
	ADDQ(U32(sumSize), sum.Base)
	DECQ(left)
	JNZ(LabelRef("sum"))
	VPSRAD(U8(31), sign, sign)
	VPAND(a.signed, sign, sign)
	for i := range found {
		v, x, y := found[i], YMM(), YMM()
		VPXOR(sign, v, v)
		VPSUBD(sign, v, v)
		VPSHUFD(U8(0x00), v, x) // four times the first word, and the last
		VPSHUFD(U8(0xff), v, y)
		VPADDD(x, y, y)
		VPBLENDD(U8(0x44), y, v, v)
		VMOVDQU(v, a.picked.limb(i))
	}
}

// add adds what was picked to p.
func (a adder) add() {
	for _, i := range settled {
		var x, y pair
		for half := range x {
			limb := i + half*quadHalf
			v, other, swapped := YMM(), YMM(), YMM()
			VMOVDQU(a.p.limb(limb), v) // X, T, Z, Y
			VPERM2I128(U8(swapHalves), v, v, other)
			VPSHUFD(U8(swapPairs), v, swapped)
			VPADDQ(other, swapped, swapped)
			x[half], y[half] = YMM(), YMM()
			VPBLENDD(U8(lane2), swapped, v, x[half]) // X, T, X + Y, Y
			VPMOVSXDQ(a.picked.Offset(vectorLen/2*limb), y[half])
		}
		a.x.put(i, x)
		a.y.put(i, y)
	}
	product := quad{a.rest.Mem} // which is free when multiply writes it
	a.multiply(product, a.x, a.y)
	for _, i := range settled {
		var x, y pair
		for half := range x {
			x[half], y[half] = a.combine(product, i+half*quadHalf)
		}
		a.x.put(i, x)
		a.y.put(i, y)
	}
	a.multiply(a.p, a.x, a.y)
}

// combine gives E, E, G, G and F, H, F, H.
func (a adder) combine(product quad, limb int) (eegg, fhfh reg.VecVirtual) {
	v, swapped, other := YMM(), YMM(), YMM()
	VMOVDQU(product.limb(limb), v) // A, C, (X + Y)(x + y), B
	VPSHUFD(U8(swapPairs), v, swapped)
	VPERM2I128(U8(swapHalves), v, v, other)
	eegg, fhfh = YMM(), YMM()
	VPSUBQ(other, v, eegg)
	VPSUBQ(swapped, eegg, eegg) // E in lane 2
	VPUNPCKLQDQ(eegg, eegg, eegg)
	z, g := YMM(), YMM()
	VMOVDQU(a.p.limb(limb), z)
	VPERM2I128(U8(swapHalves), z, z, z) // Z in lane 0
	VPADDQ(z, swapped, g)
	VPUNPCKLQDQ(g, g, g)
	VPERM2I128(U8(upperLower), g, eegg, eegg)
	VPBLENDD(U8(lane0), z, other, other)
	VPSUBQ(swapped, other, other)
	VPERM2I128(U8(lowerTwice), other, other, fhfh)
	return eegg, fhfh
}
