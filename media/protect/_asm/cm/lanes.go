package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is SHA-1 of as many messages as there are words in a register, each in
// a lane of its own, and what the parts of one function share.
type lanes struct {
	width
	count int
	evex  bool // the message schedule is in registers

	// In the frame, for each lane: as in stream; where its next block is; and, in
	// four bytes each, the bytes of all its blocks.
	data, last, whole, keys, blocks, ends Mem
	tails                                 Mem // the last blocks
	state, slots                          Mem // of before the block; the schedule, if not in registers
	jobs                                  Mem // a pointer for each lane

	done reg.GPVirtual      // bytes in the blocks that are done
	w    [16]reg.VecVirtual // the last 16 words of the schedule
	v    [5]reg.VecVirtual  // a to e
}

// sumLanes writes HMAC-SHA1 (RFC 2104 §2) of a message in each lane. A lane
// whose message is shorter than others keeps its state while they go on.
func sumLanes(w width) {
	h := &lanes{width: w, count: w.bytes / 4, evex: w.bytes == 64, done: GP64()}
	name, end := "sumLanes"+w.name, GP64()
	TEXT(name, 0, fmt.Sprintf("func(jobs *[%d]*byte)", h.count))
	Doc(name + " sets the tags of as many jobs.")
	h.jobs = argument("jobs")
	h.layout()
	h.prepare(end)
	h.loadState(keysInner)
	XORQ(h.done, h.done)

	Label("block")
	h.findBlocks()
	h.loadBlocks()
	Label("compress")
	h.compress()
	ADDQ(U8(blockLen), h.done)
	CMPQ(h.done, end)
	JB(LabelRef("block"))
	JA(LabelRef("finish"))
	Comment("The outer hash is one block behind the longest message.")
	h.outer()
	JMP(LabelRef("compress"))
	Label("finish")
	h.finish()
	VZEROUPPER()
	RET()
}

// layout takes registers, and parts of the frame from a line of the cache on.
func (h *lanes) layout() {
	for i := range h.w {
		h.v[i%5], h.w[i] = h.register(), h.register()
	}
	base, size := GP64(), 0
	take := func(n int) Mem {
		size += n
		return Mem{Base: base, Disp: size - n}
	}
	h.state, h.slots, h.ends = take(5*h.bytes), take(16*h.bytes), take(h.bytes)
	for _, m := range []*Mem{&h.data, &h.last, &h.whole, &h.keys, &h.blocks} {
		*m = take(8 * h.count)
	}
	h.tails = take((2*h.count + 1) * blockLen).Offset(blockLen)
	LEAQ(AllocLocal(size+blockLen).Offset(blockLen-1), base)
	ANDQ(I32(-blockLen), base)
}

// prepare takes the jobs apart and writes the last blocks of each: from the last
// lane on, because that overwrites the block before. It sets longest to the
// bytes that the blocks of the longest have.
func (h *lanes) prepare(longest reg.GPVirtual) {
	lane, tail := GP64(), Mem{Base: GP64()}
	XORQ(longest, longest)
	MOVQ(U32(h.count-1), lane)
	LEAQ(h.tails.Offset(2*blockLen*(h.count-1)), tail.Base)
	own := func(m Mem) Mem { return m.Idx(lane, 8) }

	Label("prepare")
	m := ofJob(follow(own(h.jobs)))
	whole, size := m.pad("pad", tail)
	MOVQ(m.keys.Base, own(h.keys))
	MOVQ(m.data.Base, own(h.data))
	MOVQ(whole, own(h.whole))
	last := GP64()
	MOVQ(tail.Base, last)
	SUBQ(whole, last)
	MOVQ(last, own(h.last))
	ADDQ(whole, size)
	MOVL(size.As32(), h.ends.Idx(lane, 4))
	CMPQ(size, longest)
	CMOVQHI(size, longest)
	ADDQ(I32(-2*blockLen), tail.Base)
	DECQ(lane)
	JNS(LabelRef("prepare"))
}

