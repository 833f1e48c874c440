package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	combBlocks = 9
	combSums   = 32 // in a block
	sumSize    = 4 * 4 * quadLimbs
)

// combRound writes what a round of the comb adds.
func combRound(m multiplier) {
	TEXT("combAVX2", 0, "func(p *[16][4]uint64, table *[9][32][16][4]uint32, indices *[9]uint32)")
	Doc("combAVX2 is point.addAllGo.")
	f := newFrame()
	a := adder{multiplier: m.in(f), p: f.take(quadLimbs), picked: f.take(sumSize / vectorLen), x: f.factor(), y: f.factor()}
	copyVectors(a.p.Mem, argument("p"), quadLimbs)
	table, index, left := argument("table"), argument("indices"), GP64()
	MOVQ(U32(combBlocks), left)
	Label("block")
	a.pick(table, index)
	a.add()
	ADDQ(U8(4), index.Base)
	DECQ(left)
	JNZ(LabelRef("block"))
	copyVectors(argument("p"), a.p.Mem, quadLimbs)
	VZEROUPPER()
	RET()
}

// adder is what the parts of an addition share.
type adder struct {
	multiplier
	p      quad   // X, T, Z, Y, in the names of point.add
	picked quad   // x, dxy, x + y, y, in half as many vectors
	x, y   factor // scratch
}

// pick goes through a whole block, and moves on to the next.
func (a adder) pick(sum, index Mem) {
	wanted, number, one := YMM(), YMM(), YMM()
	VPBROADCASTD(index, wanted)
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
	for i := range found {
		VMOVDQU(found[i], a.picked.limb(i))
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
			VPMOVZXDQ(a.picked.Offset(vectorLen/2*limb), y[half])
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
