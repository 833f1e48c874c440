package engine

// SecurityLevel says how far a call can be trusted. Levels are ordered: a
// higher one has everything that a lower one has.
type SecurityLevel uint8

// The levels, from nothing to everything.
const (
	// LevelNone: no keys. In secure mode nothing is sent or played.
	LevelNone SecurityLevel = iota
	// LevelSuspect: encrypted, but a secret that earlier calls had left
	// with this peer was not there. Perhaps the peer lost it; perhaps
	// somebody stands between (RFC 6189 §4.3.2).
	LevelSuspect
	// LevelEncrypted: encrypted, and nobody has compared the SAS yet.
	LevelEncrypted
	// LevelContinued: encrypted with the same peer as earlier calls, but
	// the SAS was not compared and confirmed on both sides.
	LevelContinued
	// LevelVerified: the SAS was compared, in this call by our user or
	// before by both users, and the keys descend from that call.
	LevelVerified
)

// String is a short name.
func (l SecurityLevel) String() string {
	switch l {
	case LevelNone:
		return "not secure"
	case LevelSuspect:
		return "suspect"
	case LevelEncrypted:
		return "encrypted, not verified"
	case LevelContinued:
		return "encrypted, known peer, not verified"
	case LevelVerified:
		return "verified"
	}
	return "unknown"
}

// Missing says in words what the level lacks and what the user can do about
// it; empty for LevelVerified.
func (l SecurityLevel) Missing() string {
	switch l {
	case LevelNone:
		return "No keys have been agreed: there is no protected audio."
	case LevelSuspect:
		return "The secret shared with this peer in earlier calls is missing. Somebody may be listening in: compare the SAS by voice before you say anything else."
	case LevelEncrypted:
		return "Nobody has compared the SAS yet. Read it to each other: if it is the same on both sides, nobody stands between you."
	case LevelContinued:
		return "The keys continue those of earlier calls, but the SAS has not been confirmed on both sides. Read it to each other once."
	}
	return ""
}