// findBlocks works out where each lane's next block is. A lane that is done
// stays with its last one.
func (h *lanes) findBlocks() {
	for lane := range h.count {
		done, from := GP64(), GP64()
		MOVLQZX(h.ends.Offset(4*lane), done)
		SUBQ(U8(blockLen), done)
		CMPQ(done, h.done)
		CMOVQHI(h.done, done)
		MOVQ(h.data.Offset(8*lane), from)
		CMPQ(done, h.whole.Offset(8*lane))
		CMOVQCC(h.last.Offset(8*lane), from)
		ADDQ(done, from)
		MOVQ(from, h.blocks.Offset(8*lane))
	}
}

// quarters loads 16 bytes from each of the addresses: to register i those of the
// lanes i, i+4 and so on.
func (h *lanes) quarters(addresses Mem, offset int, x []reg.VecVirtual) {
	for lane := range h.count {
		from, to := follow(addresses.Offset(8*lane)).Offset(offset), x[lane%4]
		switch {
		case lane < 4:
			h.broadcast(from, to)
		case h.evex:
			VINSERTI32X4(U8(lane/4), from, to, to)
		default:
			VINSERTI128(U8(lane/4), from, to, to)
		}
	}
}

// transpose turns four registers of four words of each lane into one for each
// word, and back.
func (h *lanes) transpose(x []reg.VecVirtual) {
	low01, high01, low23, high23 := h.register(), h.register(), h.register(), h.register()
	VPUNPCKLDQ(x[1], x[0], low01)
	VPUNPCKHDQ(x[1], x[0], high01)
	VPUNPCKLDQ(x[3], x[2], low23)
	VPUNPCKHDQ(x[3], x[2], high23)
	VPUNPCKLQDQ(low23, low01, x[0])
	VPUNPCKHQDQ(low23, low01, x[1])
	VPUNPCKLQDQ(high23, high01, x[2])
	VPUNPCKHQDQ(high23, high01, x[3])
}

// loadState sets the state of each lane to the one at offset of its keys.
func (h *lanes) loadState(offset int) {
	h.quarters(h.keys, offset, h.v[:4])
	h.transpose(h.v[:4])
	e := []reg.VecVirtual{h.v[4], h.register(), h.register(), h.register()}
	h.quarters(h.keys, offset+16, e)
	h.transpose(e) // and what is behind the state, which is left alone
}

// loadBlocks fills the message schedule with the next block of each lane
// (FIPS 180-4 §6.1.2, step 1).
func (h *lanes) loadBlocks() {
	swap := h.register()
	h.broadcast(wordSwap, swap)
	for q := 0; q < 16; q += 4 {
		x := []reg.VecVirtual{h.register(), h.register(), h.register(), h.register()}
		h.quarters(h.blocks, 4*q, x)
		for i := range x {
			VPSHUFB(swap, x[i], x[i])
		}
		h.transpose(x)
		for i := range x {
			h.copy(x[i], h.word(q+i))
		}
	}
}

// word is word i of the schedule, where it is kept.
func (h *lanes) word(i int) Op {
	if h.evex {
		return h.w[i%16]
	}
	return h.slots.Offset(h.bytes * (i % 16))
}

// schedule returns word t of the message schedule.
func (h *lanes) schedule(t int) Op {
	switch {
	case t < 16:
		return h.word(t)
	case h.evex:
		w := h.w[t%16]
		VPXORD(h.word(t-14), w, w)
		VPTERNLOGD(U8(parity), h.word(t-8), h.word(t-3), w)
		VPROLD(U8(1), w, w)
		return w
	}
	w, three := YMM(), h.word(t-3)
	if t >= 16+3 {
		three = h.w[(t-3)%16] // this soon, the way through memory is long
	}
	VMOVDQU(h.word(t-16), w)
	VPXOR(h.word(t-14), w, w)
	VPXOR(h.word(t-8), w, w)
	VPXOR(three, w, w)
	h.rotate(1, w, w)
	h.copy(w, h.word(t))
	h.w[t%16] = w
	return w
}

