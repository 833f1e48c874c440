package audit

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"slices"

	"sotto/zrtp/wire"
)

func (s *sender) onHello(m *Message, msg []byte) {
	h, err := wire.ParseHello(msg)
	if err != nil {
		m.fault("%s", reason(err))
		return
	}
	if p := s.peer(); p != nil && p.hello != nil && p.greeting.ZID == h.ZID {
		m.fault("both sides have ZID %s", h.ZID)
		return
	}
	if p := s.peer(); p != nil && p.ssrc == s.ssrc {
		m.fault("both sides have SSRC %08x", s.ssrc)
		return
	}
	s.hello, s.greeting, s.helloNumber, s.helloJudged = bytes.Clone(msg), h, m.Number, false
}

func (s *sender) onCommit(m *Message, msg []byte) {
	c, err := wire.ParseCommit(msg)
	if err == nil && len(c.PV) > 0 && publicLen(c.KeyAgreement) != 0 {
		err = fmt.Errorf("%w: a Commit of %d bytes, with a public value where none belongs", wire.ErrMalformed, len(msg))
	}
	if err != nil {
		m.fault("%s", reason(err))
		return
	}
	if s.hello == nil {
		m.note("H2 can't be checked: no Hello of %s was seen", s.name())
	} else {
		if !s.follows(m, "H2", c.H2, 1) {
			return
		}
		if c.ZID != s.greeting.ZID {
			m.fault("ZID %s is not that of Hello #%d", c.ZID, s.helloNumber)
			return
		}
		s.proveHello(m, c.H2)
	}
	s.offered(m, &c)
	s.commit, s.choice, s.commitNumber = bytes.Clone(msg), c, m.Number
	winner := s
	if p := s.peer(); p != nil && p.commit != nil {
		var why string
		if winner, why = contend(s, p); winner == nil {
			m.fault("both sides commit, and neither wins: %s", why)
			return
		}
		m.note("both sides commit: %s's wins, %s", winner.name(), why)
	}
	s.stream.initiator, s.stream.committed = winner, &winner.choice
}

// offered checks that both sides know what a Commit chooses: a choice that was
// not offered is an error of the initiator, or the trace of a Hello that was
// changed on its way.
func (s *sender) offered(m *Message, c *wire.Commit) {
	for _, side := range s.stream.sides {
		if side == nil || side.hello == nil {
			continue
		}
		h := &side.greeting
		for _, x := range []struct {
			choice wire.Algo
			offer  []wire.Algo
		}{{c.KeyAgreement, h.KeyAgreements}, {c.Hash, h.Hashes}, {c.Cipher, h.Ciphers}, {c.AuthTag, h.AuthTags}, {c.SAS, h.SASTypes}} {
			if !mandatory(x.choice) && !slices.Contains(x.offer, x.choice) {
				m.fault("chooses %s, which %s does not offer", algoName(x.choice), side.name())
			}
		}
	}
}

// mandatory says of an algorithm that it need not stand in a Hello: every
// endpoint has it (RFC 6189 §5.1.2 and the sections after it). Preshared mode
// is settled by the secrets that both have.
func mandatory(a wire.Algo) bool {
	switch a.String() {
	case "S256", "AES1", "HS32", "HS80", "DH3k", "Mult", "Prsh", "B32":
		return true
	}
	return false
}

func (s *sender) onDHPart(m *Message, msg []byte) {
	part, err := wire.ParseDHPart(msg)
	if err != nil {
		m.fault("%s", reason(err))
		return
	}
	if s.takesRole(m, part.Part2); len(m.Faults) > 0 {
		return
	}
	if s.stream.committed != nil {
		agreement := s.stream.committed.KeyAgreement
		if want := publicLen(agreement); want != 0 && want != len(part.PV) {
			m.fault("a public value of %d bytes, %s has %d", len(part.PV), algoName(agreement), want)
			return
		}
		if !isDH(agreement) {
			m.fault("it has no place in an exchange without Diffie-Hellman (%s)", algoName(agreement))
			return
		}
	}
	h2 := sha256.Sum256(part.H1[:])
	switch {
	case s.commit != nil:
		if h2 != s.choice.H2 {
			m.fault("H1 does not fit H2 of Commit #%d", s.commitNumber)
			return
		}
		m.pass("H1 fits H2 of #%d", s.commitNumber)
		s.proveCommit(m, part.H1)
	case s.hello != nil:
		if !s.follows(m, "H1", part.H1, 2) {
			return
		}
	default:
		m.note("H1 can't be checked: no Hello of %s was seen", s.name())
	}
	if s.hello != nil && !s.helloJudged {
		s.proveHello(m, h2)
	}
	if part.Part2 {
		s.checkHVI(m, msg)
	}
}

