package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expanded is Keys in memory.
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

// cipher is all of the block cipher but the first AddRoundKey: FIPS 197 §5.1. It works
// on all blocks of xs and on the one block y, if there is one. Its label
// begins with name.
func (k expanded) cipher(w width, xs []reg.VecVirtual, y reg.VecVirtual, name string) {
	key := w.vector()
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
	JE(LabelRef(name + "_last"))
	for i := 10; i < 14; i++ {
		each(k.round(i), VAESENC)
	}
	Label(name + "_last")
	last := GP64()
	MOVQ(k.rounds, last)
	SHLQ(U8(4), last)
	each(k.round(0).Idx(last, 1), VAESENCLAST)
}

// sum is the part of GHASH (SP 800-38D §6.4) that needs no reduction: a sum of
// products of blocks and powers of H, as three polynomials of 128 bits which are
// 64 bits apart.
type sum struct {
	w              width
	low, mid, high reg.VecVirtual
	term           reg.VecVirtual
	begun          bool
}

func newSum(w width) *sum {
	return &sum{w: w, low: w.vector(), mid: w.vector(), high: w.vector(), term: w.vector()}
}

// add adds the products of the blocks in x and those in power. The blocks are
// turned round: bit 127 of a register is the coefficient of x^0.
func (s *sum) add(x, power reg.VecVirtual) {
	if !s.begun {
		VPCLMULQDQ(U8(0x00), power, x, s.low)
		VPCLMULQDQ(U8(0x01), power, x, s.mid)
		VPCLMULQDQ(U8(0x10), power, x, s.term)
		VPXOR(s.term, s.mid, s.mid)
		VPCLMULQDQ(U8(0x11), power, x, s.high)
		s.begun = true
		return
	}
	for _, part := range []struct {
		halves int
		to     reg.VecVirtual
	}{{0x00, s.low}, {0x01, s.mid}, {0x10, s.mid}, {0x11, s.high}} {
		VPCLMULQDQ(U8(part.halves), power, x, s.term)
		VPXOR(s.term, part.to, part.to)
	}
}

// clear is a sum of nothing.
func (s *sum) clear() {
	for _, v := range []reg.VecVirtual{s.low, s.mid, s.high} {
		VPXOR(v, v, v)
	}
	s.begun = true
}

// reduce is the sum modulo the polynomial of SP 800-38D §6.3. Twice the lowest 64
// bits go up, times the polynomial's inverse; what is below is zero then.
func (s *sum) reduce() reg.VecVirtual {
	poly, up := s.w.vector(), s.w.vector()
	VMOVDQU(table.poly, poly)
	for _, step := range []struct{ from, to reg.VecVirtual }{{s.low, s.mid}, {s.mid, s.high}} {
		VPCLMULQDQ(U8(0x00), poly, step.from, up)
		VPSHUFD(U8(0x4e), step.from, step.from)
		VPXOR(step.from, step.to, step.to)
		VPXOR(up, step.to, step.to)
	}
	s.w.fold(s.high)
	return low(s.high)
}

// turn turns the bytes of each block round.
func turn(v, to reg.VecVirtual) { VPSHUFB(table.reverse, v, to) }
