package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// message is the packet in hand.
type message struct {
	w        width
	keys     expanded
	data     reg.GPVirtual  // the text that is left
	left     reg.GPVirtual  // and its bytes
	nonce    reg.VecVirtual // and the first round key: FIPS 197 §5.1.4 of counter 0, in each place
	start    reg.VecVirtual // nonce, with the counter of the chunk's first block, but in the first chunk
	chunk    reg.GPVirtual  // that counter
	counters reg.GPVirtual  // the chunk's counters, as differences from start
	mask     reg.VecVirtual // what the tag is encrypted with: SP 800-38D §7.1, step 6
	state    reg.VecVirtual // of GHASH, a block alone: it is added to the next block, or is one itself
	before   reg.GPVirtual  // from the power of H for the next block to that for the state, in bytes
	lengths  reg.VecVirtual // the last block of GHASH: SP 800-38D §7.1, step 5
	sum      *sum
}

// seal writes authenticated encryption: SP 800-38D §7.1.
func seal(w width) {
	TEXT("seal"+w.name, NOSPLIT, "func(k *byte, nonce *[12]byte, aad, data []byte)")
	Doc("seal" + w.name + " is Keys.Seal in registers of " + w.name + " bytes.")
	m := begin(w)
	m.chunks("final", true, part.seal)
	Label("final")
	m.finals(func(p part) {
		p.seal()
		JMP(LabelRef("tag"))
	})
	Label("tag")
	VMOVDQU(m.tag(), Mem{Base: m.data}.Idx(m.left, 1))
	VZEROUPPER()
	RET()
}

// open writes authenticated decryption: SP 800-38D §7.2. Nothing is written before
// the tag is known to be right: whole chunks are decrypted after that, and the
// keystream of the final part waits in registers.
func open(w width) {
	TEXT("open"+w.name, NOSPLIT, "func(k *byte, nonce *[12]byte, aad, data []byte) bool")
	Doc("open" + w.name + " is Keys.Open in registers of " + w.name + " bytes.")
	m := begin(w)
	m.chunks("final", true, part.hash)
	Label("final")
	m.finals(func(p part) {
		xs := p.keystream(m.mask)
		p.hash()
		tag := m.tag()
		VPXOR(Mem{Base: m.data}.Idx(m.left, 1), tag, tag)
		VPTEST(tag, tag)
		JNE(LabelRef("refused"))
		p.decrypt(xs)
		JMP(LabelRef("authentic"))
	})
	Label("authentic")
	m.loadData()
	m.chunks("decrypted", false, func(p part) { p.decrypt(p.keystream(nil)) })
	Label("decrypted")
	verdict := func(ok int) {
		VZEROUPPER()
		result := GP8()
		MOVB(U8(ok), result)
		Store(result, ReturnIndex(0))
		RET()
	}
	verdict(1)
	Label("refused")
	verdict(0)
}

// begin loads the arguments and hashes the additional data.
func begin(w width) *message {
	m := &message{w: w, keys: loadKeys(), data: GP64(), left: GP64(), nonce: w.vector(), start: w.vector(), chunk: GP64(),
		counters: GP64(), before: GP64(), mask: XMM(), state: w.vector(), lengths: XMM(), sum: newSum(w)}
	nonce, key := Mem{Base: Load(Param("nonce"), GP64())}, w.vector()
	VMOVQ(nonce, low(m.nonce))
	VPINSRD(U8(2), nonce.Offset(8), low(m.nonce), low(m.nonce))
	w.repeat(m.nonce)
	w.broadcast(m.keys.round(0), key)
	VPXOR(key, m.nonce, m.nonce)
	VPXOR(table.counters.Offset(block), low(m.nonce), m.mask)

	aad, aadLen, bits := GP64(), GP64(), GP64()
	Load(Param("aad").Base(), aad)
	Load(Param("aad").Len(), aadLen)
	m.loadData()
	MOVQ(m.left, bits)
	SHLQ(U8(3), bits)
	VMOVQ(bits, m.lengths)
	MOVQ(aadLen, bits)
	SHLQ(U8(3), bits)
	VPINSRQ(U8(1), bits, m.lengths, m.lengths)
	m.absorb(aad, aadLen)
	return m
}

func (m *message) loadData() {
	Load(Param("data").Base(), m.data)
	Load(Param("data").Len(), m.left)
	SUBQ(U8(tagLen), m.left)
}

