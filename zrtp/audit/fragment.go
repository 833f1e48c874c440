package audit

import (
	"bytes"
	"encoding/binary"
)

const (
	// fragmented is the second half of the first byte of a packet which holds
	// a part of a message: the key agreements with large public values use it.
	fragmented = 1

	// fragmentHeadLen is the length of what stands before the part: the
	// message's number and length, the part's offset and length, the last
	// three in words.
	fragmentHeadLen = 8

	// maxAssembledLen is more than the longest message of today's hybrids.
	maxAssembledLen = 16 << 10
)

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
func (s *sender) assemble(m *Message, b []byte) []byte {
	m.Type = "fragment"
	id, words := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
	offset, n := int(binary.BigEndian.Uint16(b[4:])), int(binary.BigEndian.Uint16(b[6:]))
	part := b[fragmentHeadLen:]
	m.field("message", "%d", id)
	m.field("words", "%d to %d of %d", offset, offset+n, words)
	switch {
	case n == 0 || len(part) != 4*n:
		m.fault("a part of %d bytes, but %d words announced", len(part), n)
		return nil
	case offset+n > words:
		m.fault("the part goes beyond the message")
		return nil
	case 4*words > maxAssembledLen:
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
