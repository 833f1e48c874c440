// Command cm writes the assembly of media/protect/internal/cm: AES in counter
// mode (FIPS 197, SP 800-38A §6.5) and HMAC-SHA1 (FIPS 180-4, RFC 2104).
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of Keys and of Job are: TestLayout in the package holds them
// against the compiler's.
const (
	keysInner  = 0
	keysOuter  = 20
	keysRounds = 40
	keysRound  = 48

	jobKeys    = 0
	jobMessage = 8
	jobLen     = 16
	jobWord    = 32
	jobTag     = 36
)

func main() {
	ConstraintExpr("!purego")
	constants()
	substitute()
	for _, w := range []width{{16, "AESNI"}, {32, "VAES"}, {64, "AVX512"}} {
		xorKeyStream(w)
	}
	sumSHANI()
	sumPairSHANI()
	for _, w := range []width{{32, "AVX2"}, {64, "AVX512"}} {
		sumLanes(w)
	}
	Generate()
}

// Tables that the functions read.
var (
	counts     Mem // 16 bytes each: 0, 1, 2, … in the word that counts blocks
	lastSwap   Mem // a shuffle: turns that word, the last one, between its byte orders
	toEnd      Mem // shuffles: from n on, the first n of 16 bytes move to the end, behind zeros
	wordSwap   Mem // a shuffle: turns each word between its byte orders
	wholeSwap  Mem // a shuffle: all 16 bytes in reverse
	outerWords Mem // words 4 to 7 and 12 to 15, in reverse, of the outer hash's block
	never      Mem // more bytes than any message has
	roundK     Mem // K of FIPS 180-4 §4.2.1
)

func constants() {
	var numbers []uint64
	for i := range uint64(64/16*vectors + 1) {
		numbers = append(numbers, 0, i<<32)
	}
	counts = table("counts", numbers...)
	lastSwap = table("lastSwap", 0x0706050403020100, 0x0c0d0e0f0b0a0908)
	const none = 0x8080808080808080
	toEnd = table("toEnd", none, none, 0x0706050403020100, 0x0f0e0d0c0b0a0908)
	wordSwap = table("wordSwap", 0x0405060700010203, 0x0c0d0e0f08090a0b)
	wholeSwap = table("wholeSwap", 0x08090a0b0c0d0e0f, 0x0001020304050607)
	outerWords = table("outerWords", 0, 1<<31, (blockLen+20)*8, 0)
	never = table("never", 1<<30)
	roundK = table("roundK", 0x6ed9eba1_5a827999, 0xca62c1d6_8f1bbcdc)
}

func table(name string, quads ...uint64) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i, q := range quads {
		DATA(8*i, U64(q))
	}
	return m
}

func argument(name string) Mem { return Mem{Base: Load(Param(name), GP64())} }

// follow loads the pointer that is at m.
func follow(m Mem) Mem {
	p := GP64()
	MOVQ(m, p)
	return Mem{Base: p}
}

// at is m with an index in bytes.
func at(m Mem, index reg.Register) Mem { return m.Idx(index, 1) }

// width is a size of vector registers. Those of 64 bytes are AVX-512's, which
// has some instructions under names of its own, and others that save some.
type width struct {
	bytes int
	name  string
}

func (w width) register() reg.VecVirtual {
	return map[int]func() reg.VecVirtual{16: XMM, 32: YMM, 64: ZMM}[w.bytes]()
}

// pick calls the one of two instructions that is for the width.
func (w width) pick(vex func(...Op), evex func(...Op), ops ...Op) {
	if w.bytes == 64 {
		evex(ops...)
	} else {
		vex(ops...)
	}
}

func three(i func(x, y, z Op)) func(...Op) { return func(o ...Op) { i(o[0], o[1], o[2]) } }
func two(i func(x, y Op)) func(...Op)      { return func(o ...Op) { i(o[0], o[1]) } }

func (w width) xor(x, y, z Op) { w.pick(three(VPXOR), VPXORD, x, y, z) }
func (w width) and(x, y, z Op) { w.pick(three(VPAND), VPANDD, x, y, z) }
func (w width) copy(x, y Op)   { w.pick(two(VMOVDQU), VMOVDQU32, x, y) }
func (w width) broadcast(m, x Op) {
	if w.bytes == 16 {
		VMOVDQU(m, x)
	} else {
		w.pick(two(VBROADCASTI128), VBROADCASTI32X4, m, x)
	}
}
