package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// message is the packet in hand.
type message struct {
	w       width
	sealing bool
	keys    expanded
	data    reg.GPVirtual  // the text that is left
	left    reg.GPVirtual  // and its bytes
	nonce   reg.VecVirtual // and the first round key: FIPS 197 §5.1.4 of counter 0, in each place
	start   reg.VecVirtual // nonce, with the counter of the chunk's first block
	mask    reg.VecVirtual // what the tag is encrypted with: SP 800-38D §7.1, step 6
	state   reg.VecVirtual // of GHASH, and with the next block where that is no text
	lengths reg.VecVirtual // the last block of GHASH: SP 800-38D §7.1, step 5
	counter reg.GPVirtual  // of the chunk's first block, but for the first chunk
	sum     *sum
}

func seal(w width) {
	TEXT("seal"+w.name, NOSPLIT, "func(k *byte, nonce *[12]byte, aad, data []byte)")
	Doc("seal" + w.name + " is Keys.Seal in registers of " + w.name + " bytes: SP 800-38D §7.1.")
	m := begin(w)
	m.sealing = true
	m.chunks("final", func(skip int) {
		m.applyChunk(skip)
		m.hashChunk(skip)
	})
	m.finals()
	Label("tag")
	tag := m.tag()
	VMOVDQU(tag, Mem{Base: m.data}.Idx(m.left, 1))
	VZEROUPPER()
	RET()
}

func open(w width) {
	TEXT("open"+w.name, NOSPLIT, "func(k *byte, nonce *[12]byte, aad, data []byte) bool")
	Doc("open" + w.name + " is Keys.Open in registers of " + w.name + " bytes: SP 800-38D §7.2.")
	m := begin(w)
	m.chunks("final", m.hashChunk)
	m.finals()
	Label("authentic")
	m.loadData()
	m.chunks("decrypted", m.applyChunk)
	Label("decrypted")
	m.verdict(1)
	Label("refused")
	m.verdict(0)
}

func (m *message) verdict(ok int) {
	VZEROUPPER()
	verdict := GP8()
	MOVB(U8(ok), verdict)
	Store(verdict, ReturnIndex(0))
	RET()
}

// begin loads the arguments and absorbs the additional data.
func begin(w width) *message {
	m := &message{w: w, keys: loadKeys(), data: GP64(), left: GP64(), nonce: w.vector(), start: w.vector(),
		mask: XMM(), lengths: XMM(), counter: GP64(), sum: newSum(w)}
	nonce, key := Mem{Base: Load(Param("nonce"), GP64())}, w.vector()
	VMOVQ(nonce, low(m.nonce))
	VPINSRD(U8(2), nonce.Offset(8), low(m.nonce), low(m.nonce))
	w.repeat(m.nonce)
	w.broadcast(m.keys.round(0), key)
	VPXOR(key, m.nonce, m.nonce)
	VPXOR(table.counters.Offset(block), low(m.nonce), m.mask)

	aad, aadLen, bits := Load(Param("aad").Base(), GP64()), Load(Param("aad").Len(), GP64()), GP64()
	m.loadData()
	MOVQ(m.left, bits)
	SHLQ(U8(3), bits)
	VMOVQ(bits, m.lengths)
	MOVQ(aadLen, bits)
	SHLQ(U8(3), bits)
	VPINSRQ(U8(1), bits, m.lengths, m.lengths)
	m.state = m.absorb(aad.(reg.GPVirtual), aadLen.(reg.GPVirtual))
	return m
}

func (m *message) loadData() {
	Load(Param("data").Base(), m.data)
	Load(Param("data").Len(), m.left)
	SUBQ(U8(tagLen), m.left)
}

// absorb is GHASH of the additional data but for its last block, to which it
// is added. Nothing is read beyond their end.
func (m *message) absorb(p, n reg.GPVirtual) reg.VecVirtual {
	state, x := XMM(), XMM()
	VPXOR(state, state, state)
	TESTQ(n, n)
	JE(LabelRef("absorbed"))
	CMPQ(n, U8(block))
	JA(LabelRef("long"))
	shortBlock(p, n, state)
	turn(state, state)
	JMP(LabelRef("absorbed"))

	Label("long")
	m.absorbBlocks(p, n, state)
	// 1 to 16 bytes are left, and 16 more before them are additional data, too.
	NEGQ(n)
	suffix := GP64()
	LEAQ(table.suffix.Offset(block), suffix)
	ADDQ(n, suffix)
	SUBQ(n, p)
	VMOVDQU(Mem{Base: p, Disp: -block}, x)
	VPSHUFB(Mem{Base: suffix}, x, x)
	turn(x, x)
	VPXOR(x, state, state)
	Label("absorbed")
	return state
}

