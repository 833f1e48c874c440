// Command cm writes the assembly of media/protect/internal/cm: AES in counter
// mode (FIPS 197, SP 800-38A §6.5) and HMAC-SHA1 (FIPS 180-4, RFC 2104).
package main

import (
	"fmt"

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
	sumJobsSHANI("sumPairSHANI", 2)
	sumJobsSHANI("sumFourSHANI", 4)
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
	// Words 7 to 4, 11 to 8 and 15 to 12 of the outer hash's block, but for the state;
	// words 5 to 15, and then more bytes than any message has.
	outerWords = table("outerWords", 0, 1<<31, 0, 0, 8*(blockLen+20), 0)
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

// vectors is how many registers of blocks are encrypted at once: about as many
// as hide that a round takes longer than the next one can start.
const vectors = 6

// substitute writes the S-box for the expansion of keys.
func substitute() {
	TEXT("substitute", NOSPLIT, "func(word uint32) uint32")
	Doc("substitute is SubWord of FIPS 197 §5.2.")
	x, word := XMM(), GP32()
	VMOVD(Load(Param("word"), GP32()), x)
	VPSLLDQ(U8(4), x, x) // AESKEYGENASSIST substitutes the words 1 and 3
	VAESKEYGENASSIST(U8(0), x, x)
	VMOVD(x, word)
	Store(word, ReturnIndex(0))
	RET()
}

// counterMode is what the parts of one function share.
type counterMode struct {
	width
	keys, data   Mem
	left, rounds reg.GPVirtual  // bytes of data; Nr of FIPS 197 §5
	counter      reg.VecVirtual // of the next blocks, in the processor's byte order
	swap         reg.VecVirtual
}

// xorKeyStream writes AES in counter mode (SP 800-38A §6.5) on registers of
// width w. What is left after turns of six registers is done with as many as it
// needs.
func xorKeyStream(w width) {
	name := "xor" + w.name
	TEXT(name, NOSPLIT, "func(k *byte, iv *[16]byte, data *byte, length int)")
	Doc(name + " is standard.xor.")
	c := counterMode{width: w, keys: argument("k"), counter: w.register(), swap: w.register(), rounds: GP64()}
	iv, first := argument("iv"), XMM()
	c.data = argument("data")
	c.left = Load(Param("length"), GP64()).(reg.GPVirtual)
	MOVBQZX(c.keys.Offset(keysRounds), c.rounds)
	Comment("In two halves, as it was written: a load waits for two stores, not for one.")
	VMOVQ(iv, first)
	VPINSRQ(U8(1), iv.Offset(8), first, first)
	VPSHUFB(lastSwap, first, first)
	switch w.bytes {
	case 16:
		VMOVDQA(first, c.counter)
	case 32:
		VINSERTI128(U8(1), first, first.AsY(), c.counter)
	default:
		VSHUFI32X4(U8(0), first.AsZ(), first.AsZ(), c.counter)
	}
	w.broadcast(lastSwap, c.swap)

	TESTQ(c.left, c.left)
	JZ(LabelRef("done"))
	tail, step := w.register(), w.register()
	part := func(n int) string { return fmt.Sprintf("part%d", n) }

	Label("turn")
	for n := 1; n < vectors; n++ {
		CMPQ(c.left, U32(n*w.bytes))
		JBE(LabelRef(part(n)))
	}
	for n := vectors; n > 0; n-- {
		c.keyStream(part(n), n, tail)
		switch n {
		case vectors:
			CMPQ(c.left, U32(w.bytes))
			JBE(LabelRef("tail"))
			c.apply(tail, 0)
			c.advance(w.bytes)
			w.broadcast(counts.Offset(vectors*w.bytes), step)
			VPADDD(step, c.counter, c.counter)
			JMP(LabelRef("turn"))
		case 1:
			Label("tail")
			c.applyTail(tail)
		default:
			JMP(LabelRef("tail"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// keyStream applies the next n registers of it, Cipher of FIPS 197 §5.1 of the
// counters, to the data, but for the last one, which it leaves in last.
func (c counterMode) keyStream(name string, n int, last reg.VecVirtual) {
	Label(name)
	blocks, key := make([]reg.VecVirtual, n), c.register()
	c.broadcast(c.keys.Offset(keysRound), key)
	for i := range blocks {
		blocks[i] = c.register()
		VPADDD(counts.Offset(c.bytes*i), c.counter, blocks[i])
		VPSHUFB(c.swap, blocks[i], blocks[i])
		c.xor(key, blocks[i], blocks[i])
	}
	round := func(from Mem, instruction func(key, x, y Op)) {
		c.broadcast(from, key)
		for _, x := range blocks {
			instruction(key, x, x)
		}
	}
	CMPQ(c.rounds, U8(12)) // nothing until the jumps changes the flags
	for i := 1; i < 14; i++ {
		switch i {
		case 10:
			JB(LabelRef(name + "last")) // AES-128
		case 12:
			JE(LabelRef(name + "last")) // AES-192
		}
		round(c.keys.Offset(keysRound+16*i), VAESENC)
	}
	Label(name + "last")
	end := GP64()
	MOVQ(c.rounds, end)
	SHLQ(U8(4), end)
	round(c.keys.Idx(end, 1).Offset(keysRound), VAESENCLAST)
	for i, x := range blocks[:n-1] {
		c.apply(x, i)
	}
	c.copy(blocks[n-1], last)
	c.advance((n - 1) * c.bytes)
}

func (c counterMode) advance(n int) {
	ADDQ(U32(n), c.data.Base)
	SUBQ(U32(n), c.left)
}

// apply encrypts the whole register number i of the data with keystream x.
func (c counterMode) apply(x reg.VecVirtual, i int) {
	m := c.data.Offset(c.bytes * i)
	c.xor(m, x, x)
	c.copy(x, m)
}

// applyTail encrypts what is left, one byte or more and no more than fit into
// the keystream x, and touches nothing beyond it.
func (c counterMode) applyTail(x reg.VecVirtual) {
	if c.bytes == 64 {
		mask, ones, text := K(), GP64(), c.register()
		MOVQ(I32(-1), ones)
		BZHIQ(c.left, ones, ones)
		KMOVQ(ones, mask)
		VMOVDQU8_Z(c.data, mask, text)
		c.xor(text, x, x)
		VMOVDQU8(x, mask, c.data)
		return
	}
	block, stream := counterMode{width: width{16, ""}, data: c.data, left: c.left}, XMM()
	VMOVDQA(x.AsX(), stream)
	for part := range c.bytes / 16 {
		if part > 0 {
			VEXTRACTI128(U8(part), x, stream)
		}
		CMPQ(c.left, U8(16))
		JB(LabelRef("bytes"))
		block.apply(stream, 0)
		block.advance(16)
		JZ(LabelRef("done"))
	}
	Label("bytes")
	length, _ := Param("length").Resolve()
	CMPQ(length.Addr, U8(16))
	JB(LabelRef("short"))

	Comment("The last 16 bytes again, those that are done with zeros.")
	shuffles := GP64()
	LEAQ(toEnd, shuffles)
	VPSHUFB(Mem{Base: shuffles, Index: c.left, Scale: 1}, stream, stream)
	last := block
	last.data = c.data.Idx(c.left, 1).Offset(-16)
	last.apply(stream, 0)
	JMP(LabelRef("done"))

	Label("short")
	next := GP64()
	VMOVQ(stream, next)
	XORB(next.As8(), c.data)
	VPSRLDQ(U8(1), stream, stream)
	block.advance(1)
	JNZ(LabelRef("short"))
}
