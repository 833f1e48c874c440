package zrtp

import (
	"errors"
	"fmt"
	"io"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// version is what we speak; only its first three characters are compared
// (RFC 6189 §4.1.1).
var version = [4]byte{'1', '.', '1', '0'}

// Config is what a Session needs to begin. New checks it once.
type Config struct {
	// Rand gives the randomness of the handshake: nonces, private keys,
	// IVs. The same bytes replay the same handshake.
	Rand io.Reader
	// ZID is our own, the same in every call (RFC 6189 §4.9).
	ZID wire.ZID
	// SSRC of our RTP stream, which ZRTP packets carry too.
	SSRC uint32
	// ClientID names the software, at most 16 characters.
	ClientID string
	// Policy says what may be agreed upon; the zero value is good.
	Policy Policy
	// Passive: never send a Commit, answer only (RFC 6189 §5.2).
	Passive bool
	// Store holds the secrets retained from earlier calls with this peer;
	// nil means none are kept (RFC 6189 §4.9.1).
	Store Store
	// First is the Session of the call's first stream, which must be Secure
	// and owned by the same goroutine, when this is for a further stream: it
	// goes in Multistream mode, in parallel with others (RFC 6189 §4.4.3).
	// Store and AuxSecret are not used then. With First's SSRC, when First is
	// Clear, it is for that stream, to be secure again.
	First *Session
	// AuxSecret is a secret that both users agreed on outside ZRTP, or nil
	// (RFC 6189 §4.3). The Session copies it.
	AuxSecret *secret.Bytes
	// Expiry is how many seconds a new retained secret may be kept; 0
	// means for ever (RFC 6189 §4.9).
	Expiry uint32
	// MiTM: we are a PBX that ends the encryption between two parties and
	// may relay the SAS of one to the other (RFC 6189 §7.3).
	MiTM bool
	// Enroll asks the peer's user to trust us as such a PBX. It needs MiTM
	// and a Store, and goes clear in no case (RFC 6189 §7.3.1).
	Enroll bool
	// SASSigning: the owner can verify signatures of the SAS
	// (RFC 6189 §7.2).
	SASSigning bool
	// Sign signs a sashash for peers that can verify it, or is nil. It is
	// called once in a handshake and in RelaySAS (RFC 6189 §7.2).
	Sign func(sashash [32]byte) Signature
}

func (c Config) validate() error {
	switch {
	case c.Rand == nil:
		return errors.New("zrtp: Config.Rand is missing")
	case c.ZID == wire.ZID{}:
		return errors.New("zrtp: Config.ZID is all zero")
	case len(c.ClientID) > 16:
		return fmt.Errorf("zrtp: Config.ClientID %q is longer than 16 characters", c.ClientID)
	case c.Enroll && (!c.MiTM || c.Store == nil):
		return errors.New("zrtp: Config.Enroll needs MiTM and a Store")
	}
	return c.Policy.Validate()
}

// expiry is the cache expiry interval that our Confirm asks for.
func (s *Session) expiry() uint32 {
	switch {
	case s.call == nil && s.cfg.Store == nil:
		return 0 // RFC 6189 §4.9.1
	case s.call != nil || s.cfg.Expiry == 0:
		return forever // and ignored in a further stream (RFC 6189 §4.9)
	}
	return s.cfg.Expiry
}