// absorb sets the state to the last block of the n bytes at p, filled up with zeros,
// to which GHASH of those before is added. Without any it is zero.
func (m *message) absorb(p, n reg.GPVirtual) {
	x, power, s := XMM(), XMM(), newSum(narrow)
	VPXOR(m.state, m.state, m.state)
	TESTQ(n, n)
	JE(LabelRef("absorbed"))
	Label("absorb")
	CMPQ(n, U8(block))
	JB(LabelRef("short"))
	VMOVDQU(Mem{Base: p}, x)
	JMP(LabelRef("loaded"))
	Label("short")
	shortBlock(p, n, x)
	Label("loaded")
	turn(x)
	VPXOR(low(m.state), x, low(m.state))
	ADDQ(U8(block), p)
	SUBQ(U8(block), n)
	JBE(LabelRef("absorbed"))
	VMOVDQU(m.keys.lastPowers(1), power)
	s.add(low(m.state), power)
	VMOVDQA(s.reduce(), low(m.state))
	JMP(LabelRef("absorb"))
	Label("absorbed")
}

// shortBlock loads n bytes, 1 to 15; the rest of the block is zero.
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

	Label("bytes")
	at := GP64()
	MOVQ(n, at)
	XORQ(head, head)
	Label("byte")
	SHLQ(U8(8), head)
	MOVBQZX(Mem{Base: p, Disp: -1}.Idx(at, 1), tail)
	ORQ(tail, head)
	DECQ(at)
	JNE(LabelRef("byte"))
	VMOVQ(head, to)
}

// chunks does each for all whole chunks, until what is left is a final part, and
// goes to the label end. If they are hashed, each adds their products to the sum. The first
// chunk begins with counter 2.
func (m *message) chunks(end string, hashed bool, each func(p part)) {
	do := func(registers int) {
		p := part{m, registers, false, m.keys.lastPowers(registers * m.w.blocks)}
		if hashed {
			power := m.w.vector()
			VMOVDQU(p.power.Idx(m.before, 1), power)
			m.sum.add(m.state, power)
		}
		each(p)
		if hashed {
			VMOVDQA(m.sum.reduce(), m.state)
		}
		ADDQ(U32(registers*m.w.bytes()), m.data)
		SUBQ(U32(registers*m.w.bytes()), m.left)
	}
	first, next := lanes-2/m.w.blocks, fresh("chunk")
	VMOVDQA(m.nonce, m.start)
	XORQ(m.chunk, m.chunk)
	LEAQ(table.counters.Offset(2*block), m.counters)
	MOVQ(I32(-block), m.before)
	CMPQ(m.left, U32(first*m.w.bytes()))
	JBE(LabelRef(end))
	do(first)
	LEAQ(table.counters, m.counters)
	XORQ(m.before, m.before)
	Label(next)
	m.nextCounter()
	CMPQ(m.left, U32(lanes*m.w.bytes()))
	JB(LabelRef(end))
	do(lanes)
	JMP(LabelRef(next))
}

// nextCounter goes to the next chunk: inc32 of SP 800-38D §6.2, a chunk's worth at a
// time. The counter's lowest bits are 0, so a block's is found with exclusive or.
func (m *message) nextCounter() {
	word := GP32()
	ADDQ(U8(lanes*m.w.blocks), m.chunk)
	MOVL(m.chunk.As32(), word)
	BSWAPL(word)
	VPXOR(m.start, m.start, m.start)
	VPINSRD(U8(3), word, low(m.start), low(m.start))
	m.w.repeat(m.start)
	VPXOR(m.nonce, m.start, m.start)
}

// finals does each for every number of registers that the final part may fill, and
// finds the one to use. The products begin with those of the state and of the lengths.
func (m *message) finals(each func(p part)) {
	at, power, last := GP64(), m.w.vector(), m.keys.lastPowers(1)
	// The first block of n is to be multiplied by H^(n+1).
	LEAQ(Mem{Base: m.left, Disp: block - 1}, at)
	ANDQ(I8(-block), at)
	NEGQ(at)
	ADDQ(m.keys.base, at)
	first := Mem{Base: at, Disp: powerEnd - block}
	m.w.broadcast(first.Idx(m.before, 1), power)
	if m.w.blocks == 1 {
		m.sum.add(m.state, power)
		VMOVDQU(last, power)
		m.sum.add(m.lengths, power)
	} else {
		VINSERTI128(U8(1), m.lengths, m.state, m.state)
		VINSERTI128(U8(1), last, power, power)
		m.sum.add(m.state, power)
	}
	var choose func(from, to int)
	choose = func(from, to int) {
		if from == to {
			m.sum.begun = true
			each(part{m, from, true, first})
			return
		}
		middle, above := (from+to)/2, fresh("above")
		CMPQ(m.left, U32(middle*m.w.bytes()))
		JA(LabelRef(above))
		choose(from, middle)
		Label(above)
		choose(middle+1, to)
	}
	choose(0, lanes)
}

