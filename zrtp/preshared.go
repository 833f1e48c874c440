package zrtp

import (
	"crypto/subtle"
	"errors"
	"hash"
	"slices"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// prefersPreshared says whether we begin in Preshared mode: if the policy puts
// it first, the peer offers it, and a SAS that was compared stands behind the
// retained secret (RFC 6189 §4.4.2.1).
func (s *Session) prefersPreshared(theirs Offer) bool {
	return s.cfg.Policy.Offer.KeyAgreements[0] == wire.Preshared && !s.presharedFailed &&
		slices.Contains(theirs.KeyAgreements, wire.Preshared) && s.retained.presharable()
}

func (r *retained) presharable() bool { return r.record.RS1.Len() > 0 && r.record.Verified }

// presharedKey is the key of RFC 6189 §4.4.2.2.
func presharedKey(newHash func() hash.Hash, known shared) *secret.Bytes {
	return known.sum(newHash())
}

func keyID(newHash func() hash.Hash, presharedKey *secret.Bytes) [8]byte {
	return [8]byte(hmac.Sum(newHash, presharedKey.Reveal(), []byte("Prsh")))
}

// presharedKeyFor finds the key that the initiator means and what is in it;
// nil if there is none (RFC 6189 §4.4.2.3).
func (r *retained) presharedKeyFor(id [8]byte, newHash func() hash.Hash) (*secret.Bytes, shared) {
	if !r.presharable() {
		return nil, shared{}
	}
	rs1, aux, pbx := r.record.RS1, r.aux, r.record.PBXSecret
	for _, subset := range []shared{{rs1, aux, pbx}, {rs1, nil, pbx}, {rs1, aux, nil}, {rs1, nil, nil}} {
		key := presharedKey(newHash, subset)
		if got := keyID(newHash, key); subtle.ConstantTimeCompare(got[:], id[:]) == 1 {
			return key, subset
		}
		key.Wipe()
	}
	return nil, shared{}
}

// nonPublicKey is the key that a Commit of ours without public values begins
// with, which it names; nil if there is none.
func (s *Session) nonPublicKey(commit *wire.Commit) *secret.Bytes {
	if s.call != nil {
		if !s.call.nonces.take(commit.Nonce) {
			return nil
		}
		return s.zrtpSess()
	}
	hashOf, known := newHash(s.suite.Hash), shared{s.retained.record.RS1, s.retained.aux, s.retained.record.PBXSecret}
	key := presharedKey(hashOf, known)
	commit.KeyID, s.continuity = keyID(hashOf, key), s.retained.continuity(known)
	return key
}

// matchingKey is the key that the peer's Commit without public values begins
// with. Without one we commit to an agreement with public values ourselves, or
// have failed, and there is nothing more to respond (RFC 6189 §4.4.2.3).
func (s *Session) matchingKey(now time.Time, c *wire.Commit) *secret.Bytes {
	if s.call != nil {
		if !s.call.nonces.take(c.Nonce) {
			s.fail(now, wire.ErrorNonceReuse, errors.New("zrtp: the peer uses a nonce twice"))
			return nil
		}
		return s.zrtpSess()
	}
	if key, known := s.retained.presharedKeyFor(c.KeyID, newHash(c.Hash)); key != nil {
		s.continuity = s.retained.continuity(known)
		return key
	}
	s.presharedFailed = true
	if s.cfg.Passive {
		s.fail(now, wire.ErrorNoSharedSecret, errors.New("zrtp: the peer wants Preshared mode, and we share no secret"))
		return nil
	}
	s.sendCommit(now)
	return nil
}
