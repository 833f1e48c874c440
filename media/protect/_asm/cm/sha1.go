package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Bytes in a block, in the word behind a message, and in padding at least
// (FIPS 180-4 §5.1.1); and what a stream takes of the frame.
const blockLen, wordLen, padMin, streamLen = 64, 4, 1 + 8, 16*(4+2+2+1) + 2*blockLen

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
	message
	from, words, saved Mem            // the block; the last 16 words; abcd and e of before the block
	abcd, e, w         reg.VecVirtual // e also has, before four rounds, their a; w the last of words
	start, last, whole Mem            // as data, last and whole of lanes
	settled            bool           // the message was stored long ago
}

// begin lays a stream out from frame on, which is a multiple of 16, and begins
// the inner hash. It returns the bytes of all blocks.
func (s *stream) begin(label string, frame Mem) (size reg.GPVirtual) {
	s.words, s.saved, s.start, s.last, s.whole = frame, frame.Offset(64), frame.Offset(96), frame.Offset(104), frame.Offset(112)
	buffer := frame.Offset(streamLen - 2*blockLen)
	whole, size := s.pad(label, buffer)
	MOVQ(s.data.Base, s.start)
	LEAQ(buffer, s.data.Base)
	SUBQ(whole, s.data.Base)
	MOVQ(s.data.Base, s.last)
	MOVQ(whole, s.whole)
	ADDQ(whole, size)
	s.load(s.keys.Offset(keysInner))
	return size
}

// load sets the state to the one at m, in the order of FIPS 180-4 §6.1.1.
func (s *stream) load(m Mem) {
	VPSHUFD(U8(0b00_01_10_11), m, s.abcd)
	VMOVD(m.Offset(16), s.e)
	VPSLLDQ(U8(12), s.e, s.e)
}

// group does the rounds 4g to 4g+3 (FIPS 180-4 §6.1.2), of the words from input at
// first. Between groups it needs so few registers that there are enough for four.
func (s *stream) group(g int, input func(s *stream, g int, w Op)) {
	w, next := XMM(), XMM()
	if g < 4 {
		input(s, g, w)
	} else {
		VMOVDQA(s.words.Offset(g%4*16), w)
		SHA1MSG1(s.words.Offset((g+1)%4*16), w)
		PXOR(s.words.Offset((g+2)%4*16), w)
		SHA1MSG2(s.w, w)
	}
	VMOVDQA(w, s.words.Offset(g%4*16))
	if g == 0 {
		PADDD(w, s.e)
	} else {
		SHA1NEXTE(w, s.e)
	}
	MOVO(s.abcd, next)
	SHA1RNDS4(U8(g/5), s.e, s.abcd)
	s.w, s.e = w, next
}

// compress does one block for each stream: they are independent, and hide each
// other's delays.
func compress(streams []*stream, input func(s *stream, g int, w Op)) {
	before := make([]reg.VecVirtual, len(streams))
	for i, s := range streams {
		VMOVDQA(s.abcd, s.saved)
		VMOVDQA(s.e, s.saved.Offset(16))
		before[i] = s.e
	}
	for g := range 20 {
		for _, s := range streams {
			s.group(g, input)
		}
	}
	for i, s := range streams {
		PADDD(s.saved, s.abcd)
		SHA1NEXTE(s.saved.Offset(16), s.e)
		MOVO(s.e, before[i])
		s.e = before[i]
	}
}

// input loads four words of the block. A load waits where it spans two stores, as
// those of XOR lie to a header of 12 bytes: unless there was much to do since.
func (s *stream) input(g int, w Op) {
	if s.settled {
		VMOVDQU(s.from.Offset(16*g), w)
	} else {
		VMOVQ(s.from.Offset(16*g), w)
		VPINSRD(U8(2), s.from.Offset(16*g+8), w, w)
		VPINSRD(U8(3), s.from.Offset(16*g+12), w, w)
	}
	VPSHUFB(wholeSwap, w, w)
}

// outer does the outer hash (RFC 2104 §2), whose message is the state.
func outer(streams []*stream) {
	for _, s := range streams {
		VMOVDQA(s.abcd, s.words)
		VPOR(outerWords, s.e, s.e)
		VMOVDQA(s.e, s.words.Offset(16))
		s.load(s.keys.Offset(keysOuter))
	}
	compress(streams, func(s *stream, g int, w Op) {
		VMOVDQU([]Mem{s.words, s.words.Offset(16), outerWords.Offset(16), outerWords.Offset(32)}[g], w)
	})
}

// finish stores the tag, and wipes the key's state that was saved.
func (s *stream) finish(tag Mem) {
	VPSHUFB(wholeSwap, s.abcd, s.abcd)
	VMOVDQU(s.abcd, tag)
	e, zero := GP32(), XMM()
	VPEXTRD(U8(3), s.e, e)
	BSWAPL(e)
	MOVL(e, tag.Offset(16))
	VPXOR(zero, zero, zero)
	VMOVDQA(zero, s.saved)
	VMOVDQA(zero, s.saved.Offset(16))
}

func sumSHANI() {
	TEXT("sumSHANI", NOSPLIT, "func(k *byte, tag *[20]byte, data []byte, word uint32)")
	Doc("sumSHANI is standard.sum.")
	m := message{argument("k"), Mem{Base: Load(Param("data").Base(), GP64())}, GP64(), GP32()}
	Load(Param("data").Len(), m.length)
	Load(Param("word"), m.word)
	sum(1, func(int) message { return m }, func(int) Mem { return argument("tag") })
}

func sumJobsSHANI(name string, n int) {
	TEXT(name, 0, fmt.Sprintf("func(jobs *[%d]*byte)", n))
	Doc(fmt.Sprintf("%s sets the tags of %d jobs whose messages are of the same number of blocks.", name, n))
	job := func(i int) Mem { return follow(argument("jobs").Offset(8 * i)) }
	sum(n, func(i int) message { return ofJob(job(i)) }, func(i int) Mem { return job(i).Offset(jobTag) })
}

// sum writes HMAC-SHA1 (RFC 2104 §2) of n messages of the same number of blocks.
func sum(n int, of func(i int) message, tag func(i int) Mem) {
	streams := make([]*stream, n)
	frame, done, end := GP64(), GP64(), GP64() // bytes in blocks
	LEAQ(AllocLocal(n*streamLen+16).Offset(15), frame)
	ANDQ(I32(-16), frame)
	VZEROUPPER() // SHA-NI is a hundred times slower while upper halves are in use
	for i := range streams {
		streams[i] = &stream{message: of(i), settled: n > 1, abcd: XMM(), e: XMM()}
		end = streams[i].begin(fmt.Sprintf("pad%d", i), Mem{Base: frame, Disp: i * streamLen})
	}
	XORQ(done, done)

	Label("block")
	for _, s := range streams {
		s.from = follow(s.start)
		CMPQ(done, s.whole)
		CMOVQCC(s.last, s.from.Base)
		s.from = s.from.Idx(done, 1)
	}
	compress(streams, (*stream).input)
	ADDQ(U8(blockLen), done)
	CMPQ(done, end)
	JB(LabelRef("block"))

	outer(streams)
	for i, s := range streams {
		s.finish(tag(i))
	}
	RET()
}
