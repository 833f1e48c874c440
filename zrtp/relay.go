package zrtp

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"sotto/zrtp/wire"
)

// maxRelays is how many different SASrelays one Session takes: a PBX sends a new
// one when it connects the call to somebody else.
const maxRelays = 16

var (
	errRelayMAC  = errors.New("zrtp: SASrelay MAC mismatch")
	errRelays    = errors.New("zrtp: too many SASrelays in one call")
	errRendering = errors.New("zrtp: SASrelay names an unknown rendering")
)

// RelaySAS tells the peer of a trusted man in the middle what its user shall
// compare with the party beyond far, our Session with that party
// (RFC 6189 §7.3). One of the two peers, which has enrolled, is shown the SAS of
// the other's leg; the other hears only how it is rendered. So call it for both
// legs, from the one goroutine that owns them. It is repeated until the peer
// acknowledges it, or [NotRelayed] says that it does not.
func (s *Session) RelaySAS(now time.Time, far *Session) error {
	switch {
	case !s.cfg.MiTM:
		return errors.New("zrtp: who relays must have said so in its Hello")
	case s.state != Secure || far.state != Secure || s.call != nil || far.call != nil:
		return errors.New("zrtp: a SAS is relayed between the first streams of two secure calls")
	case !s.continuity.enrolled && !far.continuity.enrolled:
		return errors.New("zrtp: neither party has enrolled, so no SAS may be relayed")
	}
	plain := wire.SASRelayPlain{Flags: far.peerFlags, Scheme: s.suite.SAS}
	if s.isShown(far) {
		signature, err := s.sign(far.keys.sashash)
		if err != nil {
			return err
		}
		plain.Scheme, plain.SASHash = far.suite.SAS, far.keys.sashash
		plain.SigType, plain.Signature = signature.Type, signature.Block
	}
	msg, err := s.sealed(wire.TypeSASRelay, plain.Append(nil))
	if err != nil {
		return err
	}
	s.send(msg)
	s.step.begin(now, msg, stepRhythm)
	return nil
}

// isShown says whether it is s whose peer sees the SAS of far: the one that is
// enrolled; of two, the one that is no PBX itself, else either (RFC 6189 §7.3).
func (s *Session) isShown(far *Session) bool {
	switch {
	case s.continuity.enrolled != far.continuity.enrolled:
		return s.continuity.enrolled
	case s.peer.hello.MiTM != far.peer.hello.MiTM:
		return far.peer.hello.MiTM
	}
	return bytes.Compare(s.peer.hello.ZID[:], far.peer.hello.ZID[:]) < 0
}

// onSASRelay takes a relayed SAS from a PBX that this user has enrolled, and
// from nobody else: who else relays one is the man in the middle
// (RFC 6189 §7.3).
func (s *Session) onSASRelay(now time.Time, msg []byte) error {
	r, err := wire.ParseSealed(msg)
	if err != nil {
		return err
	}
	if !s.authentic(r.MAC, r.Encrypted) {
		return errRelayMAC
	}
	ack := wire.AppendACK(nil, wire.TypeRelayACK)
	// A replay of an older one must not bring back the SAS of an earlier
	// party. Who never said M is acknowledged and not heard (RFC 6189 §5.13).
	if !s.peer.hello.MiTM || slices.Contains(s.relays, r.MAC) {
		s.send(ack)
		return nil
	}
	if len(s.relays) == maxRelays {
		return errRelays
	}
	if err := cfb(s.keys.confirm[side(s.role.other())], r.IV, r.Encrypted, decrypt); err != nil {
		return err
	}
	// The MAC does not cover the IV (RFC 6189 §5.13). A changed one makes noise
	// of the first 16 bytes, and next to none of that has the right length of
	// the signature and a known rendering.
	plain, err := wire.ParseSASRelayPlain(r.Encrypted)
	if err != nil {
		return err
	}
	if !slices.Contains(builtIn().SASTypes, plain.Scheme) {
		return errRendering
	}
	shown := plain.SASHash != [32]byte{}
	if shown && !s.continuity.enrolled {
		s.fail(now, wire.ErrorUntrustedMiTM, errors.New("zrtp: somebody in the middle, whom nobody has enrolled, relays a SAS: an attack"))
		return nil
	}
	s.relays = append(s.relays, r.MAC)
	s.peerFlags.AllowClear = s.peerFlags.AllowClear && plain.AllowClear
	hash := s.keys.sashash
	if shown {
		hash = plain.SASHash
	}
	s.events = append(s.events, SASRelayed{
		SAS: RenderSAS(plain.Scheme, hash), Scheme: plain.Scheme, Far: shown,
		Flags:     plain.Flags,
		Signature: Signature{plain.SigType, plain.Signature},
	})
	s.send(ack)
	return nil
}

// onRelayACK ends the repetitions. It carries no MAC: forged, it keeps a SAS
// from being relayed, and the users see two that differ.
func (s *Session) onRelayACK(_ time.Time, _ []byte) error {
	if !s.step.running() {
		return errUnexpected
	}
	s.step.stop()
	return nil
}