// tag finishes GHASH and encrypts it.
func (m *message) tag() reg.VecVirtual {
	tag := low(m.sum.reduce())
	turn(tag)
	VPXOR(m.mask, tag, tag)
	return tag
}

// part is what is done at a time of a text: a whole chunk, or the final part.
type part struct {
	*message
	n     int  // registers that the text fills, the last one of the final part perhaps not to the end
	final bool // the last of the message; its sum is begun before and reduced after it
	power Mem  // of H, for the first block
}

func (p part) text(i int) Mem { return Mem{Base: p.data, Disp: i * p.w.bytes()} }

// ends reports whether the text may end within register i.
func (p part) ends(i int) bool { return p.final && i == p.n-1 }

// with works on register i of the text, or on its lower half if the text ends there:
// what is behind that may not be ours. Behind the text is the tag, so the last block
// is always there as a whole.
func (p part) with(i int, x reg.VecVirtual, work func(text Mem, x reg.VecVirtual)) {
	if !p.ends(i) || p.w.blocks == 1 {
		work(p.text(i), x)
		return
	}
	whole, end := fresh("whole"), fresh("end")
	CMPQ(p.left, U32(i*p.w.bytes()+block))
	JA(LabelRef(whole))
	work(p.text(i), low(x))
	JMP(LabelRef(end))
	Label(whole)
	work(p.text(i), x)
	Label(end)
}

// keystream is the cipher of counters: SP 800-38D §6.5. The mask of the tag is a
// counter, too, and encrypted beside.
func (p part) keystream(mask reg.VecVirtual) []reg.VecVirtual {
	xs := make([]reg.VecVirtual, p.n)
	for i := range xs {
		xs[i] = p.w.vector()
		VPXOR(Mem{Base: p.counters, Disp: i * p.w.bytes()}, p.start, xs[i])
	}
	p.keys.cipher(p.w, xs, mask)
	return xs
}

// seal encrypts and hashes. It spoils the beginning of the tag's place.
func (p part) seal() {
	var mask reg.VecVirtual
	if p.final {
		mask = p.mask
	}
	for i, x := range p.keystream(mask) {
		p.apply(i, x)
		p.trim(i, x)
		p.add(i, x)
	}
}

// hash hashes the ciphertext alone.
func (p part) hash() {
	for i := range p.n {
		x := p.w.vector()
		VPXOR(x, x, x)
		p.with(i, x, func(text Mem, x reg.VecVirtual) { VMOVDQU(text, x) })
		p.trim(i, x)
		p.add(i, x)
	}
}

// decrypt applies the keystream in xs, and leaves what is behind the text as it is.
func (p part) decrypt(xs []reg.VecVirtual) {
	for i, x := range xs {
		p.trim(i, x)
		p.apply(i, x)
	}
}

// apply makes of register i of the text and of the keystream in x their sum, in both places.
func (p part) apply(i int, x reg.VecVirtual) {
	p.with(i, x, func(text Mem, x reg.VecVirtual) {
		VPXOR(text, x, x)
		VMOVDQU(x, text)
	})
}

// trim makes zero of what is in x, which belongs to register i, but not text.
func (p part) trim(i int, x reg.VecVirtual) {
	if p.ends(i) {
		at := GP64()
		LEAQ(table.prefix.Offset(32+p.n*p.w.bytes()-p.w.bytes()), at)
		SUBQ(p.left, at)
		VPAND(Mem{Base: at}, x, x)
	}
}

// add adds the products of register i of the ciphertext to the sum.
func (p part) add(i int, x reg.VecVirtual) {
	power := p.w.vector()
	turn(x)
	VMOVDQU(p.power.Offset(i*p.w.bytes()), power)
	p.sum.add(x, power)
}