// absorbBlocks adds to state, which is 0, the GHASH of whole blocks, until 1 to
// 16 bytes are left.
func (m *message) absorbBlocks(p, n reg.GPVirtual, state reg.VecVirtual) {
	x, power := XMM(), XMM()
	group, at := GP64(), GP64()
	Label("group")
	LEAQ(Mem{Base: n, Disp: -1}, group)
	SHRQ(U8(4), group)
	MOVQ(U32(powerCount), at)
	CMPQ(group, at)
	CMOVQHI(at, group)
	MOVQ(group, at)
	SHLQ(U8(4), at)
	SUBQ(at, n)
	NEGQ(at)
	ADDQ(m.keys.base, at)
	s := newSum(narrow)
	s.clear()
	Label("block")
	VMOVDQU(Mem{Base: p}, x)
	ADDQ(U8(block), p)
	turn(x, x)
	VPXOR(state, x, x)
	VPXOR(state, state, state)
	VMOVDQU(Mem{Base: at, Disp: powerEnd}, power)
	ADDQ(U8(block), at)
	s.add(x, power)
	DECQ(group)
	JNE(LabelRef("block"))
	VMOVDQA(s.reduce(), state)
	CMPQ(n, U8(block))
	JA(LabelRef("group"))
}

// shortBlock loads n bytes, 1 to 16; the rest of the block is zero.
func shortBlock(p, n reg.GPVirtual, to reg.VecVirtual) {
	head, tail := GP64(), GP64()
	CMPQ(n, U8(8))
	JBE(LabelRef("bytes"))
	// The last eight bytes overlap the first; what they have in common is shifted out.
	MOVQ(Mem{Base: p}, head)
	MOVQ(Mem{Base: p, Disp: -8}.Idx(n, 1), tail)
	MOVQ(U32(block), reg.RCX)
	SUBQ(n, reg.RCX)
	SHLQ(U8(3), reg.RCX)
	SHRQ(reg.CL, tail)
	VMOVQ(head, to)
	VPINSRQ(U8(1), tail, to, to)
	JMP(LabelRef("loaded"))

	Label("bytes") // no packet has so few
	XORQ(head, head)
	Label("byte")
	SHLQ(U8(8), head)
	MOVBQZX(Mem{Base: p, Disp: -1}.Idx(n, 1), tail)
	ORQ(tail, head)
	DECQ(n)
	JNE(LabelRef("byte"))
	VMOVQ(head, to)
	Label("loaded")
}

// chunks does each for all whole chunks, until what is left is a final part, and
// goes to the label end. Skip is how many registers' worth of counters a chunk passes
// over.
func (m *message) chunks(end string, each func(skip int)) {
	chunk := func(n, skip int) {
		each(skip)
		ADDQ(U32(n), m.data)
		SUBQ(U32(n), m.left)
	}
	VMOVDQA(m.nonce, m.start)
	XORQ(m.counter, m.counter)
	CMPQ(m.left, U32(m.w.firstChunk()))
	JBE(LabelRef(end))
	chunk(m.w.firstChunk(), 2/m.w.blocks)
	next := fresh("chunk")
	Label(next)
	m.nextCounter()
	CMPQ(m.left, U32(m.w.chunk()))
	JB(LabelRef(end))
	chunk(m.w.chunk(), 0)
	JMP(LabelRef(next))
}

// nextCounter goes to the next chunk: start is inc32, a chunk's worth, of
// SP 800-38D §6.2. The counter's lowest bits are 0, so a block's is found with exclusive or.
func (m *message) nextCounter() {
	ADDQ(U8(lanes*m.w.blocks), m.counter)
	word := GP32()
	MOVL(m.counter.As32(), word)
	BSWAPL(word)
	VPXOR(m.start, m.start, m.start)
	VPINSRD(U8(3), word, low(m.start), low(m.start))
	m.w.repeat(m.start)
	VPXOR(m.nonce, m.start, m.start)
}

// keystream makes counter blocks for as many registers.
func (m *message) keystream(n int, counters Mem) []reg.VecVirtual {
	xs := make([]reg.VecVirtual, n)
	for i := range xs {
		xs[i] = m.w.vector()
		VPXOR(counters.Offset(i*m.w.bytes()), m.start, xs[i])
	}
	return xs
}

func (m *message) text(i int) Mem { return Mem{Base: m.data, Disp: i * m.w.bytes()} }

// applyChunk applies the keystream to a chunk in place: GCTR of SP 800-38D §6.5.
func (m *message) applyChunk(skip int) {
	xs := m.keystream(lanes-skip, table.counters.Offset(skip*m.w.bytes()))
	m.keys.cipher(m.w, xs, nil)
	for i, x := range xs {
		VPXOR(m.text(i), x, x)
		VMOVDQU(x, m.text(i))
	}
}

// hashChunk adds a chunk to the state. That of the first one is a block for
// itself; otherwise it is added to the chunk's first block.
func (m *message) hashChunk(skip int) {
	x, power := m.w.vector(), m.w.vector()
	n := lanes - skip
	first := Mem{Base: m.keys.base, Disp: powerEnd - n*m.w.bytes()}
	own := first
	if skip > 0 {
		own = first.Offset(-block)
	}
	m.sum.begun = false
	VMOVDQU(own, power)
	m.sum.add(m.w.alone(m.state), power)
	for i := range n {
		VMOVDQU(m.text(i), x)
		turn(x, x)
		VMOVDQU(first.Offset(i*m.w.bytes()), power)
		m.sum.add(x, power)
	}
	VMOVDQA(m.sum.reduce(), m.state)
}

// tag finishes GHASH and encrypts it.
func (m *message) tag() reg.VecVirtual {
	tag := m.sum.reduce()
	turn(tag, tag)
	VPXOR(m.mask, tag, tag)
	return tag
}
