package engine

// SecurityLevel says how far a call can be trusted. Levels are ordered: the
// higher, the less can have gone wrong. Those from LevelSuspect on are
// encrypted, those from LevelVerified on are with whom the SAS was compared.
// The zero value is LevelNone.
type SecurityLevel int8

// The levels, from the worst to the best.
const (
	// LevelAttacked: the users have found the SAS different, so somebody
	// stands between them. Worse than clear voice, because it looked safe.
	LevelAttacked SecurityLevel = iota - 2
	// LevelClear: there are no keys, and voice flows all the same because
	// Config.AllowInsecure lets it.
	LevelClear
	// LevelNone: no keys, and we are looking for a peer that speaks ZRTP. In
	// secure mode nothing is sent or played.
	LevelNone
	// LevelGoingSecure: the peer speaks ZRTP, and keys are being agreed.
	LevelGoingSecure
	// LevelSuspect: encrypted, but a secret that earlier calls had left
	// with this peer was not there. Perhaps the peer lost it; perhaps
	// somebody stands between (RFC 6189 §4.3.2).
	LevelSuspect
	// LevelRelayed: encrypted to a PBX that has told us what to compare with
	// the party beyond it, and can listen (RFC 6189 §7.3).
	LevelRelayed
	// LevelEncrypted: encrypted, and nobody has compared the SAS yet.
	LevelEncrypted
	// LevelContinued: encrypted with the same peer as earlier calls, but
	// the SAS was not compared and confirmed on both sides.
	LevelContinued
	// LevelVerified: both users have compared the SAS of an earlier call,
	// and the keys descend from that call.
	LevelVerified
	// LevelCompared: our user has compared the SAS of this call.
	LevelCompared
)

// levels is indexed by SecurityLevel - LevelAttacked.
var levels = [...]struct{ name, text string }{
	{"attacked", "The SAS differs: somebody stands between you and can hear every word. Nothing said in this call is secret. Hang up, and reach the other side by another way."},
	{"not encrypted", "This call is not encrypted: anybody on the way can listen."},
	{"not secure", "Looking whether the other side can make the call secure. Nothing is secret yet."},
	{"not secure yet", "The keys of the call are being agreed. Nothing is secret yet."},
	{"suspect", "The secret shared with this peer in earlier calls is missing. Somebody may be listening in: compare the SAS by voice before you say anything else."},
	{"encrypted to a telephone exchange", "A telephone exchange stands between you and the other side and can listen. Compare the SAS that it shows: if it is the same on both sides, nobody else does."},
	{"encrypted, not verified", "Nobody has compared the SAS yet, so somebody could stand between you unseen. Read it to each other before you say anything confidential: if it is the same on both sides, nobody does."},
	{"encrypted, known peer, not verified", "The keys continue those of earlier calls, but the SAS has not been confirmed on both sides. Read it to each other once."},
	{"verified", "You have both compared the SAS in an earlier call with this phone: no need to read it out again."},
	{"verified now", "You have compared the SAS: nobody stands between you."},
}

// row is the place of l in levels; unknown values have that of LevelNone.
func (l SecurityLevel) row() int {
	if l < LevelAttacked || l > LevelCompared {
		l = LevelNone
	}
	return int(l - LevelAttacked)
}

// String is a short name.
func (l SecurityLevel) String() string { return levels[l.row()].name }

// Text says in words what is so and, below LevelVerified, what is missing and
// what the user can do about it.
func (l SecurityLevel) Text() string { return levels[l.row()].text }

// Encrypted reports whether the voice of the call is.
func (l SecurityLevel) Encrypted() bool { return l >= LevelSuspect && l <= LevelCompared }

// Verified reports whether the SAS was compared, in this call or before.
func (l SecurityLevel) Verified() bool { return l >= LevelVerified && l <= LevelCompared }

// Notice is something about the security of a call that does not change its
// level and that the user should know. Graver ones come first.
type Notice uint8

// The notices.
const (
	// NoticeDisclosure: the peer may pass the keys on (RFC 6189 §11).
	// Secure mode ends such a call unless Config.AllowDisclosure.
	NoticeDisclosure Notice = iota + 1
	// NoticeRecorded: the peer says that it records the call (RFC 7866).
	// Secure mode ends such a call unless Config.AllowDisclosure.
	NoticeRecorded
	// NoticePBX: the peer says that it is a PBX (RFC 6189 §5.2).
	NoticePBX
	// NoticeEnrollment: the peer asks to be trusted as a PBX: see Call.Enroll.
	NoticeEnrollment
	// NoticeRelayCompared: the SAS that a PBX relays has been compared.
	NoticeRelayCompared
	// NoticeClearRefused: the peer wanted to end the encryption, and the call
	// has ended instead.
	NoticeClearRefused
	// NoticeOtherHello: a Hello came that the signalling had not announced.
	NoticeOtherHello
	// NoticeNotAnnounced: the signalling did not say which Hello to expect
	// (RFC 6189 §8.1).
	NoticeNotAnnounced
	// NoticeAuxMismatch: the secret that both sides should have from the
	// signalling was not the same (RFC 6189 §4.3.2).
	NoticeAuxMismatch
	// NoticeName: Security.Name is what the user has called this phone, and
	// has to be who the user is talking to.
	NoticeName
	// NoticeNameless: the SAS was compared and this phone has no name yet.
	NoticeNameless
	// NoticeAllowClear: the peer lets calls go on in the clear
	// (RFC 6189 §4.7.2). We do not.
	NoticeAllowClear
	// NoticeSignaling: the SIP messages are not encrypted.
	NoticeSignaling
)

// notices is indexed by Notice.
var notices = [...]struct{ name, text string }{
	{"unknown", ""},
	{"disclosure", "The other side's phone says that it may disclose the keys of this call."},
	{"recorded", "The other side says that it records this call."},
	{"pbx", "The other side is a telephone exchange: it decrypts the call and can listen. The SAS is about the way to it, not beyond."},
	{"enrollment", "The other side is a telephone exchange that asks to be trusted. If you agree, it can listen to every call that it connects, and you will only see that it is there."},
	{"relay-compared", "You have compared the SAS: nobody but the telephone exchange stands between you."},
	{"clear-refused", "The other side wanted to go on without encryption. That was refused."},
	{"other-hello", "What arrived is not what the signalling had announced: somebody may have changed it."},
	{"not-announced", "The signalling did not announce the other side's keys, so a false answer can't be told apart. Comparing the SAS makes up for it."},
	{"aux-mismatch", "The secret that both sides should have from the signalling is not the same."},
	{"name", "The name is what you called this phone. If you are talking to somebody else, somebody may stand between you: compare the SAS."},
	{"nameless", "Give this phone the name of whom you talk to. Later calls show it, and you can see whether it fits."},
	{"allow-clear", "The other side's phone would let calls go on without encryption. This one does not."},
	{"signaling", "The signalling is not encrypted: who calls whom can be seen and changed on the way."},
}

func (n Notice) row() int {
	if int(n) >= len(notices) {
		return 0
	}
	return int(n)
}

// String is a stable name for programs.
func (n Notice) String() string { return notices[n.row()].name }

// Text says it for people.
func (n Notice) Text() string { return notices[n.row()].text }
