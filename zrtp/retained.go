package zrtp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"hash"
	"time"

	"sotto/internal/hmac"
	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// forever is the cache expiry interval for "keep it" (RFC 6189 §4.9).
const forever = 0xffffffff

// retained is what a Session knows of its peer before the key agreement: the
// secrets that both sides may share. Owned and wiped by the Session.
type retained struct {
	record Record
	aux    *secret.Bytes
	// An SRTP key of the signalling, of which aux is made; nil: none.
	signalledKey, signalledSalt *secret.Bytes
}

// load reads the peer's record and forgets what has expired.
func (r *retained) load(store Store, peer wire.ZID, now time.Time) error {
	if store == nil {
		return nil
	}
	record, err := store.Load(peer)
	if err != nil {
		return err
	}
	record.dropExpired(now)
	r.record.Wipe()
	r.record = record
	return nil
}

// dropExpired forgets secrets whose time has passed, so that neither side's
// deletion looks like an attack (RFC 6189 §4.9).
func (r *Record) dropExpired(now time.Time) {
	if expired(r.RS2Expiry, now) {
		r.RS2.Wipe()
		r.RS2 = nil
	}
	if expired(r.RS1Expiry, now) {
		r.RS1.Wipe()
		r.RS1, r.Verified = nil, false
	}
}

func expired(at, now time.Time) bool { return !at.IsZero() && now.After(at) }

func (r *retained) wipe() {
	r.record.Wipe()
	r.aux.Wipe()
	r.signalledKey.Wipe()
	r.signalledSalt.Wipe()
}

// secretIDs are the four hashes by which two sides find out what they share,
// in the order of the DHPart messages (RFC 6189 §4.3.1).
type secretIDs struct {
	rs1, rs2, aux, pbx [8]byte
}

// idsOf computes the IDs that a side in that role, whose Hello carried h3,
// sends for the secrets we hold. IDs of secrets that we lack stay zero.
func (r *retained) idsOf(newHash func() hash.Hash, role Role, h3 [32]byte) secretIDs {
	label := []byte("Responder")
	if role == Initiator {
		label = []byte("Initiator")
	}
	return secretIDs{
		rs1: secretID(newHash, r.record.RS1, label),
		rs2: secretID(newHash, r.record.RS2, label),
		aux: secretID(newHash, r.aux, h3[:]),
		pbx: secretID(newHash, r.record.PBXSecret, label),
	}
}

func secretID(newHash func() hash.Hash, s *secret.Bytes, label []byte) (id [8]byte) {
	if s.Len() > 0 {
		copy(id[:], hmac.Sum(newHash, s.Reveal(), label))
	}
	return id
}

// masked replaces the IDs of absent secrets by random ones, so that nobody
// learns which secrets exist (RFC 6189 §4.3). random is 32 bytes.
func (r *retained) masked(ids secretIDs, random []byte) secretIDs {
	for i, slot := range []struct {
		secret *secret.Bytes
		id     *[8]byte
	}{{r.record.RS1, &ids.rs1}, {r.record.RS2, &ids.rs2}, {r.aux, &ids.aux}, {r.record.PBXSecret, &ids.pbx}} {
		if slot.secret.Len() == 0 {
			copy(slot.id[:], random[8*i:8*i+8])
		}
	}
	return ids
}

// shared is the outcome of the comparison: s1, s2 and s3, each pointing to a
// secret of retained, or nil when not shared (RFC 6189 §4.3).
type shared struct {
	s1, s2, s3 *secret.Bytes
}

// sum ends a hash with each secret after its length (RFC 6189 §4.4.1.4).
func (s shared) sum(h hash.Hash) *secret.Bytes {
	for _, known := range []*secret.Bytes{s.s1, s.s2, s.s3} {
		var length [4]byte
		binary.BigEndian.PutUint32(length[:], uint32(known.Len()))
		h.Write(length[:])
		h.Write(known.Reveal())
	}
	return secret.From(h.Sum(nil))
}

