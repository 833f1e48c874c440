package zrtp

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp/internal/kex"
	"sotto/zrtp/wire"
)

// onDHPart1 is the initiator's: it has the responder's public value and
// answers with its own, which it committed to (RFC 6189 §4.4.1.3).
func (s *Session) onDHPart1(now time.Time, msg []byte) error {
	if !withPublicValues(s.suite.KeyAgreement) {
		return errUnexpected
	}
	part, err := wire.ParseDHPart(msg)
	if err != nil {
		return err
	}
	// The responder's H2 was never sent: H1 proves it (RFC 6189 §9).
	if err := follows(part.H1, s.peer.hello.H3, 2); err != nil {
		return err
	}
	if !s.provenHello(now, sum(part.H1)) {
		return nil
	}
	s.hello.stop()
	if !s.agree(now, part, msg) {
		return nil
	}
	s.send(s.ours.dhPart)
	s.step.begin(now, s.ours.dhPart, stepRhythm)
	s.state = DHPart2Sent
	return nil
}

// onDHPart2 is the responder's: the public value must be the one that the
// Commit bound the initiator to (RFC 6189 §4.4.1.2).
func (s *Session) onDHPart2(now time.Time, msg []byte) error {
	part, err := wire.ParseDHPart(msg)
	if err != nil {
		return err
	}
	if err := follows(part.H1, s.peer.h2, 1); err != nil {
		return err
	}
	h := newHash(s.suite.Hash)()
	h.Write(msg)
	h.Write(s.ours.hello)
	if subtle.ConstantTimeCompare(h.Sum(nil)[:32], s.peer.hvi[:]) != 1 {
		s.fail(now, wire.ErrorHVI, errors.New("zrtp: the public value is not the one committed to: an attack"))
		return nil
	}
	if err := checkMAC(s.theirs.commit, part.H1); err != nil {
		s.fail(now, wire.ErrorHVI, errors.New("zrtp: the Commit was changed on its way: an attack"))
		return nil
	}
	if s.agree(now, part, msg) {
		s.sendConfirm1(now)
	}
	return nil
}

// agree computes everything that follows from both public values. A bad one
// ends the Session.
func (s *Session) agree(now time.Time, part wire.DHPart, msg []byte) bool {
	result, err := s.agreement.result(part.PV)
	if err != nil {
		s.fail(now, publicValueCode(err), err)
		return false
	}
	s.agreement.wipe()
	s.agreement = nil
	s.theirs.dhPart, s.peer.h1 = bytes.Clone(msg), part.H1
	hashOf := newHash(s.suite.Hash)
	expected := s.retained.idsOf(hashOf, s.role.other(), s.peer.hello.H3)
	received := secretIDs{rs1: part.RS1ID, rs2: part.RS2ID, aux: part.AuxSecretID, pbx: part.PBXSecretID}
	shared := s.retained.match(s.role, expected, received)
	s.continuity = s.retained.continuity(shared)

	context := s.context()
	s0 := deriveS0(hashOf, result, context, shared)
	s.keys = newKDF(hashOf, s0, context).sessionKeys(s.suite)
	s0.Wipe()
	s.retained.wipe() // s1 to s3 with it (RFC 6189 §4.4.1.4)
	return true
}

// deriveFrom does the same in the modes without public values, and wipes the
// key that they begin with (RFC 6189 §4.4.2.4, RFC 6189 §4.4.3.2). Retained
// secrets stay: the peer's Commit may still win.
func (s *Session) deriveFrom(key *secret.Bytes) {
	hashOf, context := newHash(s.suite.Hash), s.context()
	k := newKDF(hashOf, key, context)
	key.Wipe()
	label, keysOf := "ZRTP PSK", kdf.sessionKeys
	if s.call != nil {
		label, keysOf = "ZRTP MSK", kdf.streamKeys
	}
	s0 := k.secret(label, k.hashBits())
	s.keys = keysOf(newKDF(hashOf, s0, context), s.suite)
	s0.Wipe()
}

// context is KDF_Context: both ZIDs and total_hash, which covers the messages
// that there are (RFC 6189 §4.4.1.4, RFC 6189 §4.4.3.2).
func (s *Session) context() []byte {
	initiator, responder := &s.ours, &s.theirs
	if s.role == Responder {
		initiator, responder = responder, initiator
	}
	h := newHash(s.suite.Hash)()
	h.Write(responder.hello)
	h.Write(initiator.commit)
	if withPublicValues(s.suite.KeyAgreement) {
		h.Write(responder.dhPart)
		h.Write(initiator.dhPart)
	}
	return h.Sum(s.zids())
}

// publicValueCode tells a forged public value from our own fault.
func publicValueCode(err error) wire.ErrorCode {
	if errors.Is(err, kex.ErrPublicValue) {
		return wire.ErrorPublicValue
	}
	return wire.ErrorSoftware
}

// onDHPart2Again repeats Confirm1: the peer has not received it.
func (s *Session) onDHPart2Again(now time.Time, msg []byte) error {
	if err := same(s.theirs.dhPart, msg); err != nil {
		return err
	}
	s.send(s.ours.confirm)
	s.await(now)
	return nil
}

func (r Role) other() Role {
	if r == Initiator {
		return Responder
	}
	return Initiator
}

// srtpKeys copies one direction's keys for the media path.
func (s *Session) srtpKeys(sender Role) *SRTPKeys {
	i := side(sender)
	return &SRTPKeys{
		Cipher: s.suite.Cipher, AuthTag: s.suite.AuthTag,
		Key:  secret.Copy(s.keys.srtp[i].Reveal()),
		Salt: secret.Copy(s.keys.salt[i].Reveal()),
	}
}
