package wire

// Assembler puts one message together of its fragments. It holds MaxMessageLen
// bytes and no more, whatever comes: a fragment of another message throws away
// what there is, and a fragment that comes again overwrites its place, so that
// after a forged one the sender's next repetition makes the message whole. The
// zero value is ready.
type Assembler struct {
	id, total uint16
	msg       []byte
	missing   []bool // by word
	left      int    // words that are missing
}

// Add takes a packet with a fragment and returns the message once it is whole.
// The caller owns it. A message longer than MaxMessageLen is ignored.
func (a *Assembler) Add(p Packet) []byte {
	f := p.Fragment
	if 4*int(f.Total) > MaxMessageLen {
		return nil
	}
	if a.msg == nil || a.id != f.ID || a.total != f.Total {
		n := int(f.Total)
		*a = Assembler{id: f.ID, total: f.Total, msg: make([]byte, 4*n), missing: make([]bool, n), left: n}
		for i := range a.missing {
			a.missing[i] = true
		}
	}
	copy(a.msg[4*int(f.Offset):], p.Message)
	for i := range len(p.Message) / 4 {
		if word := int(f.Offset) + i; a.missing[word] {
			a.missing[word] = false
			a.left--
		}
	}
	if a.left > 0 {
		return nil
	}
	msg := a.msg
	*a = Assembler{}
	return msg
}
