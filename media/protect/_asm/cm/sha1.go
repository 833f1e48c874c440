package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Bytes in a block, in the word behind a message, and in padding at least
// (FIPS 180-4 §5.1.1).
const blockLen, wordLen, padMin = 64, 4, 1 + 8

// message is what one HMAC is of.
type message struct {
	keys, data   Mem
	length, word reg.GPVirtual
}

// ofJob loads the message of a Job.
func ofJob(job Mem) message {
	m := message{keys: follow(job.Offset(jobKeys)), data: follow(job.Offset(jobMessage)), length: GP64(), word: GP32()}
	MOVQ(job.Offset(jobLength), m.length)
	MOVL(job.Offset(jobWord), m.word)
	return m
}

// pad writes to the two blocks at buffer what is behind the whole blocks of the
// message, the word and the padding (FIPS 180-4 §5.1.1). It overwrites 16
// bytes before buffer, and spoils length and word. It returns the bytes of the
// whole blocks and of what it has written.
func (m message) pad(name string, buffer Mem) (whole, size reg.GPVirtual) {
	whole, size = GP64(), GP64()
	x, rest := XMM(), GP64()
	VPXOR(x, x, x)
	for i := range 2 * blockLen / 16 {
		VMOVDQU(x, buffer.Offset(16*i))
	}
	Comment("In pieces of 16 bytes, and the last 16 once more.")
	MOVQ(m.length, whole)
	ANDQ(I32(-blockLen), whole)
	MOVQ(m.length, rest)
	SUBQ(whole, rest)
	end := buffer.Idx(rest, 1)
	for i := range blockLen/16 - 1 {
		CMPQ(rest, U8(16*(i+1)))
		JB(LabelRef(name + "end"))
		VMOVDQU(m.data.Idx(whole, 1).Offset(16*i), x)
		VMOVDQU(x, buffer.Offset(16*i))
	}
	Label(name + "end")
	CMPQ(m.length, U8(16))
	JB(LabelRef(name + "byte"))
	VMOVDQU(m.data.Idx(m.length, 1).Offset(-16), x)
	VMOVDQU(x, end.Offset(-16))
	JMP(LabelRef(name + "word"))
	Label(name + "byte")
	left, byte := GP64(), GP8()
	MOVQ(rest, left)
	Label(name + "next")
	DECQ(left)
	JS(LabelRef(name + "word"))
	MOVB(m.data.Idx(left, 1), byte)
	MOVB(byte, buffer.Idx(left, 1))
	JMP(LabelRef(name + "next"))

	Label(name + "word")
	BSWAPL(m.word)
	MOVL(m.word, end)
	MOVB(U8(0x80), end.Offset(wordLen))
	LEAQ((Mem{Base: rest}).Offset(wordLen+padMin+blockLen-1), size)
	ANDQ(I32(-blockLen), size)
	ADDQ(U8(blockLen+wordLen), m.length) // behind the key block
	SHLQ(U8(3), m.length)
	BSWAPQ(m.length)
	MOVQ(m.length, buffer.Idx(size, 1).Offset(-8))
	return whole, size
}

// stream is one SHA-1 at work with SHA-NI. Four words are in a register with
// the first one on top, and e on top of its own.
type stream struct {
	abcd  reg.VecVirtual
	e     [2]reg.VecVirtual // in turn e and, before the next four rounds, a
	w     [4]reg.VecVirtual // the last 16 words of the message schedule
	saved Mem               // abcd and e of before the block
	message
	last        Mem           // the message's last blocks, as if they were at its end
	whole, size reg.GPVirtual // bytes in whole blocks, and in the last ones
}

// load sets the state to the one at m, in the order of FIPS 180-4 §6.1.1.
func (s *stream) load(m Mem) {
	VPSHUFD(U8(0b00_01_10_11), m, s.abcd)
	VMOVD(m.Offset(16), s.e[0])
	VPSLLDQ(U8(12), s.e[0], s.e[0])
}

// group does the rounds 4g to 4g+3 (FIPS 180-4 §6.1.2).
func (s *stream) group(g int) {
	w, e, next := s.w[g%4], s.e[g%2], s.e[(g+1)%2]
	if g >= 4 {
		SHA1MSG1(s.w[(g+1)%4], w)
		PXOR(s.w[(g+2)%4], w)
		SHA1MSG2(s.w[(g+3)%4], w)
	}
	if g == 0 {
		PADDD(w, e)
	} else {
		SHA1NEXTE(w, e)
	}
	MOVO(s.abcd, next)
	SHA1RNDS4(U8(g/5), e, s.abcd)
}

