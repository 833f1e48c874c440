package zrtp

import "sotto/zrtp/wire"

// Event is something the owner of a Session must know. It is one of
// [PeerFound], [NoPeer], [KeysReady], [Secured], [StoreFailed] and [Failed].
type Event interface{ event() }

// PeerFound says that the peer speaks ZRTP: its Hello was accepted.
type PeerFound struct {
	ZID      wire.ZID
	ClientID string
	// MiTM is the peer's own claim to be a PBX that relays a SAS
	// (RFC 6189 §5.2).
	MiTM bool
}

// NoPeer says that no usable Hello came within the retry schedule of
// RFC 6189 §6. The Session still accepts a late one.
type NoPeer struct {
	// HelloMismatch: a Hello came, but not the one that the signalling
	// announced in a=zrtp-hash (RFC 6189 §8.1).
	HelloMismatch bool
}

// KeysReady hands over SRTP keys; the receiver of the event owns and wipes
// them. A direction that is not ready yet is nil: the initiator may receive
// from Confirm1 on and send only once the responder has answered
// (RFC 6189 §4). PeerFlags come with them because a caller may refuse keys
// for what they say.
type KeysReady struct {
	Send, Receive *SRTPKeys
	PeerFlags     Flags
}

// Secured says that key agreement has ended well.
type Secured struct {
	Suite   Suite
	Role    Role
	PeerZID wire.ZID
	SAS     string // rendered as Suite.SAS says; empty in a further stream of a call
	// Continued: both sides knew a secret from an earlier call.
	Continued bool
	// Verified: Continued, and both users have compared the SAS before
	// (RFC 6189 §7.1).
	Verified bool
	// CacheMismatch: we expected a common secret and there was none, or
	// another call has changed the record meanwhile. A possible attack: the
	// store stays as it is until the user has compared the SAS and
	// SetVerified(true) says so (RFC 6189 §4.3.2).
	CacheMismatch bool
	// AuxMismatch: we have an auxsecret and the peer has not the same.
	AuxMismatch bool
	// PeerFlags is what the peer's Confirm said.
	PeerFlags Flags
}

// Flags are the flags of a Confirm message (RFC 6189 §5.7).
type Flags struct {
	Enrollment, Verified, AllowClear, Disclosure bool
}

// StoreFailed says that the peer's record could not be updated. The call is
// secure; its key continuity is not.
type StoreFailed struct{ Err error }

// Failed says that key agreement has ended without keys.
type Failed struct {
	Code   wire.ErrorCode // RFC 6189 §5.9
	Remote bool           // the peer said so, without proof that it was the peer
	Err    error          // what we saw; nil when Remote
}

func (PeerFound) event()   {}
func (NoPeer) event()      {}
func (KeysReady) event()   {}
func (Secured) event()     {}
func (StoreFailed) event() {}
func (Failed) event()      {}
