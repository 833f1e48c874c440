package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var labels int

// fresh makes a label that is used nowhere else.
func fresh(name string) string {
	labels++
	return fmt.Sprint(name, labels)
}

// expanded is a kernel in memory.
type expanded struct {
	base   reg.GPVirtual
	rounds reg.GPVirtual // 10 or 14: FIPS 197 §5, table 3
}

func loadKeys() expanded {
	k := expanded{GP64(), GP64()}
	Load(Param("k"), k.base)
	MOVBQZX(Mem{Base: k.base, Disp: roundsOffset}, k.rounds)
	return k
}

func (k expanded) round(i int) Mem { return Mem{Base: k.base, Disp: roundOffset + block*i} }

// lastPowers are the last n powers of H: H^n first.
func (k expanded) lastPowers(n int) Mem { return Mem{Base: k.base, Disp: powerEnd - n*block} }

// cipher is all of the block cipher but the first AddRoundKey: FIPS 197 §5.1. It works
// on all blocks of xs and on the one block y, if there is one.
func (k expanded) cipher(w width, xs []reg.VecVirtual, y reg.VecVirtual) {
	key, last := w.vector(), fresh("last_round")
	each := func(from Mem, instruction func(key, from, to Op)) {
		w.broadcast(from, key)
		for _, x := range xs {
			instruction(key, x, x)
		}
		if y != nil {
			instruction(low(key), y, y)
		}
	}
	for i := 1; i < 10; i++ {
		each(k.round(i), VAESENC)
	}
	CMPQ(k.rounds, U8(10))
	JE(LabelRef(last))
	for i := 10; i < 14; i++ {
		each(k.round(i), VAESENC)
	}
	Label(last)
	at := GP64()
	MOVQ(k.rounds, at)
	SHLQ(U8(4), at)
	each(k.round(0).Idx(at, 1), VAESENCLAST)
}

// sum is the part of GHASH (SP 800-38D §6.4) that needs no reduction: a sum of
// products of blocks and powers of H, by Karatsuba's way. Low and high are the sums
// of the products of the low and of the high halves, cross that of the products of
// the sums of both halves.
type sum struct {
	w                width
	low, cross, high reg.VecVirtual
	term             reg.VecVirtual
	begun            bool
}

func newSum(w width) *sum {
	return &sum{w: w, low: w.vector(), cross: w.vector(), high: w.vector(), term: w.vector()}
}

// add adds the products of the blocks in x and those in power, and spoils both. The blocks
// are turned round: bit 127 of a register is the coefficient of x^0.
func (s *sum) add(x, power reg.VecVirtual) {
	multiply := func(halves int, to reg.VecVirtual) {
		if !s.begun {
			VPCLMULQDQ(U8(halves), power, x, to)
			return
		}
		VPCLMULQDQ(U8(halves), power, x, s.term)
		VPXOR(s.term, to, to)
	}
	multiply(0x00, s.low)
	multiply(0x11, s.high)
	for _, v := range []reg.VecVirtual{x, power} {
		VPSHUFD(swapHalves, v, s.term)
		VPXOR(s.term, v, v)
	}
	multiply(0x00, s.cross)
	s.begun = true
}

const swapHalves = U8(0x4e)

// reduce is the sum modulo the polynomial of SP 800-38D §6.3. Twice the lowest 64
// bits go up, times the polynomial's inverse; what is below is zero then. The
// result is a block alone.
func (s *sum) reduce() reg.VecVirtual {
	poly := s.w.vector()
	VMOVDQU(table.poly, poly)
	VPXOR(s.low, s.cross, s.cross)
	VPXOR(s.high, s.cross, s.cross)
	for _, step := range []struct{ from, to reg.VecVirtual }{{s.low, s.cross}, {s.cross, s.high}} {
		VPCLMULQDQ(U8(0x00), poly, step.from, s.term)
		VPSHUFD(swapHalves, step.from, step.from)
		VPXOR(step.from, step.to, step.to)
		VPXOR(s.term, step.to, step.to)
	}
	s.w.fold(s.high)
	s.begun = false
	return s.high
}

// turn turns the bytes of each block round.
func turn(v reg.VecVirtual) { VPSHUFB(table.reverse, v, v) }
