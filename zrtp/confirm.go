package zrtp

import (
	"bytes"
	"crypto/aes"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

var errConfirmMAC = errors.New("zrtp: Confirm MAC mismatch: the keys differ, which means an attack or a broken peer")

// newConfirm is our Confirm1 or Confirm2 (RFC 6189 §5.7).
func (s *Session) newConfirm() ([]byte, error) {
	signature, err := s.sign(s.keys.sashash)
	if err != nil {
		return nil, err
	}
	plain := wire.ConfirmPlain{
		H0:          s.chain.h[0],
		Flags:       Flags{Enrollment: s.cfg.Enroll && s.call == nil, Verified: s.continuity.verified, AllowClear: s.allowsClear()},
		CacheExpiry: s.expiry(),
		SigType:     signature.Type, Signature: signature.Block,
	}
	which := wire.TypeConfirm1
	if s.role == Initiator {
		which = wire.TypeConfirm2
	}
	return s.sealed(which, plain.Append(nil))
}

// sign gives our signature, if we make one and the peer can verify it. Only
// the first stream has a SAS to sign (RFC 6189 §7.2).
func (s *Session) sign(sashash [32]byte) (Signature, error) {
	if s.cfg.Sign == nil || !s.peer.hello.SASSigning || s.call != nil {
		return Signature{}, nil
	}
	signature := s.cfg.Sign(sashash)
	if len(signature.Block) > wire.MaxSignatureLen {
		return Signature{}, fmt.Errorf("zrtp: signature of %d bytes, at most %d fit", len(signature.Block), wire.MaxSignatureLen)
	}
	return signature, nil
}

// sealed is a Confirm or SASrelay of ours. Its key is used for few messages, so
// a random IV is never met twice under it.
func (s *Session) sealed(which wire.Type, plain []byte) ([]byte, error) {
	iv, err := s.random(16)
	if err != nil {
		return nil, err
	}
	m := wire.Sealed{Type: which, IV: [16]byte(iv), Encrypted: plain}
	if m.MAC, err = s.seal(m.IV, m.Encrypted); err != nil {
		return nil, err
	}
	return m.Append(nil), nil
}

// seal encrypts plain in place, as the body of a Confirm or SASrelay of ours,
// and gives its MAC (RFC 6189 §4.6).
func (s *Session) seal(iv [16]byte, plain []byte) (tag [macLen]byte, err error) {
	i := side(s.role)
	if err := cfb(s.keys.confirm[i], iv, plain, encrypt); err != nil {
		return tag, err
	}
	return [macLen]byte(hmac.Sum(newHash(s.suite.Hash), s.keys.mac[i].Reveal(), plain)), nil
}

// authentic checks the MAC of the peer's Confirm or SASrelay.
func (s *Session) authentic(tag [macLen]byte, encrypted []byte) bool {
	want := hmac.Sum(newHash(s.suite.Hash), s.keys.mac[side(s.role.other())].Reveal(), encrypted)[:macLen]
	return subtle.ConstantTimeCompare(want, tag[:]) == 1
}

// openConfirm authenticates and decrypts the peer's Confirm. A wrong MAC, which
// anybody can send, ends the Session unless the true Confirm comes after all
// (RFC 6189 §4.6); it gives false with no error.
func (s *Session) openConfirm(now time.Time, msg []byte) (wire.ConfirmPlain, bool, error) {
	c, err := wire.ParseSealed(msg)
	if err != nil {
		return wire.ConfirmPlain{}, false, err
	}
	if !s.authentic(c.MAC, c.Encrypted) {
		s.suspect(now, Failed{Code: wire.ErrorConfirmMAC, Err: errConfirmMAC})
		return wire.ConfirmPlain{}, false, nil
	}
	if err := cfb(s.keys.confirm[side(s.role.other())], c.IV, c.Encrypted, decrypt); err != nil {
		return wire.ConfirmPlain{}, false, err
	}
	plain, err := wire.ParseConfirmPlain(c.Encrypted)
	if err != nil { // and yet the peer's: its MAC is right
		s.fail(now, wire.ErrorMalformed, err)
		return wire.ConfirmPlain{}, false, nil
	}
	return s.proven(now, plain)
}

// proven checks the end of the peer's hash chain: it must lead to the image
// that the peer's last message but this one has shown, and be the key, or the
// source of the key, of that message's MAC (RFC 6189 §9).
func (s *Session) proven(now time.Time, plain wire.ConfirmPlain) (wire.ConfirmPlain, bool, error) {
	last, image, steps, key := s.theirs.dhPart, s.peer.h1, 1, plain.H0
	if !withPublicValues(s.suite.KeyAgreement) {
		last, image, steps, key = s.theirs.commit, s.peer.h2, 2, sum(plain.H0)
		if s.role == Initiator {
			last, image, steps, key = s.theirs.hello, s.peer.hello.H3, 3, sum(key)
		}
	}
	if err := follows(plain.H0, image, steps); err != nil {
		return wire.ConfirmPlain{}, false, err
	}
	if err := checkMAC(last, key); err != nil {
		return wire.ConfirmPlain{}, false, err
	}
	return plain, true, nil
}

// adopt takes over what the authenticated Confirm says.
func (s *Session) adopt(plain wire.ConfirmPlain, msg []byte) {
	s.theirs.confirm = bytes.Clone(msg)
	s.peerFlags = plain.Flags
	s.peerFlags.AllowClear = plain.AllowClear && !plain.Enrollment // RFC 6189 §7.3.1
	s.signature = Signature{plain.SigType, plain.Signature}
	s.interval = min(s.expiry(), plain.CacheExpiry)
}

func (s *Session) sendConfirm1(now time.Time) {
	confirm, err := s.newConfirm()
	if err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return
	}
	s.ours.confirm, s.confirmedAt = confirm, now
	s.send(confirm)
	s.await(now)
	s.state = Confirm1Sent
}

