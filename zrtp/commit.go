package zrtp

import (
	"bytes"
	"errors"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

var (
	errCommitZID = errors.New("zrtp: Commit names another ZID than the Hello")
	errNoKey     = errors.New("zrtp: there is no key that this mode could begin with")
)

// sendCommit makes us the initiator, unless the peer's Commit wins.
func (s *Session) sendCommit(now time.Time) {
	suite, code := s.choice()
	if code != 0 {
		s.fail(now, code, errors.New("zrtp: no algorithm in common"))
		return
	}
	s.suite, s.role = suite, Initiator
	s.importSRTPS()
	commit := wire.Commit{
		H2: s.chain.h[2], ZID: s.cfg.ZID,
		Hash: suite.Hash, Cipher: suite.Cipher, AuthTag: suite.AuthTag,
		KeyAgreement: suite.KeyAgreement, SAS: suite.SAS,
	}
	if err := s.completeCommit(&commit); err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return
	}
	s.send(s.ours.commit)
	s.step.begin(now, s.ours.commit, stepRhythm)
	s.state = CommitSent
}

// completeCommit adds what stands in a Commit of this key agreement, and in the
// modes without public values derives the keys: nothing else goes into them.
func (s *Session) completeCommit(commit *wire.Commit) error {
	if withPublicValues(commit.KeyAgreement) {
		if err := s.commitTo(commit); err != nil {
			return err
		}
		s.ours.commit = appendMAC(commit.Append(nil), s.chain.h[1])
		return nil
	}
	nonce, err := s.random(len(commit.Nonce))
	if err != nil {
		return err
	}
	commit.Nonce = [16]byte(nonce)
	key := s.nonPublicKey(commit)
	if key == nil {
		return errNoKey
	}
	s.ours.commit = appendMAC(commit.Append(nil), s.chain.h[1])
	s.deriveFrom(key)
	return nil
}

// commitTo binds us to our DHPart2 (RFC 6189 §4.4.1.1).
func (s *Session) commitTo(commit *wire.Commit) error {
	var err error
	if s.agreement, err = s.newAgreement(nil); err != nil {
		return err
	}
	if s.ours.dhPart, err = s.newDHPart(); err != nil {
		return err
	}
	h := newHash(s.suite.Hash)()
	h.Write(s.ours.dhPart)
	h.Write(s.theirs.hello)
	commit.HVI = [32]byte(h.Sum(nil)[:32])
	commit.PV, err = s.agreement.inCommit()
	return err
}

