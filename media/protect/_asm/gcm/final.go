package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// finals writes the final part for each number of registers that the text fills, and
// finds the one to use. All begin with the products of the state and of the
// lengths.
func (m *message) finals() {
	Label("final")
	power, statePower, counters := GP64(), m.w.vector(), GP64()
	// The first block of n, and the state that was added to it, is to be multiplied
	// by H^(n+1). The state of the first chunk is a block before that.
	LEAQ(Mem{Base: m.left, Disp: block - 1}, power)
	ANDQ(I8(-block), power)
	NEGQ(power)
	ADDQ(m.keys.base, power)
	ADDQ(U32(powerEnd-block), power)
	m.w.broadcast(Mem{Base: power}, statePower)
	LEAQ(table.counters, counters)
	TESTQ(m.counter, m.counter)
	JNE(LabelRef("later"))
	m.w.broadcast(Mem{Base: power, Disp: -block}, statePower)
	ADDQ(U8(2*block), counters)
	Label("later")
	m.sum.begun = false
	lengthPower := Mem{Base: m.keys.base, Disp: powerEnd - block}
	if m.w.blocks == 1 {
		m.sum.add(m.state, statePower)
		VMOVDQU(lengthPower, statePower)
		m.sum.add(m.lengths, statePower)
	} else {
		VINSERTI128(U8(1), m.lengths, both(m.state), both(m.state))
		VINSERTI128(U8(1), lengthPower, statePower, statePower)
		m.sum.add(both(m.state), statePower)
	}
	m.choose(0, lanes, func(n int) {
		f := final{m, n, power}
		xs := m.keystream(n, Mem{Base: counters})
		if m.sealing {
			f.seal(xs)
		} else {
			f.open(xs)
		}
	})
}

// choose writes finals for texts that fill from to to registers.
func (m *message) choose(from, to int, final func(n int)) {
	if from == to {
		final(from)
		return
	}
	middle := (from + to) / 2
	above := fresh("above")
	CMPQ(m.left, U32(middle*m.w.bytes()))
	JA(LabelRef(above))
	m.choose(from, middle, final)
	Label(above)
	m.choose(middle+1, to, final)
}

// final is a text of n registers, the last of which may be filled in part.
type final struct {
	*message
	n     int
	power reg.GPVirtual // where the power of H for the first block is
}

func (f final) add(i int, x reg.VecVirtual) {
	power := f.w.vector()
	turn(x, x)
	VMOVDQU(Mem{Base: f.power, Disp: i * f.w.bytes()}, power)
	f.sum.add(x, power)
}

// cut is where to find ones for the bytes of the last register which are text.
func (f final) cut() Mem {
	at := GP64()
	LEAQ(table.prefix.Offset(32+(f.n-1)*f.w.bytes()), at)
	SUBQ(f.left, at)
	return Mem{Base: at}
}

// last works on the last register, or on its lower half if the text ends there:
// what is behind that may not be ours. Behind the text is the tag, so the last block
// is always there as a whole.
func (f final) last(x reg.VecVirtual, work func(text Mem, x reg.VecVirtual)) {
	text, whole, end := f.text(f.n-1), fresh("whole"), fresh("end")
	if f.w.blocks > 1 {
		CMPQ(f.left, U32((f.n-1)*f.w.bytes()+block))
		JA(LabelRef(whole))
		work(text, low(x))
		JMP(LabelRef(end))
	}
	Label(whole)
	work(text, x)
	Label(end)
}

// seal overwrites the beginning of the tag's place; the tag comes later.
func (f final) seal(xs []reg.VecVirtual) {
	f.keys.cipher(f.w, xs, f.mask)
	for i, x := range xs {
		if i < f.n-1 {
			VPXOR(f.text(i), x, x)
			VMOVDQU(x, f.text(i))
		} else {
			cut := f.cut()
			f.last(x, func(text Mem, half reg.VecVirtual) {
				VPXOR(text, half, half)
				VPAND(cut, half, half)
				VMOVDQU(half, text)
			})
		}
		f.add(i, x)
	}
	JMP(LabelRef("tag"))
}

// open writes nothing before it knows that the tag is right.
func (f final) open(xs []reg.VecVirtual) {
	f.keys.cipher(f.w, xs, f.mask)
	for i := range xs {
		x := f.w.vector()
		if i < f.n-1 {
			VMOVDQU(f.text(i), x)
		} else {
			VPXOR(x, x, x)
			f.last(x, func(text Mem, half reg.VecVirtual) { VMOVDQU(text, half) })
			VPAND(f.cut(), x, x)
		}
		f.add(i, x)
	}
	tag := f.tag()
	VPXOR(Mem{Base: f.data}.Idx(f.left, 1), tag, tag)
	VPTEST(tag, tag)
	JNE(LabelRef("refused"))
	for i, x := range xs {
		if i < f.n-1 {
			VPXOR(f.text(i), x, x)
			VMOVDQU(x, f.text(i))
			continue
		}
		VPAND(f.cut(), x, x)
		f.last(x, func(text Mem, half reg.VecVirtual) {
			VPXOR(text, half, half)
			VMOVDQU(half, text)
		})
	}
	JMP(LabelRef("authentic"))
}