// onConfirm1: the initiator may receive from now on; it sends media only once
// the responder has shown that it has Confirm2 (RFC 6189 §4).
func (s *Session) onConfirm1(now time.Time, msg []byte) error {
	if s.state == CommitSent && withPublicValues(s.suite.KeyAgreement) {
		return errUnexpected
	}
	plain, ok, err := s.openConfirm(now, msg)
	if err != nil || !ok {
		return err
	}
	confirm, err := s.newConfirm()
	if err != nil {
		s.fail(now, wire.ErrorSoftware, err)
		return nil
	}
	s.adopt(plain, msg)
	s.ours.confirm, s.confirmedAt = confirm, now
	s.events = append(s.events, KeysReady{Receive: s.srtpKeys(Responder), PeerFlags: s.peerFlags})
	s.send(confirm)
	s.step.begin(now, confirm, stepRhythm)
	s.state = Confirm2Sent
	return nil
}

func (s *Session) onConfirm2(now time.Time, msg []byte) error {
	plain, ok, err := s.openConfirm(now, msg)
	if err != nil || !ok {
		return err
	}
	s.adopt(plain, msg)
	s.send(wire.AppendACK(nil, wire.TypeConf2ACK))
	s.events = append(s.events, KeysReady{
		Send: s.srtpKeys(Responder), Receive: s.srtpKeys(Initiator), PeerFlags: s.peerFlags,
	})
	s.secured()
	return nil
}

// onConfirm2Again repeats Conf2ACK: the peer has not received it.
func (s *Session) onConfirm2Again(_ time.Time, msg []byte) error {
	if err := same(s.theirs.confirm, msg); err != nil {
		return err
	}
	s.send(wire.AppendACK(nil, wire.TypeConf2ACK))
	return nil
}

// onConf2ACK: it carries no MAC (RFC 6189 §5.8). Forged, it makes us send media
// early that nobody but the responder can open, and end the repetitions of
// Confirm2. If that was lost the responder gives up, and in the next call its
// rs1 is found to be our rs2.
func (s *Session) onConf2ACK(_ time.Time, _ []byte) error {
	s.answered()
	return nil
}

// answered: the responder has shown that it has Confirm2, so the initiator may
// send.
func (s *Session) answered() {
	s.events = append(s.events, KeysReady{Send: s.srtpKeys(Initiator), PeerFlags: s.peerFlags})
	s.secured()
}

// HandleMedia says that an SRTP packet from the peer has passed
// authentication: as good as a Conf2ACK (RFC 6189 §4.6).
func (s *Session) HandleMedia() {
	if s.state == Confirm2Sent {
		s.answered()
	}
}

