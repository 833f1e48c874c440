// Package zrtp agrees SRTP keys in the media path as RFC 6189 says, and gives
// both callers a short authentication string (SAS) to compare by voice.
//
// A [Session] is a value that is fed and drained. It opens no socket, starts
// no goroutine, reads no clock and logs nothing, so the same handshake runs
// over UDP, over a data channel, or in a test in virtual time:
//
//	s, err := zrtp.New(zrtp.Config{...})
//	s.Start(now)
//	for {
//		drain: AppendPacket until it says false, NextEvent until nil
//		wait for a packet, or until Deadline
//		s.HandlePacket(now, packet) or s.HandleTimeout(now)
//	}
//
// Drain after every input. An error from HandlePacket means that the packet
// was dropped without effect; what the protocol decides is an
// [Event]. Late and spurious timeouts are harmless.
//
// # What protects what
//
// The commitment to the public value in the Commit message leaves an attacker
// one guess at the SAS (RFC 6189 §4.4.1.1). Every message carries a hash
// image that the next one proves (RFC 6189 §9), so an attacker who is not in
// the path can't inject anything once the peer's Hello has come. Which Hello is
// the peer's, the signalling alone can say (SetPeerHelloHash): without it the
// first one is taken, and who sends one earlier than the peer prevents the call.
// Secrets retained from earlier calls go into the keys (RFC 6189 §4.3): an
// attacker who missed one call is shut out of all later ones, and [Secured] says
// so when the expected secret is missing. In Preshared mode, which nobody has
// unless he asks for it, a stolen secret opens the next calls too.
//
// # Others in between, and no encryption
//
// A PBX may stand between two parties as a man in the middle whom one of them
// trusts. It takes that user's consent (Enroll, after [EnrollmentRequested]) and
// from then on a secret that only the two know; a SAS relayed by anybody else
// is never shown (RFC 6189 §7.3). Encryption ends during a call only where
// both Confirms allow it, which takes Policy.AllowClear, and never without the user
// who did not ask for it being asked ([Cleared], RFC 6189 §4.7.2).
//
// # Bounds
//
// What a peer, or a stranger who says Hello, can make a Session hold, on the
// heap and with [DefaultOffer], while it waits (TestBoundsOfMemory):
//
//	bytes at most   with X255   with X3M3
//	Discovery            1600        1600
//	CommitSent           2200        4000
//	DHPart1Sent          2200        5500
//
// Parts of a message that is not whole add up to 3000 bytes, for one message of
// [wire.MaxMessageLen] at a time (TestBoundsOfFragments). A packet brings at most
// one reply (TestAdversary_D2_OneReplyAPacket), of one or two packets
// (TestBoundsOfFragments). Unasked, a Session sends a Hello up to 63 times
// (TestPatienceWithAKnownPeer) and any other message up to 11 times, never within
// 50 ms of the time before (TestAdversary_D2_Timers). If the owner does not drain,
// 16 messages wait and further ones are dropped, as if lost on the way; at most 8
// events wait (TestBoundsOfQueues) and, from a PBX, one for each of the 16
// SASrelays that a Session takes (TestRelaysAreBounded).
//
// How many Sessions there are is for their owner to bound: package engine lets
// 16 calls ring at a time, each with one Session.
//
// # Secrets in memory
//
// Private keys, the key agreement's result, s0 and all derived keys are wiped
// when they are used up, at failure and at Close: then no memory that the
// Session could ever reach holds any of them. Keys taken out of an event are
// their taker's to wipe. Go promises nothing about copies left by the runtime
// on stacks and in registers, or inside the standard library's hash and curve
// state.
package zrtp
