package zrtp

import (
	"bytes"
	"errors"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

var errCommitZID = errors.New("zrtp: Commit names another ZID than the Hello")

// sendCommit makes us the initiator, unless the peer's Commit wins.
func (s *Session) sendCommit(now time.Time) {
	suite, code := choose(s.offer, s.peer.offer, kex.Faster)
	if code != 0 {
		s.fail(now, code, errors.New("zrtp: no algorithm in common"))
		return
	}
	s.suite, s.role = suite, Initiator
	if !s.newKeyPair(now) {
		return
	}
	part, ok := s.newDHPart(now)
	if !ok {
		return
	}
	s.ours.dhPart = part
	h := newHash(suite.Hash)()
	h.Write(s.ours.dhPart)
	h.Write(s.theirs.hello)
	commit := wire.Commit{
		H2: s.chain.h[2], ZID: s.cfg.ZID,
		Hash: suite.Hash, Cipher: suite.Cipher, AuthTag: suite.AuthTag,
		KeyAgreement: suite.KeyAgreement, SAS: suite.SAS,
		HVI: [32]byte(h.Sum(nil)[:32]), // RFC 6189 §4.4.1.1
	}
	s.ours.commit = appendMAC(commit.Append(nil), s.chain.h[1])
	s.send(s.ours.commit)
	s.step.begin(now, s.ours.commit, stepRhythm)
	s.state = CommitSent
}

// newKeyPair makes the key pair for s.suite; a failure ends the Session.
func (s *Session) newKeyPair(now time.Time) bool {
	agreement, ok := kex.Lookup(s.suite.KeyAgreement)
	if !ok {
		s.fail(now, wire.ErrorKeyAgreementUnsupported, errors.New("zrtp: key agreement is not built in"))
		return false
	}
	random, err := s.random(agreement.SecretLen(cipherBits(s.suite.Cipher)))
	if err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return false
	}
	defer secret.Wipe(random)
	key, err := agreement.Generate(random)
	if err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return false
	}
	if s.agreement != nil {
		s.agreement.Wipe()
	}
	s.agreement = key
	return true
}

// newDHPart is our DHPart1 or DHPart2, as s.role says.
func (s *Session) newDHPart(now time.Time) ([]byte, bool) {
	random, err := s.random(32)
	if err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return nil, false
	}
	ids := s.retained.masked(s.retained.idsOf(newHash(s.suite.Hash), s.role, s.chain.h[3]), random)
	part := wire.DHPart{
		Part2: s.role == Initiator, H1: s.chain.h[1],
		RS1ID: ids.rs1, RS2ID: ids.rs2, AuxSecretID: ids.aux, PBXSecretID: ids.pbx,
		PV: s.agreement.Public(),
	}
	return appendMAC(part.Append(nil), s.chain.h[0]), true
}

// openCommit checks a Commit against the Hello it must continue. false with no
// error: the Hello was forged, and the Session has failed.
func (s *Session) openCommit(now time.Time, msg []byte) (wire.Commit, bool, error) {
	c, err := wire.ParseCommit(msg)
	if err != nil {
		return wire.Commit{}, false, err
	}
	if err := follows(c.H2, s.peer.hello.H3, 1); err != nil {
		return wire.Commit{}, false, err
	}
	if c.ZID != s.peer.hello.ZID {
		return wire.Commit{}, false, errCommitZID
	}
	return c, s.provenHello(now, c.H2), nil
}

// provenHello checks the MAC of the peer's Hello once its key is revealed. If
// the chain holds and the MAC does not, somebody has changed the Hello.
func (s *Session) provenHello(now time.Time, h2 [32]byte) bool {
	if err := checkMAC(s.theirs.hello, h2); err != nil {
		s.fail(now, wire.ErrorHelloMismatch, errors.New("zrtp: the peer's Hello was changed on its way: an attack"))
		return false
	}
	return true
}

// onCommit makes us the responder (RFC 6189 §4.4.1.2).
func (s *Session) onCommit(now time.Time, msg []byte) error {
	c, ok, err := s.openCommit(now, msg)
	if err != nil || !ok {
		return err
	}
	s.respond(now, c, msg)
	return nil
}

// onContention decides who yields when both have committed: the lower hvi
// (RFC 6189 §4.2). Equal values are nobody's honest Commit.
func (s *Session) onContention(now time.Time, msg []byte) error {
	c, ok, err := s.openCommit(now, msg)
	if err != nil || !ok {
		return err
	}
	ours, err := wire.ParseCommit(s.ours.commit)
	if err != nil {
		return err
	}
	if bytes.Compare(ours.HVI[:], c.HVI[:]) >= 0 {
		s.hello.stop() // a Commit acknowledges our Hello
		return nil
	}
	s.respond(now, c, msg)
	return nil
}

// respond follows the peer's Commit with our DHPart1. The key pair of a
// Commit of ours that has lost is used if it fits (RFC 6189 §4.2): nobody has
// seen its public value, and it serves this one session only.
func (s *Session) respond(now time.Time, c wire.Commit, msg []byte) {
	suite := Suite{c.Hash, c.Cipher, c.AuthTag, c.KeyAgreement, c.SAS}
	if code := permits(s.offer, s.peer.offer, suite); code != 0 {
		s.fail(now, code, errors.New("zrtp: the peer commits to what was not offered"))
		return
	}
	fits := s.agreement != nil && s.suite.KeyAgreement == suite.KeyAgreement && s.suite.Cipher == suite.Cipher
	s.suite, s.role = suite, Responder
	s.hello.stop()
	s.step.stop()
	if !fits && !s.newKeyPair(now) {
		return
	}
	part, ok := s.newDHPart(now)
	if !ok {
		return
	}
	s.theirs.commit, s.peer.commit = bytes.Clone(msg), c
	s.ours.commit, s.ours.dhPart = nil, part
	s.send(part)
	s.await(now)
	s.state = DHPart1Sent
}

// onCommitAgain repeats DHPart1: the peer has not received it.
func (s *Session) onCommitAgain(now time.Time, msg []byte) error {
	if err := same(s.theirs.commit, msg); err != nil {
		return err
	}
	s.send(s.ours.dhPart)
	s.await(now)
	return nil
}
