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
	roundOffset  = roundsOffset + block
)

const (
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

// prefetch writes a hint for the round keys, for the powers of H that a packet of
// voice needs, for its first bytes, and for what else the caller names.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(k, packet, a, b *byte)")
	Doc("prefetch brings k, the beginning of packet, and the lines of the cache with a and b near.")
	at := func(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }
	PREFETCHT0(at("a"))
	PREFETCHT0(at("b"))
	packet, k := at("packet"), at("k")
	PREFETCHT0(packet)
	PREFETCHT0(packet.Offset(line))
	for i := powerEnd - 9*block; i < roundOffset+15*block; i += line {
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
