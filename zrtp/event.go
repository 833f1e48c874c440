package zrtp

import "sotto/zrtp/wire"

// Event is something the owner of a Session must know. It is one of
// [PeerFound], [NoPeer], [KeysReady], [Secured], [EnrollmentRequested],
// [SASRelayed], [NotRelayed], [Cleared], [StoreFailed] and [Failed].
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
	// Enrolled: the user has enrolled the peer as a trusted PBX, or the
	// peer has enrolled us. SAS is that with the PBX; the one to compare
	// with the party beyond it comes with SASRelayed (RFC 6189 §7.3).
	Enrolled bool
	// PeerFlags is what the peer's Confirm said.
	PeerFlags Flags
	// Signature is the peer's over sashash, unchecked; zero for none.
	Signature Signature
}

// Signature is a signature of a sashash with the key or a link to it, and its
// type (RFC 6189 §5.1.7). A received Block is padded to whole words.
type Signature struct {
	Type  wire.Algo
	Block []byte // at most wire.MaxSignatureLen bytes
}

// EnrollmentRequested comes after Secured when the peer is a PBX that asks to
// be trusted. Ask the user, who must hear that an enrolled PBX is able to
// listen to every call that it relays; then Enroll (RFC 6189 §7.3.1).
type EnrollmentRequested struct{}

// SASRelayed says what to compare from now on in place of Secured.SAS, because
// the peer is a PBX between two parties. Show String: a SAS alone would pass for
// one between the two users.
type SASRelayed struct {
	SAS    string
	Scheme wire.Algo // how it is rendered
	// Far: SAS is that of the leg between an enrolled PBX and the other
	// party. Otherwise it is ours with the PBX, rendered as the other party
	// sees it.
	Far bool
	// Flags are what the other party's Confirm said.
	Flags Flags
	// Signature is the PBX's over the relayed sashash, unchecked.
	Signature Signature
}

// String is what the user must know.
func (r SASRelayed) String() string {
	return "A PBX stands between you and the other side and can listen. Compare " + r.SAS + " with the other side."
}

// NotRelayed says that nobody acknowledged our SASrelay.
type NotRelayed struct{}

// Cleared says that the encryption has ended and its keys are destroyed
// (RFC 6189 §4.7.2). The owner stops SRTP at once, in all streams of the call.
// Unless our own user asked for it, it sends nothing in clear before that user
// has seen and confirmed that nothing protects the call any more. A new Session
// with Config.First makes a stream secure again: one with the SSRC of First and
// passive takes the peer's Commit, one not passive, when our user wants it, sends ours.
type Cleared struct {
	Remote bool // the peer asked for it
}

// Flags are the flags of a Confirm message (RFC 6189 §5.7).
type Flags = wire.Flags

// StoreFailed says that the peer's record could not be updated. The call is
// secure; its key continuity is not.
type StoreFailed struct{ Err error }

// Failed says that key agreement has ended without keys, or that a secure call
// must end: its keys are not to be used any more.
type Failed struct {
	Code   wire.ErrorCode // RFC 6189 §5.9
	Remote bool           // the peer said so, without proof that it was the peer
	Err    error          // what we saw; nil when Remote
}

func (PeerFound) event()           {}
func (NoPeer) event()              {}
func (KeysReady) event()           {}
func (Secured) event()             {}
func (EnrollmentRequested) event() {}
func (SASRelayed) event()          {}
func (NotRelayed) event()          {}
func (Cleared) event()             {}
func (StoreFailed) event()         {}
func (Failed) event()              {}