// secured ends the key agreement: the record is renewed, what is used up is
// wiped.
func (s *Session) secured() {
	s.state = Secure
	s.step.stop()
	s.hello.stop()
	s.giveUp = time.Time{}
	s.clear = clearMACs{ours: s.clearMAC(s.role), theirs: s.clearMAC(s.role.other())}
	sas := ""
	if s.call == nil {
		sas = RenderSAS(s.suite.SAS, s.keys.sashash)
		if s.cfg.Enroll || s.asksToEnroll() {
			s.keys.pbx = s.pbxSecret()
		}
		if !s.continuity.mismatch {
			s.renew()
		}
	}
	s.events = append(s.events, Secured{
		Suite: s.suite, Role: s.role, PeerZID: s.peer.hello.ZID,
		SAS:           sas,
		Continued:     s.continuity.continued && !s.continuity.mismatch,
		Verified:      s.provenBefore() && s.peerFlags.Verified,
		CacheMismatch: s.continuity.mismatch,
		AuxMismatch:   s.continuity.auxMismatch,
		Enrolled:      s.continuity.enrolled,
		PeerFlags:     s.peerFlags,
		Signature:     s.signature,
	})
	if s.asksToEnroll() {
		s.events = append(s.events, EnrollmentRequested{})
	}
	for i := range s.keys.srtp {
		s.keys.srtp[i].Wipe()
		s.keys.salt[i].Wipe()
	}
	if !s.cfg.MiTM { // a PBX will seal SASrelays, and anybody may get one
		s.keys.mac[side(s.role)].Wipe()
		s.keys.confirm[side(s.role)].Wipe()
	}
	if !s.clearAgreed() { // from clear, the way back begins with the same chain
		s.chain.wipe()
	}
	s.retained.wipe()
	s.call.wipe()
	s.assembler, s.fragmented.first = nil, nil
}

// provenBefore says whether our user has compared the SAS in an earlier call that
// this one continues, and not found that of this call to be different.
func (s *Session) provenBefore() bool {
	return s.continuity.verified && !s.continuity.mismatch && !s.denied
}

// renew stores the new retained secret (RFC 6189 §4.6.1). If another call
// with this peer was quicker, the record stays and the user is alarmed.
func (s *Session) renew() {
	if s.cfg.Store == nil {
		return
	}
	err := s.cfg.Store.Update(s.peer.hello.ZID, s.renewal().apply)
	if errors.Is(err, errDisplaced) {
		s.continuity.mismatch = true
	} else if err != nil {
		s.events = append(s.events, StoreFailed{err})
	}
}

func (s *Session) renewal() renewal {
	n := renewal{
		rs: s.keys.rs, at: s.confirmedAt, interval: s.interval, continuity: s.continuity,
		preshared: s.suite.KeyAgreement == wire.Preshared,
	}
	if s.cfg.Enroll {
		n.pbx = s.keys.pbx
	}
	return n
}

// SetVerified records what the user says after comparing the SAS by voice: it
// matched, or it did not. Only then is a record renewed whose expected secret
// was missing (RFC 6189 §4.6.1.1). After a mismatching SAS no secret of this
// peer is kept, and nothing more can be verified. The error says that the
// record is unchanged.
func (s *Session) SetVerified(matched bool) error {
	switch {
	case s.state != Secure:
		return errors.New("zrtp: there is no SAS to verify yet")
	case s.call != nil:
		return errors.New("zrtp: the SAS is that of the call's first stream")
	case matched && s.denied:
		return errors.New("zrtp: the SAS of this call was found to be different")
	}
	s.compared, s.denied = matched, s.denied || !matched
	if s.cfg.Store == nil {
		return nil
	}
	return s.cfg.Store.Update(s.peer.hello.ZID, func(r *Record) error {
		switch {
		case !matched:
			r.RS1, r.RS2, r.PBXSecret, r.Verified = nil, nil, nil, false
		case r.RS1.Equal(s.keys.rs): // this call's, and no other call's
			r.Verified = true
		default:
			n := s.renewal()
			n.compared = true
			return n.apply(r)
		}
		return nil
	})
}

const encrypt, decrypt = true, false // with cfb

// cfb runs AES in full-block cipher feedback mode over b in place, the last
// block cut to what is left (RFC 6189 §5.7).
func cfb(key *secret.Bytes, feedback [aes.BlockSize]byte, b []byte, encrypting bool) error {
	block, err := aes.NewCipher(key.Reveal())
	if err != nil {
		return err
	}
	var stream [aes.BlockSize]byte
	for len(b) > 0 {
		block.Encrypt(stream[:], feedback[:])
		n := copy(feedback[:], b) // the ciphertext, or soon
		subtle.XORBytes(b[:n], b[:n], stream[:n])
		if encrypting {
			copy(feedback[:], b[:n])
		}
		b = b[n:]
	}
	secret.Wipe(stream[:])
	return nil
}
