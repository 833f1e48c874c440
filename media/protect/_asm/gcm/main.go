// Command gcm writes the assembly of media/protect/internal/gcm: Galois/counter
// mode (SP 800-38D) of short packets, in registers of 16 and of 32 bytes.
//
// A packet is a few whole chunks, as many blocks as there are registers for,
// and a final part that is shorter than a chunk. Most packets are a final part
// alone: their keystream, that of the tag, the products of GHASH and its one
// reduction then stand side by side, and the processor finds what it can do at
// the same time.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where things are in a kernel, in bytes. What most packets need stands together:
// the lower powers of H and the round keys.
const (
	powerCount   = 17 // of H: the first is H^17, the last H
	powerEnd     = powerCount * block
	roundsOffset = powerEnd
	roundOffset  = roundsOffset + block/2

	block  = 16 // bytes: SP 800-38D §5.1
	tagLen = 16
	line   = 64 // of the cache
	lanes  = 8  // registers that hold keystream
)

func main() {
	ConstraintExpr("!purego")
	newTables()
	subWord()
	product()
	prefetch()
	for _, w := range []width{narrow, wide} {
		seal(w)
		open(w)
	}
	Generate()
}

// width is the size of the registers that a function uses: its name in bytes
// and the number of blocks they hold.
type width struct {
	name   string
	blocks int
	vector func() reg.VecVirtual
}

var narrow, wide = width{"16", 1, XMM}, width{"32", 2, YMM}

func (w width) bytes() int { return w.blocks * block }

// low is the lowest block of a register.
func low(v reg.VecVirtual) reg.VecVirtual { return v.AsX().(reg.VecVirtual) }

// broadcast loads one block into all places of a register.
func (w width) broadcast(from Mem, to reg.VecVirtual) {
	if w.blocks == 1 {
		VMOVDQU(from, to)
	} else {
		VBROADCASTI128(from, to)
	}
}

// repeat copies the lowest block of v to the other places.
func (w width) repeat(v reg.VecVirtual) {
	if w.blocks == 2 {
		VINSERTI128(U8(1), low(v), v, v)
	}
}

// fold adds up the blocks of v. The sum is the lowest block, and the other places
// are zero, as an instruction on the lowest leaves them.
func (w width) fold(v reg.VecVirtual) {
	if w.blocks == 2 {
		high := XMM()
		VEXTRACTI128(U8(1), v, high)
		VPXOR(high, low(v), low(v))
	}
}

// tables are constants in memory.
type tables struct {
	counters Mem // blocks whose last word is 0, 1, … 15, big-endian
	prefix   Mem // 32 bytes of ones, then 32 of zeros
	reverse  Mem // a shuffle that turns the bytes of each block round
	poly     Mem // x^127 + x^126 + x^121, the low words of the polynomial reflected: SP 800-38D §6.3
}

var table tables

func newTables() {
	constant := func(name string, words ...uint64) Mem {
		m := GLOBL(name, RODATA|NOPTR)
		for i, word := range words {
			DATA(8*i, U64(word))
		}
		return m
	}
	var counters []uint64
	for i := range uint64(lanes * wide.blocks) {
		counters = append(counters, 0, i<<56)
	}
	const ones = 1<<64 - 1
	table = tables{
		counters: constant("counters", counters...),
		prefix:   constant("prefix", ones, ones, ones, ones, 0, 0, 0, 0),
		reverse:  constant("reverse", 0x08090a0b0c0d0e0f, 0x0001020304050607, 0x08090a0b0c0d0e0f, 0x0001020304050607),
		poly:     constant("poly", 0xc2<<56, 0xc2<<56, 0xc2<<56, 0xc2<<56),
	}
}

// subWord writes the S-box for the key expansion. In a block whose columns are
// the same, ShiftRows changes nothing.
func subWord() {
	TEXT("subWord", NOSPLIT, "func(w uint32) uint32")
	Doc("subWord is SubWord of FIPS 197 §5.2.")
	w, out := XMM(), GP32()
	VMOVD(Load(Param("w"), GP32()), w)
	VPSHUFD(U8(0), w, w)
	zero := XMM()
	VPXOR(zero, zero, zero)
	VAESENCLAST(zero, w, w)
	VMOVD(w, out)
	Store(out, ReturnIndex(0))
	RET()
}

// prefetch writes a hint for the key, and for what else the caller names.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(k, a, b *byte)")
	Doc("prefetch brings k, and the lines of the cache with a and b, near.")
	at := func(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }
	PREFETCHT0(at("a"))
	PREFETCHT0(at("b"))
	k := at("k")
	for i := 0; i < roundOffset+15*block; i += line {
		PREFETCHT0(k.Offset(i))
	}
	RET()
}

// product writes the multiplication of GHASH alone.
func product() {
	TEXT("multiply", NOSPLIT, "func(z, x, y *[16]byte)")
	Doc("multiply sets z to x·y in GF(2^128): SP 800-38D §6.3. All are as in kernel.powers.")
	x, y := XMM(), XMM()
	VMOVDQU(Mem{Base: Load(Param("x"), GP64())}, x)
	VMOVDQU(Mem{Base: Load(Param("y"), GP64())}, y)
	s := newSum(narrow)
	s.add(x, y)
	VMOVDQU(low(s.reduce()), Mem{Base: Load(Param("z"), GP64())})
	RET()
}

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
