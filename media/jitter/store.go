package jitter

const (
	// slots bounds the packets held and how far apart their numbers are:
	// 640 ms of 2.5 ms packets.
	slots = 256
	// A payload lies in cells of this many bytes: one for what phones send in
	// 20 ms. There are cells for 64 of the largest payloads.
	cellLen = 190
	cells   = 512

	none = cells // no cell
)

// store holds payloads. The cells that were freed last are used first, so that
// a stream whose buffer is short stays in few cache lines.
type store struct {
	free  uint16 // first of the free cells
	left  int    // how many are free
	cells [cells]cell
}

// cell is as long as three cache lines.
type cell struct {
	next  uint16 // of the free ones, or of the payload
	bytes [cellLen]byte
}

func (s *store) init() {
	for i := range s.cells {
		s.cells[i].next = uint16(i + 1)
	}
	s.free, s.left = 0, cells
}

// fits tells whether there is room for n bytes.
func (s *store) fits(n int) bool { return (n+cellLen-1)/cellLen <= s.left }

// put takes a payload for which there is room, and returns its first cell.
func (s *store) put(p []byte) (first uint16) {
	first = s.free
	last := uint16(none)
	for len(p) > 0 {
		c := &s.cells[s.free]
		last, s.free = s.free, c.next
		s.left--
		p = p[copy(c.bytes[:], p):]
	}
	if last == none {
		return none
	}
	s.cells[last].next = none
	return first
}

// get copies n bytes from cell on to dst.
func (s *store) get(dst []byte, cell uint16, n int) {
	for dst = dst[:n]; len(dst) > 0; cell = s.cells[cell].next {
		dst = dst[copy(dst, s.cells[cell].bytes[:]):]
	}
}

// drop frees cell and those that follow it.
func (s *store) drop(cell uint16) {
	for cell != none {
		c := &s.cells[cell]
		cell, c.next, s.free = c.next, s.free, cell
		s.left++
	}
}