// The functions of FIPS 180-4 §4.1.1 as VPTERNLOGD takes them.
const choose, parity, majority = 0xca, 0x96, 0xe8

// function returns f of FIPS 180-4 §4.1.1 for round t.
func (h *lanes) function(t int, b, c, d reg.VecVirtual) reg.VecVirtual {
	f, which := h.register(), [4]int{choose, parity, majority, parity}[t/20]
	switch {
	case h.evex:
		h.copy(b, f)
		VPTERNLOGD(U8(which), d, c, f)
	case which == majority:
		either := YMM()
		VPOR(b, c, either)
		VPAND(d, either, either)
		VPAND(b, c, f)
		VPOR(either, f, f)
	case which == choose:
		VPXOR(c, d, f)
		VPAND(b, f, f)
		VPXOR(d, f, f)
	default:
		VPXOR(c, d, f)
		VPXOR(b, f, f)
	}
	return f
}

// rotate sets y to x, rotated to the left by n bits.
func (h *lanes) rotate(n int, x, y reg.VecVirtual) {
	if h.evex {
		VPROLD(U8(n), x, y)
		return
	}
	high := YMM()
	VPSLLD(U8(n), x, high)
	VPSRLD(U8(32-n), x, y)
	VPOR(high, y, y)
}

// compress does one block in each lane (FIPS 180-4 §6.1.2). In lanes that are
// done already it changes nothing.
func (h *lanes) compress() {
	for i, x := range h.v {
		h.copy(x, h.state.Offset(h.bytes*i))
	}
	a, b, c, d, e := h.v[0], h.v[1], h.v[2], h.v[3], h.v[4]
	k := h.register()
	for t := range 80 {
		if t%20 == 0 {
			VPBROADCASTD(roundK.Offset(t/20*4), k)
		}
		VPADDD(h.schedule(t), e, e)
		VPADDD(k, e, e)
		VPADDD(h.function(t, b, c, d), e, e)
		turned := h.register()
		h.rotate(5, a, turned)
		VPADDD(turned, e, e)
		h.rotate(30, b, b)
		a, b, c, d, e = e, a, b, c, d
	}
	busy := h.register()   // all ones: done - end is negative
	MOVQ(h.done, h.blocks) // no more needed; the way to all lanes is through memory
	VPBROADCASTD(h.blocks, busy)
	VPSUBD(h.ends, busy, busy)
	VPSRAD(U8(31), busy, busy)
	for i, x := range h.v {
		h.pick(three(VPAND), VPANDD, busy, x, x)
		VPADDD(h.state.Offset(h.bytes*i), x, x)
	}
}

// outer makes the states the messages of the outer hashes, loads the states of
// these, and has no lane done.
func (h *lanes) outer() {
	for i, x := range h.v {
		h.copy(x, h.word(i))
	}
	x := h.register()
	for i := 5; i < 16; i++ {
		VPBROADCASTD(outerRest.Offset(4*(i-5)), x)
		h.copy(x, h.word(i))
	}
	VPBROADCASTD(outerRest.Offset(4*11), x)
	h.copy(x, h.ends)
	h.loadState(keysOuter)
}

// finish stores the tags, and wipes the keys' states that were saved.
func (h *lanes) finish() {
	swap := h.register()
	h.broadcast(wordSwap, swap)
	for _, x := range h.v {
		VPSHUFB(swap, x, x)
	}
	h.transpose(h.v[:4])
	h.copy(h.v[4], h.ends)
	h.xor(swap, swap, swap)
	for i := range h.v {
		h.copy(swap, h.state.Offset(h.bytes*i))
	}
	for lane := range h.count {
		tag, e, x := follow(h.jobs.Offset(8*lane)).Offset(jobTag), GP32(), h.v[lane%4]
		if h.evex {
			VEXTRACTI32X4(U8(lane/4), x, tag)
		} else {
			VEXTRACTI128(U8(lane/4), x, tag)
		}
		MOVL(h.ends.Offset(4*lane), e)
		MOVL(e, tag.Offset(16))
	}
}
