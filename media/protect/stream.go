package protect

import "math/bits"

// stream is what an Opener knows of one synchronisation source: how far it has
// come, and which of its last packets were opened. It is one cache line.
type stream struct {
	highest uint64 // the greatest index opened: RFC 3711 §3.3.1
	ssrc    uint32
	roc     uint32 // roll-over count before the first packet
	window  uint16 // packets
	known   bool   // the entry is some source's
	begun   bool   // a packet was opened

	// seen has a bit for each index up to highest that a window reaches back: a
	// ring, in which an index stands at its remainder. Its length is a power of
	// two.
	seen  []uint64
	small [defaultWindow / 64]uint64 // seen, unless the window is larger
}

// ringLen is how many words a window of so many packets takes.
func ringLen(window int) int { return 1 << bits.Len(uint(window-1)/64) }

// guess is the index of the packet with this sequence number (RFC 3711 §3.3.1
// and Appendix A): of those that it can have, the one nearest to highest. Before
// the first roll-over there is none below zero.
func (s *stream) guess(seq uint16) uint64 {
	last, roc := uint16(s.highest), uint32(s.highest>>16)
	switch {
	case last < 1<<15:
		if int(seq)-int(last) > 1<<15 && roc > 0 {
			roc--
		}
	case int(last)-1<<15 > int(seq):
		roc++
	}
	return uint64(roc)<<16 | uint64(seq)
}

// fresh reports whether the packet with this index was not opened before, as
// far as the window can tell (RFC 3711 §3.3.2).
func (s *stream) fresh(index uint64) bool {
	if index > s.highest || !s.begun {
		return true
	}
	return s.highest-index < uint64(s.window) && s.seen[s.word(index)]&(1<<(index%64)) == 0
}

// word is where in seen the bit of an index stands.
func (s *stream) word(index uint64) uint64 { return index / 64 & uint64(len(s.seen)-1) }

// commit notes that the packet with this index was opened.
func (s *stream) commit(index uint64) {
	switch {
	case !s.begun:
		s.begun, s.highest = true, index
	case index > s.highest:
		s.forget(index)
		s.highest = index
	}
	s.seen[s.word(index)] |= 1 << (index % 64)
}

// forget clears the bits of the indices between highest and index, which belong
// to others a turn of the ring ago.
func (s *stream) forget(index uint64) {
	if index-s.highest >= 64*uint64(len(s.seen)) {
		clear(s.seen)
		return
	}
	for i := s.highest + 1; i < index; i++ {
		s.seen[s.word(i)] &^= 1 << (i % 64)
	}
}

// streams are the sources that an Opener knows, of SRTP or of SRTCP: the first
// ones of these entries.
type streams [maxStreams]stream

// init makes room for windows of so many packets.
func (s *streams) init(window int) {
	words := ringLen(window)
	var rings []uint64
	if words > len(s[0].small) {
		rings = make([]uint64, maxStreams*words)
	}
	for i := range s {
		k := &s[i]
		k.window = uint16(window)
		if rings == nil {
			k.seen = k.small[:words]
		} else {
			k.seen = rings[i*words : (i+1)*words]
		}
	}
}

// find is the source's entry, or nil.
func (s *streams) find(ssrc uint32) *stream {
	for i := range s {
		switch k := &s[i]; {
		case !k.known:
			return nil
		case k.ssrc == ssrc:
			return k
		}
	}
	return nil
}

// full reports whether there is no room for another source.
func (s *streams) full() bool { return s[maxStreams-1].known }

// add makes an entry for a source that has none, or says nil: there is no room.
func (s *streams) add(ssrc uint32) *stream {
	for i := range s {
		if k := &s[i]; !k.known {
			k.ssrc, k.known = ssrc, true
			return k
		}
	}
	return nil
}

// furthest is the greatest index opened of all sources.
func (s *streams) furthest() uint64 {
	var index uint64
	for i := range s {
		if !s[i].known {
			break
		}
		index = max(index, s[i].highest)
	}
	return index
}
