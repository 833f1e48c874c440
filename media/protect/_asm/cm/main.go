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
	keysInner, keysOuter, keysRounds, keysRound     = 0, 20, 40, 48
	jobKeys, jobMessage, jobLength, jobWord, jobTag = 0, 8, 16, 32, 36
)

func main() {
	ConstraintExpr("!purego")
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

// Tables that the functions read. Shuffles are of 16 bytes.
var (
	// Blocks whose last word, in which they are counted, is 0, 1, 2, …
	counts = table("counts", numbers(64/16*vectors+1)...)
	// Shuffles that turn that word, each word, and all bytes.
	lastSwap  = table("lastSwap", 0x0706050403020100, 0x0c0d0e0f0b0a0908)
	wordSwap  = table("wordSwap", 0x0405060700010203, 0x0c0d0e0f08090a0b)
	wholeSwap = table("wholeSwap", 0x08090a0b0c0d0e0f, 0x0001020304050607)
	// From n on, a shuffle that moves n bytes to the end, behind zeros.
	toEnd = table("toEnd", 0x8080808080808080, 0x8080808080808080, 0x0706050403020100, 0x0f0e0d0c0b0a0908)
	// Words 7 to 4 and 15 to 12 of the outer hash's block, but for the state;
	// words 5 to 15, and then more bytes than any message has.
	outerWords = table("outerWords", 0, 1<<31, 8*(blockLen+20), 0)
	outerRest  = table("outerRest", 1<<31, 0, 0, 0, 0, 8*(blockLen+20)|1<<30<<32)
	// K of FIPS 180-4 §4.2.1.
	roundK = table("roundK", 0x6ed9eba1_5a827999, 0xca62c1d6_8f1bbcdc)
)

func numbers(n uint64) (quads []uint64) {
	for i := range n {
		quads = append(quads, 0, i<<32)
	}
	return quads
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
func (w width) copy(x, y Op)   { w.pick(two(VMOVDQU), VMOVDQU32, x, y) }
func (w width) broadcast(m, x Op) {
	if w.bytes == 16 {
		VMOVDQU(m, x)
	} else {
		w.pick(two(VBROADCASTI128), VBROADCASTI32X4, m, x)
	}
}
