package jitter

// Gmin is how many packets in a row have to be played for a burst of losses to
// end (RFC 3611 §4.7.2).
const Gmin = 16

// Losses tells how much was not played, and how it was spread. It counts
// packets, in their order, when their turn has passed: one that error
// correction brought back is not missing, one that came too late is. A burst
// begins and ends with a missing packet and has no [Gmin] packets in a row
// between; a packet that is missing alone is none (RFC 3611 §4.7.2).
type Losses struct {
	Expected  uint64 // packets
	Missing   uint64 // of them
	Discarded uint64 // of the missing: they came, too late
	Runs      uint64 // of missing packets, one or more in a row

	Bursts         uint64
	InBursts       uint64 // packets
	MissingInBurst uint64 // of them
}

// Losses returns the totals since New; Reset keeps them.
func (b *Buffer) Losses() Losses {
	s := b.spread
	s.close()
	s.sum.Discarded = min(s.sum.Discarded, s.sum.Missing) // some had been recovered
	return s.sum
}

// spread counts Losses. What may still become a burst is not in sum.
type spread struct {
	sum   Losses
	sound int64 // packets played since the last missing one
	lost  int64 // missing packets of what may become a burst; 0: none was ever missing
	span  int64 // packets from its first to its last missing one
}

func (s *spread) played() {
	s.sum.Expected++
	s.sound++
}

// missed counts n packets in a row.
func (s *spread) missed(n int64) {
	if n <= 0 {
		return
	}
	s.sum.Expected += uint64(n)
	s.sum.Missing += uint64(n)
	if s.lost == 0 || s.sound > 0 {
		s.sum.Runs++
	}
	if s.lost > 0 && s.sound < Gmin {
		s.span += s.sound
	} else {
		s.close()
		s.lost, s.span = 0, 0
	}
	s.lost += n
	s.span += n
	s.sound = 0
}

func (s *spread) close() {
	if s.lost > 1 {
		s.sum.Bursts++
		s.sum.InBursts += uint64(s.span)
		s.sum.MissingInBurst += uint64(s.lost)
	}
}