// checkHVI holds the initiator's DHPart2 against what it committed to before it
// saw the responder's public value (RFC 6189 §4.4.1.1).
func (s *sender) checkHVI(m *Message, part2 []byte) {
	responder := s.peer()
	if s.commit == nil || responder == nil || responder.hello == nil {
		m.note("hvi can't be checked: the Commit or the responder's Hello was not seen")
		return
	}
	h := newHash(s.choice.Hash)
	if h == nil {
		m.note("hvi can't be checked: hash %s is unknown", algoName(s.choice.Hash))
		return
	}
	s.stream.hviJudged = true
	h.Write(part2)
	h.Write(responder.hello)
	if !bytes.Equal(h.Sum(nil)[:len(s.choice.HVI)], s.choice.HVI[:]) {
		m.fault("hvi of Commit #%d is not that of this DHPart2 and Hello #%d", s.commitNumber, responder.helloNumber)
		return
	}
	m.pass("hvi of #%d is right", s.commitNumber)
}

func (s *sender) onConfirm(m *Message, t wire.Type) {
	if s.takesRole(m, t == wire.TypeConfirm2); len(m.Faults) > 0 {
		return
	}
	if p := s.peer(); p != nil {
		_, first := p.seen[wire.TypeConfirm1]
		_, second := p.seen[wire.TypeConfirm2]
		s.stream.over = first && t == wire.TypeConfirm2 || second && t == wire.TypeConfirm1
	}
	if s.stream.over {
		s.stream.failed = false
	}
}

// follows checks that image, hashed steps times, is the H3 of the sender's
// Hello (RFC 6189 §9).
func (s *sender) follows(m *Message, name string, image [32]byte, steps int) bool {
	for range steps {
		image = sha256.Sum256(image[:])
	}
	if image != s.greeting.H3 {
		m.fault("%s does not fit H3 of Hello #%d", name, s.helloNumber)
		return false
	}
	m.pass("%s fits H3 of #%d", name, s.helloNumber)
	return true
}

func (s *sender) proveHello(m *Message, h2 [32]byte) {
	s.helloJudged = true
	if !macIsRight(s.hello, h2) {
		m.fault("MAC of Hello #%d is wrong: it was changed on its way", s.helloNumber)
		return
	}
	m.pass("MAC of #%d is right", s.helloNumber)
}

func (s *sender) proveCommit(m *Message, h1 [32]byte) {
	s.commitJudged = true
	if !macIsRight(s.commit, h1) {
		m.fault("MAC of Commit #%d is wrong: it was changed on its way", s.commitNumber)
		return
	}
	m.pass("MAC of #%d is right", s.commitNumber)
}

// macIsRight checks the MAC at a message's end, which has the implicit hash
// (RFC 6189 §5.1.2.2).
func macIsRight(msg []byte, key [32]byte) bool {
	end := len(msg) - wire.MACLen
	mac := hmac.New(sha256.New, key[:])
	mac.Write(msg[:end])
	return hmac.Equal(mac.Sum(nil)[:wire.MACLen], msg[end:])
}

// newHash is the negotiated hash, or nil.
func newHash(a wire.Algo) hash.Hash {
	switch a.String() {
	case "S256":
		return sha256.New()
	case "S384":
		return sha512.New384()
	case "S512":
		return sha512.New()
	}
	return nil
}

// publicLen is the length of a public value in bytes, 0 if it is not known.
func publicLen(agreement wire.Algo) int {
	switch agreement.String() {
	case "DH2k":
		return 256
	case "DH3k":
		return 384
	case "EC25":
		return 64
	case "EC38":
		return 96
	case "EC52":
		return 132
	case "X255":
		return 32
	case "X448":
		return 56
	}
	return 0
}

// isDH says whether DHParts belong to the agreement.
func isDH(agreement wire.Algo) bool {
	return agreement != wire.Multistream && agreement != wire.Preshared
}
