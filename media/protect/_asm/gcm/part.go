package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// part is what is done at a time of a text: a whole chunk, or the final part.
type part struct {
	*message
	n     int  // registers that the text fills, the last one of the final part perhaps not to the end
	final bool // its sum is begun before, and reduced after it
	power Mem  // of H, for the first block
}

func (p part) text(i int) Mem { return Mem{Base: p.data, Disp: i * p.w.bytes()} }

// cut is where to find ones for the bytes of the last register which are text.
func (p part) cut() Mem {
	at := GP64()
	LEAQ(table.prefix.Offset(32+(p.n-1)*p.w.bytes()), at)
	SUBQ(p.left, at)
	return Mem{Base: at}
}

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

// seal encrypts and hashes. It overwrites the beginning of the tag's place.
func (p part) seal() {
	var mask reg.VecVirtual
	if p.final {
		mask = p.mask
	}
	xs := p.keystream(mask)
	p.begin()
	for i, x := range xs {
		if p.ends(i) {
			cut := p.cut()
			p.with(i, x, func(text Mem, x reg.VecVirtual) {
				VPXOR(text, x, x)
				VPAND(cut, x, x)
				VMOVDQU(x, text)
			})
		} else {
			VPXOR(p.text(i), x, x)
			VMOVDQU(x, p.text(i))
		}
		p.add(i, x)
	}
	p.end()
}

// hash hashes the ciphertext alone.
func (p part) hash() {
	p.begin()
	for i := range p.n {
		x := p.w.vector()
		if p.ends(i) {
			VMOVDQU(p.cut(), x)
			p.with(i, x, func(text Mem, x reg.VecVirtual) { VPAND(text, x, x) })
		} else {
			VMOVDQU(p.text(i), x)
		}
		p.add(i, x)
	}
	p.end()
}

// apply applies the keystream to the text alone.
func (p part) apply(xs []reg.VecVirtual) {
	for i, x := range xs {
		if p.ends(i) {
			VPAND(p.cut(), x, x)
		}
		p.with(i, x, func(text Mem, x reg.VecVirtual) {
			VPXOR(text, x, x)
			VMOVDQU(x, text)
		})
	}
}

// begin adds the state to the sum of a chunk.
func (p part) begin() {
	if !p.final {
		power := p.w.vector()
		VMOVDQU(p.power.Idx(p.before, 1), power)
		p.sum.add(p.state, power)
	}
}

// end makes the sum of a chunk the state.
func (p part) end() {
	if !p.final {
		VMOVDQA(p.sum.reduce(), p.state)
	}
}

// add adds register i to the sum.
func (p part) add(i int, x reg.VecVirtual) {
	power := p.w.vector()
	turn(x, x)
	VMOVDQU(p.power.Offset(i*p.w.bytes()), power)
	p.sum.add(x, power)
}
