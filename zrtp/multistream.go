package zrtp

import (
	"errors"
	"slices"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// call is what a further stream has of the first stream of its call
// (RFC 6189 §4.4.3).
type call struct {
	first    *Session
	zrtpSess *secret.Bytes // our copy, wiped once the keys are derived
	suite    Suite
	peer     wire.ZID
	verified bool
	nonces   nonces
}

// nonces are those that the streams of one call have used, shared by their
// Sessions. There is one for each stream, or two if both sides have committed.
type nonces map[[16]byte]struct{}

// take returns false if the nonce was used before.
func (n nonces) take(nonce [16]byte) bool {
	_, used := n[nonce]
	n[nonce] = struct{}{}
	return !used
}

// join returns what a further stream of s's call, which cfg describes, begins
// with.
func (s *Session) join(cfg *Config) (*call, error) {
	switch {
	case s.state != Secure && s.state != Clear:
		return nil, errors.New("zrtp: the first stream of the call is not secure")
	case s.call != nil:
		return nil, errors.New("zrtp: Config.First is no first stream itself")
	case s.cfg.ZID != cfg.ZID:
		return nil, errors.New("zrtp: all streams of a call have the same ZID")
	case !slices.Contains(cfg.Policy.Offer.KeyAgreements, s.suite.KeyAgreement):
		return nil, errors.New("zrtp: the policy forbids the key agreement of the call's first stream")
	}
	if s.nonces == nil {
		s.nonces = nonces{}
	}
	return &call{
		first: s, zrtpSess: secret.Copy(s.keys.zrtpSess.Reveal()), suite: s.suite,
		peer: s.peer.hello.ZID, verified: s.provenBefore(), nonces: s.nonces,
	}, nil
}

// zrtpSess is the key that this stream begins with.
func (s *Session) zrtpSess() *secret.Bytes {
	s.continuity = continuity{verified: s.call.verified}
	return secret.Copy(s.call.zrtpSess.Reveal())
}

func (c *call) wipe() {
	if c != nil {
		c.zrtpSess.Wipe()
	}
}