// newDHPart is our DHPart1 or DHPart2, as s.role says.
func (s *Session) newDHPart() ([]byte, error) {
	random, err := s.random(32)
	if err != nil {
		return nil, err
	}
	ids := s.retained.masked(s.retained.idsOf(newHash(s.suite.Hash), s.role, s.chain.h[3]), random)
	part := wire.DHPart{
		Part2: s.role == Initiator, H1: s.chain.h[1],
		RS1ID: ids.rs1, RS2ID: ids.rs2, AuxSecretID: ids.aux, PBXSecretID: ids.pbx,
		PV: s.agreement.inDHPart(),
	}
	return appendMAC(part.Append(nil), s.chain.h[0]), nil
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

// onCommit makes us the responder (RFC 6189 §4.4.1.2), unless we have committed
// too and the peer yields (RFC 6189 §4.2).
func (s *Session) onCommit(now time.Time, msg []byte) error {
	c, err := wire.ParseCommit(msg)
	if err != nil {
		return err
	}
	if err := follows(c.H2, s.peer.hello.H3, 1); err != nil {
		return err
	}
	if c.ZID != s.peer.hello.ZID {
		return errCommitZID
	}
	if !s.provenHello(now, c.H2) {
		return nil
	}
	if s.state == CommitSent {
		ours, err := wire.ParseCommit(s.ours.commit)
		if err != nil {
			return err
		}
		if (ours.KeyAgreement == wire.Multistream) != (c.KeyAgreement == wire.Multistream) {
			s.fail(now, wire.ErrorSoftware, errors.New("zrtp: one side takes this for the first stream, the other does not"))
			return nil
		}
		if !s.yields(&ours, &c) {
			s.hello.stop() // a Commit acknowledges our Hello
			return nil
		}
	}
	s.respond(now, c, msg)
	return nil
}

// yields compares our Commit with the peer's. Equal values are nobody's honest
// Commit and don't win.
func (s *Session) yields(ours, theirs *wire.Commit) bool {
	switch public := withPublicValues(theirs.KeyAgreement); {
	case public != withPublicValues(ours.KeyAgreement):
		return public
	case ours.KeyAgreement == wire.Preshared && s.cfg.MiTM != s.peer.hello.MiTM:
		return s.cfg.MiTM // the phone is the initiator and the PBX the responder
	case public:
		return bytes.Compare(ours.HVI[:], theirs.HVI[:]) < 0
	}
	return bytes.Compare(ours.Nonce[:], theirs.Nonce[:]) < 0
}

// respond follows the peer's Commit: with our DHPart1, or at once with Confirm1
// where no public values are exchanged.
func (s *Session) respond(now time.Time, c wire.Commit, msg []byte) {
	suite := suiteOf(&c)
	if code := s.permits(suite); code != 0 {
		s.fail(now, code, errors.New("zrtp: the peer commits to what was not offered"))
		return
	}
	if !s.reusable(suite) || len(c.PV) > 0 {
		s.dropAgreement()
	}
	s.suite, s.role = suite, Responder
	s.importSRTPS()
	var key *secret.Bytes
	public := withPublicValues(suite.KeyAgreement)
	if !public {
		if key = s.matchingKey(now, &c); key == nil {
			return
		}
	}
	s.theirs.commit, s.peer.h2, s.peer.hvi = bytes.Clone(msg), c.H2, c.HVI
	s.hello.stop()
	s.step.stop()
	s.ours.commit = nil
	if public {
		s.sendDHPart1(now, c.PV)
		return
	}
	s.deriveFrom(key)
	s.sendConfirm1(now)
}

// reusable says whether the key pair of a Commit of ours that has lost serves
// the peer's (RFC 6189 §4.2): nobody has seen its public value, and it is used
// in this session only.
func (s *Session) reusable(suite Suite) bool {
	_, dh := s.agreement.(dhKey)
	return dh && s.suite.KeyAgreement == suite.KeyAgreement && s.suite.Cipher == suite.Cipher
}

// dropAgreement forgets what a Commit of ours that has lost had prepared.
func (s *Session) dropAgreement() {
	if s.agreement != nil {
		s.agreement.wipe()
		s.agreement = nil
	}
	s.keys.wipe()
	s.keys = nil
}

// sendDHPart1 shows the initiator our public value (RFC 6189 §4.4.1.2). pv is
// what its Commit holds in KEM mode.
func (s *Session) sendDHPart1(now time.Time, pv []byte) {
	var err error
	if s.agreement == nil {
		s.agreement, err = s.newAgreement(pv)
	}
	if err == nil {
		s.ours.dhPart, err = s.newDHPart()
	}
	if err != nil {
		s.fail(now, publicValueCode(err), err)
		return
	}
	s.send(s.ours.dhPart)
	s.await(now)
	s.state = DHPart1Sent
}

// onCommitAgain repeats our answer: the peer has not received it. Once Confirm1
// is out, that is the answer only where there was no DHPart1.
func (s *Session) onCommitAgain(now time.Time, msg []byte) error {
	if err := same(s.theirs.commit, msg); err != nil {
		return err
	}
	switch {
	case s.state == DHPart1Sent:
		s.send(s.ours.dhPart)
	case withPublicValues(s.suite.KeyAgreement):
		return errUnexpected
	default:
		s.send(s.ours.confirm)
	}
	s.await(now)
	return nil
}