// compress does one block for each stream: they are independent, and hide each
// other's delays.
func compress(streams []*stream) {
	for _, s := range streams {
		VMOVDQU(s.abcd, s.saved)
		VMOVDQU(s.e[0], s.saved.Offset(16))
	}
	for g := range 20 {
		for _, s := range streams {
			s.group(g)
		}
	}
	for _, s := range streams {
		x := XMM()
		VMOVDQU(s.saved, x)
		PADDD(x, s.abcd)
		VMOVDQU(s.saved.Offset(16), x)
		SHA1NEXTE(x, s.e[0])
	}
}

// block loads the message's block that begins after done bytes. A load waits
// where it spans two stores, as those of XOR lie to a header of 12 bytes.
func (s *stream) block(done reg.GPVirtual) {
	from := GP64()
	MOVQ(s.data.Base, from)
	CMPQ(done, s.whole)
	CMOVQCC(s.last.Base, from)
	for i := range s.w {
		m, w := Mem{Base: from, Index: done, Scale: 1, Disp: 16 * i}, XMM()
		VMOVQ(m, w)
		VPINSRD(U8(2), m.Offset(8), w, w)
		VPINSRD(U8(3), m.Offset(12), w, w)
		VPSHUFB(wholeSwap, w, w)
		s.w[i] = w
	}
}

// outer makes the state the message of the outer hash (RFC 2104 §2), and loads
// that one's state.
func (s *stream) outer() {
	MOVO(s.abcd, s.w[0])
	VPOR(outerWords, s.e[0], s.w[1])
	VPXOR(s.w[2], s.w[2], s.w[2])
	VMOVDQU(outerWords.Offset(16), s.w[3])
	s.load(s.keys.Offset(keysOuter))
}

// finish stores the tag, and wipes the key's state that was saved.
func (s *stream) finish(tag Mem) {
	VPSHUFB(wholeSwap, s.abcd, s.abcd)
	VMOVDQU(s.abcd, tag)
	e, zero := GP32(), XMM()
	VPEXTRD(U8(3), s.e[0], e)
	BSWAPL(e)
	MOVL(e, tag.Offset(16))
	VPXOR(zero, zero, zero)
	VMOVDQU(zero, s.saved)
	VMOVDQU(zero, s.saved.Offset(16))
}

func sumSHANI() {
	TEXT("sumSHANI", NOSPLIT, "func(k *byte, tag *[20]byte, data []byte, word uint32)")
	Doc("sumSHANI is standard.sum.")
	m := message{argument("k"), Mem{Base: Load(Param("data").Base(), GP64())}, GP64(), GP32()}
	Load(Param("data").Len(), m.length)
	Load(Param("word"), m.word)
	sum([]message{m}, func(int) Mem { return argument("tag") })
}

func sumPairSHANI() {
	TEXT("sumPairSHANI", NOSPLIT, "func(jobs *[2]*byte)")
	Doc("sumPairSHANI sets the tags of two jobs whose messages are of the same number of blocks.")
	job := func(i int) Mem { return follow(argument("jobs").Offset(8 * i)) }
	sum([]message{ofJob(job(0)), ofJob(job(1))}, func(i int) Mem { return job(i).Offset(jobTag) })
}

// sum writes HMAC-SHA1 (RFC 2104 §2) of messages of the same number of blocks.
func sum(messages []message, tag func(int) Mem) {
	streams := make([]*stream, len(messages))
	done, end := GP64(), GP64() // bytes in blocks
	VZEROUPPER()                // SHA-NI is a hundred times slower while upper halves are in use
	for i, m := range messages {
		buffer := AllocLocal(16 + 2*blockLen).Offset(16)
		s := &stream{abcd: XMM(), e: [2]reg.VecVirtual{XMM(), XMM()}, saved: AllocLocal(32), message: m}
		s.whole, s.size = m.pad(fmt.Sprintf("pad%d", i), buffer)
		s.last.Base = GP64()
		LEAQ(buffer, s.last.Base)
		SUBQ(s.whole, s.last.Base)
		s.load(m.keys.Offset(keysInner))
		streams[i] = s
	}
	LEAQ(Mem{Base: streams[0].whole, Index: streams[0].size, Scale: 1}, end)
	XORQ(done, done)

	Label("block")
	for _, s := range streams {
		s.block(done)
	}
	compress(streams)
	ADDQ(U8(blockLen), done)
	CMPQ(done, end)
	JB(LabelRef("block"))

	for _, s := range streams {
		s.outer()
	}
	compress(streams)
	for i, s := range streams {
		s.finish(tag(i))
	}
	RET()
}
