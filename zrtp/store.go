package zrtp

import (
	"time"

	"sotto/internal/secret"
	"sotto/zrtp/wire"
)

// Store keeps what one own identity knows of one peer identity, by the ZID
// that the peer showed (RFC 6189 §4.9). A Session calls it from the
// goroutine that drives the Session: Load once, Update once and for each
// SetVerified and Enroll.
type Store interface {
	// Load returns the record of peer. A peer never met gives the zero
	// Record and no error; an error means the store can't be trusted now.
	Load(peer wire.ZID) (Record, error)
	// Update changes the record of peer in one transaction: change sees
	// the record as stored (zero for a new peer) and edits it in place.
	// The store wipes the secrets that it handed to change; those that
	// change puts in stay the caller's. When change or Update fails, the
	// stored record is as before.
	Update(peer wire.ZID, change func(*Record) error) error
}

// Record is what is remembered of one peer between calls. The caller owns it
// and wipes it after use.
type Record struct {
	// RS1 and RS2 are the retained secrets, newest first, 32 bytes each;
	// nil when there is none.
	RS1, RS2 *secret.Bytes
	// RS1Expiry and RS2Expiry say until when each may be used; the zero
	// time means forever (RFC 6189 §4.9).
	RS1Expiry, RS2Expiry time.Time
	// PBXSecret is the secret agreed at enrolment with a trusted
	// man in the middle (RFC 6189 §7.3.1); nil when never enrolled.
	PBXSecret *secret.Bytes
	// Verified is our user's SAS verified flag for RS1 (RFC 6189 §7.1).
	Verified bool
	// Name is what the user called the peer when verifying; may be empty.
	Name string
}

// Wipe overwrites every secret in r and forgets it.
func (r *Record) Wipe() {
	r.RS1.Wipe()
	r.RS2.Wipe()
	r.PBXSecret.Wipe()
	*r = Record{}
}
