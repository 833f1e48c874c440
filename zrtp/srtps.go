package zrtp

import (
	"slices"

	"sotto/internal/secret"
)

// SetSignalledKey mixes an SRTP master key and salt, which the signalling has
// carried to both sides, into this Session's keys (RFC 6189 §8.2). It is called
// before Start and copies them. A Config.AuxSecret goes before it.
//
// SDES has a key for each direction and the RFC speaks of one: take the one in
// the offer, which both sides know when key agreement begins.
func (s *Session) SetSignalledKey(key, salt []byte) {
	if s.state == Idle && s.cfg.AuxSecret.Len() == 0 && s.call == nil {
		s.retained.signalledKey.Wipe()
		s.retained.signalledSalt.Wipe()
		s.retained.signalledKey, s.retained.signalledSalt = secret.Copy(key), secret.Copy(salt)
	}
}

// importSRTPS makes the auxsecret of what the signalling has carried, for the
// hash and the roles that the Commit has settled.
func (s *Session) importSRTPS() {
	if s.retained.signalledKey.Len() == 0 {
		return
	}
	context := slices.Concat(s.zids(), s.retained.signalledSalt.Reveal())
	s.retained.aux.Wipe()
	s.retained.aux = newKDF(newHash(s.suite.Hash), s.retained.signalledKey, context).secret("SRTP Secret", 256)
	secret.Wipe(context)
}
