package zrtp

import (
	"errors"

	"sotto/internal/secret"
)

// zids is the KDF context of what belongs to the whole session, not to one
// stream of it: ZIDi || ZIDr (RFC 6189 §7.3.1).
func (s *Session) zids() []byte {
	i, r := s.cfg.ZID, s.peer.hello.ZID
	if s.role == Responder {
		i, r = r, i
	}
	return append(i[:], r[:]...)
}

// pbxSecret is the trusted MiTM key (RFC 6189 §7.3.1).
func (s *Session) pbxSecret() *secret.Bytes {
	k := newKDF(newHash(s.suite.Hash), s.keys.zrtpSess, s.zids())
	return k.secret("Trusted MiTM key", 256)
}

// asksToEnroll says whether the peer is a PBX that asks to be trusted. The E
// flag of anybody else, or in a further stream, means nothing.
func (s *Session) asksToEnroll() bool {
	return s.peerFlags.Enrollment && s.peer.hello.MiTM && s.call == nil
}

// Enroll makes the peer a PBX that may relay the SAS of others in later calls:
// a man in the middle whom the user trusts. Call it after
// [EnrollmentRequested], and only when the user has agreed to that very
// sentence (RFC 6189 §7.3.1).
//
// Whoever enrols an attacker is deaf to him from then on, so it takes evidence
// that nobody stands in between: the user has compared the SAS in this call
// (SetVerified), or in an earlier one that this call continues. The error says
// that the record is unchanged.
func (s *Session) Enroll() error {
	switch {
	case s.state != Secure || !s.asksToEnroll():
		return errors.New("zrtp: nobody asks to be enrolled")
	case s.cfg.Store == nil:
		return errors.New("zrtp: an enrolment needs a store")
	case !s.compared && !s.provenBefore():
		return errors.New("zrtp: the SAS must be compared before a PBX is trusted")
	}
	return s.cfg.Store.Update(s.peer.hello.ZID, func(r *Record) error {
		r.PBXSecret = s.keys.pbx
		return nil
	})
}