// match compares the IDs that the peer sent with those that we expect for
// its role. own is our role: the initiator's rs1 is preferred to its rs2.
func (r *retained) match(own Role, expected, received secretIDs) shared {
	rs1, rs2 := r.record.RS1, r.record.RS2
	pairs := [4]struct {
		secret *secret.Bytes
		same   bool
	}{
		{rs1, sameID(rs1, expected.rs1, received.rs1)},
		{rs1, sameID(rs1, expected.rs1, received.rs2)},
		{rs2, sameID(rs2, expected.rs2, received.rs1)},
		{rs2, sameID(rs2, expected.rs2, received.rs2)},
	}
	if own == Responder {
		pairs[1], pairs[2] = pairs[2], pairs[1]
	}
	var s shared
	for _, p := range pairs {
		if p.same && s.s1 == nil {
			s.s1 = p.secret
		}
	}
	if sameID(r.aux, expected.aux, received.aux) {
		s.s2 = r.aux
	}
	if sameID(r.record.PBXSecret, expected.pbx, received.pbx) {
		s.s3 = r.record.PBXSecret
	}
	return s
}

func sameID(ours *secret.Bytes, expected, received [8]byte) bool {
	return subtle.ConstantTimeCompare(expected[:], received[:]) == 1 && ours.Len() > 0
}

// continuity is what the comparison of secrets has shown, for after the
// secrets themselves are wiped.
type continuity struct {
	continued   bool // both sides had a retained secret in common
	enrolled    bool // and the pbxsecret: one of them is a PBX that the other trusts
	mismatch    bool // we expected one and there was none (RFC 6189 §4.3.2)
	auxMismatch bool
	behind      bool     // that secret was our RS2: the peer lacks our RS1
	verified    bool     // our user had compared the SAS of that lineage
	loaded      [32]byte // fingerprint of our RS1
}

func (r *retained) continuity(s shared) continuity {
	return continuity{
		continued:   s.s1 != nil,
		enrolled:    s.s3 != nil,
		mismatch:    s.s1 == nil && r.record.RS1.Len() > 0,
		auxMismatch: s.s2 == nil && r.aux.Len() > 0,
		behind:      s.s1 != nil && s.s1 == r.record.RS2,
		verified:    s.s1 != nil && r.record.Verified,
		loaded:      fingerprint(r.record.RS1),
	}
}

// fingerprint tells secrets apart without keeping them; zero for none.
func fingerprint(s *secret.Bytes) (sum [32]byte) {
	if s.Len() > 0 {
		sum = sha256.Sum256(s.Reveal())
	}
	return sum
}

// errDisplaced says that another call has changed the record since this one
// read it: this call's secret must not take the place of that one's.
var errDisplaced = errors.New("zrtp: another call has changed the peer's record")

// renewal is the update of a peer's record after a key agreement
// (RFC 6189 §4.6.1).
type renewal struct {
	rs       *secret.Bytes // the Session's, which wipes it
	at       time.Time     // when Confirm1 was sent or received
	interval uint32        // seconds, the smaller of both Confirms
	continuity
	compared  bool          // the user has compared the SAS of this call
	preshared bool          // no new secret but those that rs1 holds went into rs
	pbx       *secret.Bytes // what a PBX keeps of an enrolment, or nil; the Session's
}

func (n renewal) apply(r *Record) error {
	r.dropExpired(n.at)
	displaced := fingerprint(r.RS1) != n.loaded
	if displaced && !n.compared {
		return errDisplaced
	}
	if n.pbx != nil {
		r.PBXSecret = n.pbx
	}
	if n.interval == 0 {
		// Not to be kept; what is there may go at any time.
		if r.RS1.Len() > 0 {
			r.RS1Expiry = n.at
		}
		return nil
	}
	// RFC 6189 §4.6.1 keeps the old rs1 as rs2 in any case. When the new
	// secret does not descend from it, it may be one that an attacker shares,
	// and as rs2 it would let the attacker back in under the new name. When
	// the peer lacks it, the next interrupted call would leave nothing that
	// both have: rs2 is what this call has proven to be common.
	lineage := n.continued && !displaced
	switch {
	case !lineage:
		r.RS2, r.RS2Expiry = nil, time.Time{}
	case !n.behind && !n.preshared:
		r.RS2, r.RS2Expiry = r.RS1, r.RS1Expiry
	}
	r.RS1, r.RS1Expiry = n.rs, time.Time{}
	if n.interval != forever {
		r.RS1Expiry = n.at.Add(time.Duration(n.interval) * time.Second)
	}
	r.Verified = n.compared || lineage && r.Verified
	return nil
}
