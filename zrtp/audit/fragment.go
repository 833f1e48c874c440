package audit

import (
	"bytes"

	"sotto/zrtp/wire"
)

// maxAssembledLen is more than the longest message of today's hybrids, of which
// not all are built in.
const maxAssembledLen = 16 << 10

// assembly is a message of which parts have come.
type assembly struct {
	id    uint16
	words int
	msg   []byte
	have  []bool // by word
	left  int    // words
	parts int
}

// assemble takes one part and returns the message if it is whole now.
func (s *sender) assemble(m *Message, p wire.Packet) []byte {
	m.Type = "fragment"
	id, words, offset := p.Fragment.ID, int(p.Fragment.Total), int(p.Fragment.Offset)
	part, n := p.Message, len(p.Message)/4
	m.field("message", "%d", id)
	m.field("words", "%d to %d of %d", offset, offset+n, words)
	if 4*words > maxAssembledLen {
		m.fault("a message of %d bytes is too long", 4*words)
		return nil
	}
	a := s.assembly
	if a == nil || a.id != id {
		a = &assembly{id: id, words: words, msg: make([]byte, 4*words), have: make([]bool, words), left: words}
		s.assembly = a
	}
	if a.words != words {
		m.fault("a message of %d words, of %d in another part", words, a.words)
		return nil
	}
	if !a.add(offset, part) {
		m.fault("the part differs from one that came before")
		return nil
	}
	if a.left > 0 {
		return nil
	}
	s.assembly = nil
	m.Fields = nil
	m.note("put together from %d fragments", a.parts)
	return a.msg
}

// add copies a part to its place; false if other bytes are there already.
func (a *assembly) add(offset int, part []byte) bool {
	for i := 0; i < len(part); i += 4 {
		if w := offset + i/4; a.have[w] && !bytes.Equal(a.msg[4*w:4*w+4], part[i:i+4]) {
			return false
		}
	}
	for i := 0; i < len(part); i += 4 {
		w := offset + i/4
		if !a.have[w] {
			a.have[w] = true
			a.left--
		}
		copy(a.msg[4*w:], part[i:i+4])
	}
	a.parts++
	return true
}
