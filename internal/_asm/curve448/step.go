package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes are the limbs of an element that go into one vector register.
const lanes = 4

// twice is 2p in limbs, as sub adds it.
var twice Mem

// step writes stepGo in one piece, with vectors where limbs do not carry. Its
// order is another: a vector is read some time after its limbs were written one
// by one, since the processor waits until those have reached its cache.
func step() {
	twice = GLOBL("twice", RODATA|NOPTR)
	for i := range 2 * half {
		limb := uint64(2<<radix - 2)
		if i == half {
			limb -= 2
		}
		DATA(8*i, U64(limb))
	}
	TEXT("stepADX", NOSPLIT, "func(l *[5][8]uint64, exchange uint64)")
	Doc("stepADX is stepGo.")
	l := argument("l")
	x1, x2, z2, x3, z3 := element(l, 0), element(l, 1), element(l, 2), element(l, 3), element(l, 4)
	chosen := YMM()
	exchange, _ := Param("exchange").Resolve()
	VPBROADCASTQ(exchange.Addr, chosen)
	none := YMM()
	VPXOR(none, none, none)
	VPSUBQ(chosen, none, chosen)
	swap(x2, x3, chosen)
	swap(z2, z3, chosen)

	local := AllocLocal(7 * 8 * 2 * half)
	a, b, c, d := element(local, 0), element(local, 1), element(local, 2), element(local, 3)
	e, f, g := element(local, 4), element(local, 5), element(local, 6)
	scratch := newScratch()
	mul := scratch.multiply
	add(a, x2, z2)
	sub(b, x2, z2)
	add(c, x3, z3)
	sub(d, x3, z3)
	da, cb, aa, bb := e, f, c, g
	mul(da, d, a)
	mul(cb, c, b)
	mul(aa, a, a)
	mul(bb, b, b)
	add(a, da, cb)
	sub(b, da, cb)
	mul(x3, a, a)
	sub(d, aa, bb)
	mul(a, b, b)
	mulSmall(b, d, 39081)
	mul(x2, aa, bb)
	add(b, b, aa)
	mul(z2, b, d)
	mul(z3, a, x1)
	VZEROUPPER()
	RET()
}

func element(base Mem, i int) Mem { return base.Offset(8 * 2 * half * i) }

// vector is the part of x that one register holds.
func vector(x Mem, i int) Mem { return x.Offset(8 * lanes * i) }

func add(z, x, y Mem) {
	for i := range 2 * half / lanes {
		sum := YMM()
		VMOVDQU(vector(x, i), sum)
		VPADDQ(vector(y, i), sum, sum)
		VMOVDQU(sum, vector(z, i))
	}
}

func sub(z, x, y Mem) {
	for i := range 2 * half / lanes {
		difference := YMM()
		VMOVDQU(vector(x, i), difference)
		VPADDQ(vector(twice, i), difference, difference)
		VPSUBQ(vector(y, i), difference, difference)
		VMOVDQU(difference, vector(z, i))
	}
}

// swap exchanges x and y where chosen has ones.
func swap(x, y Mem, chosen reg.Register) {
	for i := range 2 * half / lanes {
		ours, theirs, change := YMM(), YMM(), YMM()
		VMOVDQU(vector(x, i), ours)
		VMOVDQU(vector(y, i), theirs)
		VPXOR(ours, theirs, change)
		VPAND(chosen, change, change)
		VPXOR(change, ours, ours)
		VPXOR(change, theirs, theirs)
		VMOVDQU(ours, vector(x, i))
		VMOVDQU(theirs, vector(y, i))
	}
}

// mulSmall sets z, which may not be x, to x·n.
func mulSmall(z, x Mem, n uint64) {
	mask, over := GP64(), GP64()
	MOVQ(U64(1<<radix-1), mask)
	MOVQ(U64(n), reg.RDX)
	XORQ(over, over)
	for i := range 2 * half {
		product := wide{GP64(), GP64()}
		MULXQ(limb(x, i), product.low, product.high)
		product.settle(limb(z, i), over, mask)
	}
	ADDQ(over, limb(z, 0))
	ADDQ(over, limb(z, half))
}

// addPoint writes point.addGo in one piece.
func addPoint() {
	TEXT("addADX", NOSPLIT, "func(p *[4][8]uint64, a *[3][8]uint64)")
	Doc("addADX is point.addGo.")
	p, q := argument("p"), argument("a")
	X, Y, Z, T := element(p, 0), element(p, 1), element(p, 2), element(p, 3)
	x, y, dxy := element(q, 0), element(q, 1), element(q, 2)
	local := AllocLocal(6 * 8 * 2 * half)
	A, B, C := element(local, 0), element(local, 1), element(local, 2)
	E, F, G := element(local, 3), element(local, 4), element(local, 5)
	mul := newScratch().multiply
	add(F, X, Y)
	add(G, x, y)
	mul(E, F, G)
	mul(A, X, x)
	mul(B, Y, y)
	mul(C, T, dxy)
	sub(E, E, A)
	sub(E, E, B)
	carry(E)
	sub(F, Z, C)
	add(G, Z, C)
	H := C
	sub(H, B, A)
	mul(Z, F, G)
	mul(X, E, F)
	mul(Y, G, H)
	mul(T, E, H)
	VZEROUPPER()
	RET()
}

// carry writes carry of one element.
func carry(z Mem) {
	mask, over := GP64(), GP64()
	MOVQ(U64(1<<radix-1), mask)
	XORQ(over, over)
	for i := range 2 * half {
		own := GP64()
		MOVQ(limb(z, i), own)
		ADDQ(over, own)
		MOVQ(own, over)
		ANDQ(mask, own)
		MOVQ(own, limb(z, i))
		SHRQ(U8(radix), over)
	}
	ADDQ(over, limb(z, 0))
	ADDQ(over, limb(z, half))
}
