package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"

	"sotto/zrtp/wire"
)

// stream is one exchange between two senders.
type stream struct {
	id        int
	sides     [2]*sender
	initiator *sender // nil while unknown
	committed *wire.Commit
	hviJudged bool
	failed    bool
	over      bool // complete or failed: a Hello may begin another

	messages, repeats, faults int
}

// sender is one side of a stream.
type sender struct {
	source
	stream *stream
	side   int
	heard  bool

	hello, commit             []byte // raw, as MACs and hvi cover them
	helloNumber, commitNumber int
	greeting                  wire.Hello
	choice                    wire.Commit
	helloJudged, commitJudged bool // their MACs have been checked

	seen     map[wire.Type]sighting // of the sixteen types and no other
	assembly *assembly
}

// sighting is the latest faultless message of a type.
type sighting struct {
	digest   [sha256.Size]byte
	number   int
	sequence uint16
}

func (s *sender) name() string { return string(rune('A' + s.side)) }

// peer is the other side, or nil.
func (s *sender) peer() *sender { return s.stream.sides[1-s.side] }

func (s *stream) count(m *Message) {
	s.messages++
	if m.RepeatOf != 0 {
		s.repeats++
	}
	if len(m.Faults) > 0 {
		s.faults++
	}
}

// receive judges a whole message. One that is forged or damaged does not change
// what the later ones are held against.
func (s *sender) receive(m *Message, msg []byte) {
	t, err := wire.MessageType(msg)
	if err != nil {
		m.Type = "?"
		m.fault("%s", reason(err))
		return
	}
	m.Type = typeName(t)
	if !known(t) {
		m.note("a message of unknown type")
		return
	}
	digest := sha256.Sum256(msg)
	before, again := s.seen[t]
	if again && before.digest == digest {
		m.RepeatOf, m.Duplicate = before.number, before.sequence == m.Sequence
		return
	}
	describe(m, t, msg)
	if again && len(m.Faults) == 0 && !s.mayDiffer(t, msg) {
		m.fault("differs from %s #%d of the same sender", t, before.number)
	}
	if len(m.Faults) == 0 {
		s.judge(m, t, msg)
	}
	if len(m.Faults) == 0 {
		s.seen[t] = sighting{digest, m.Number, m.Sequence}
	}
}

// mayDiffer says whether a second message of type t may be another than the
// first. A Hello may come again with another version (RFC 6189 §4.1.1).
func (s *sender) mayDiffer(t wire.Type, msg []byte) bool {
	switch t {
	case wire.TypeHello:
		h, err := wire.ParseHello(msg)
		return err == nil && h.H3 == s.greeting.H3 && h.Version != s.greeting.Version
	case wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2:
		return false
	}
	return true
}

// judge holds a message that is whole against those before it.
func (s *sender) judge(m *Message, t wire.Type, msg []byte) {
	switch t {
	case wire.TypeHello:
		s.onHello(m, msg)
	case wire.TypeCommit:
		s.onCommit(m, msg)
	case wire.TypeDHPart1, wire.TypeDHPart2:
		s.onDHPart(m, msg)
	case wire.TypeConfirm1, wire.TypeConfirm2:
		s.onConfirm(m, t)
	case wire.TypeConf2ACK:
		s.takesRole(m, false)
	case wire.TypeError:
		m.fault("%s gives up", s.name())
		s.stream.failed, s.stream.over = true, true
		s.stream.restart()
	case wire.TypeGoClear:
		s.stream.restart()
	}
}

// restart makes room for another key agreement of the same endpoints, after
// GoClear or Error. What was proven of their Hellos stays.
func (s *stream) restart() {
	s.initiator, s.committed, s.hviJudged = nil, nil, false
	for _, side := range s.sides {
		if side == nil {
			continue
		}
		side.commit, side.commitJudged = nil, false
		for _, t := range []wire.Type{wire.TypeCommit, wire.TypeDHPart1, wire.TypeDHPart2, wire.TypeConfirm1, wire.TypeConfirm2} {
			delete(side.seen, t)
		}
	}
}

// takesRole holds the sender of a message against the role it needs. Without a
// Commit the first such message tells the roles.
func (s *sender) takesRole(m *Message, initiator bool) {
	if s.stream.initiator == nil {
		m.note("no Commit was seen")
		if initiator {
			s.stream.initiator = s
		} else {
			s.stream.initiator = s.peer()
		}
		return
	}
	if (s.stream.initiator == s) != initiator {
		m.fault("%s sends it, but %s is the initiator", s.name(), s.stream.initiator.name())
	}
}

// contend decides which of two Commits proceeds, by RFC 6189 §4.2, and returns
// its sender and why; nil if the rules leave none.
func contend(a, b *sender) (*sender, string) {
	modeA, modeB := a.choice.KeyAgreement, b.choice.KeyAgreement
	dhA := modeA != wire.Preshared && modeA != wire.Multistream
	dhB := modeB != wire.Preshared && modeB != wire.Multistream
	switch {
	case (modeA == wire.Multistream) != (modeB == wire.Multistream):
		return nil, "only one is for Multistream mode"
	case dhA != dhB && dhA:
		return a, "Diffie-Hellman goes before Preshared"
	case dhA != dhB:
		return b, "Diffie-Hellman goes before Preshared"
	case modeA == wire.Preshared && a.greeting.MiTM != b.greeting.MiTM:
		if a.greeting.MiTM {
			return b, "in Preshared mode the PBX yields"
		}
		return a, "in Preshared mode the PBX yields"
	}
	what, order := "hvi", bytes.Compare(a.choice.HVI[:], b.choice.HVI[:])
	if !dhA {
		what, order = "nonce", bytes.Compare(a.choice.Nonce[:], b.choice.Nonce[:])
	}
	switch {
	case order > 0:
		return a, "its " + what + " is higher"
	case order < 0:
		return b, "its " + what + " is higher"
	}
	return nil, "both have the same " + what
}

func (s *stream) summary() Summary {
	sum := Summary{Stream: s.id, Messages: s.messages, Repeats: s.repeats, Faults: s.faults, Outcome: Unfinished}
	switch {
	case s.failed:
		sum.Outcome = Failed
	case s.over:
		sum.Outcome = Complete
	}
	if s.initiator != nil {
		sum.Initiator = s.initiator.name()
	}
	if s.committed != nil {
		sum.Suite = suite(s.committed)
	}
	for _, side := range s.sides {
		if side == nil {
			continue
		}
		sum.Sides = append(sum.Sides, Side{side.name(), side.from, side.to, side.ssrc})
		if side.hello == nil {
			sum.Unchecked = append(sum.Unchecked, fmt.Sprintf("Hello of %s, which was not seen", side.name()))
		} else if !side.helloJudged {
			sum.Unchecked = append(sum.Unchecked, fmt.Sprintf("MAC of %s's Hello", side.name()))
		}
		if side.commit != nil && !side.commitJudged {
			sum.Unchecked = append(sum.Unchecked, fmt.Sprintf("MAC of %s's Commit", side.name()))
		}
	}
	if s.initiator != nil && !s.hviJudged && (s.committed == nil || isDH(s.committed.KeyAgreement)) {
		sum.Unchecked = append(sum.Unchecked, "hvi")
	}
	return sum
}
