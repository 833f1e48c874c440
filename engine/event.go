package engine

import (
	"sotto/media"
	"sotto/media/route"
)

// Event is something that happened to a Call, in the order in which it
// happened. It is one of the types of this file.
type Event interface{ event() }

// Ringing says that the other side is being alerted.
type Ringing struct{}

// Unanswered says that the other side has refused the call that we make, or cannot be
// reached. Ended follows with the same Reason: at once, or when the tone that tells of
// it has been heard; [Call.Close] cuts that short.
type Unanswered struct{ Reason Reason }

// Answered says that the other side has taken the call. No voice flows yet:
// that takes Secured or, without secure mode, a Warning that there are no keys.
type Answered struct {
	Peer  string // the other side's SIP identity, as claimed
	Codec string // the codec that we send: "opus", "G722", "PCMU" or "PCMA"
}

// Security says how far the call can be trusted, and all that a screen should
// show about it. It comes whenever that changes; the latest one holds.
type Security struct {
	Level SecurityLevel
	Text  string // Level.Text()
	// Name is what our user has called this phone; empty: nothing yet. It
	// has to be shown all the time: if it is not who the user is talking
	// to, the SAS was compared with somebody else.
	Name    string
	Notices []Notice // what else there is to know, the gravest first
}

// Secured says that keys are agreed, the audio is open and protected voice
// flows. A Security follows.
type Secured struct {
	SAS       string // for the users to compare by voice
	SASType   string // "B32" (four characters) or "B256" (two words)
	Suite     string // key agreement/hash/cipher/auth tag/SAS type
	PeerZID   string // hexadecimal
	Initiator bool   // our Commit was the one that both sides followed
	Level     SecurityLevel
	Verified  bool // Level.Verified(): both users compared a SAS before
}

// SASRelayed says what to compare from now on in place of Secured.SAS: the peer is
// a PBX, and the SAS is one of the call beyond it. A Security follows.
type SASRelayed struct {
	SAS     string
	SASType string // as in Secured
}

// Refused says that secure mode has refused something. If it was a change that
// the other side wanted, the call goes on as it was; otherwise nothing is sent
// or played any more, and Ended follows.
type Refused struct {
	Text  string         // what and why, and what the user can do
	Route *route.Refusal // set when an audio route was refused
}

// RouteRefused says that there is silence, both ways, because of where the
// audio comes from or goes to. The call goes on: it is heard again after
// RouteRestored. Another RouteRefused replaces it.
type RouteRefused struct {
	route.Refusal
	Text string // what, why, and what the user can do
}

// RouteRestored says that the audio's route is verified again.
type RouteRestored struct{}

// Held says that one side has put the call on hold.
type Held struct {
	Remote bool
	// ForRoute says that nobody has asked for it: the call was silent because
	// of its route for as long as [route.Policy.HoldAfter].
	ForRoute bool
}

// Resumed says that the hold is over.
type Resumed struct{ Remote bool }

// Digit says that the other side sends a DTMF digit: 0 to 9, *, #, A to D. It
// comes once for each, when it begins.
type Digit struct{ Digit byte }

// Quality says how good the call sounds, estimated by the E-model (ITU-T
// G.107). It comes some seconds after the voice and whenever the class changes,
// not for every waver of the score; [Call.Stats] has the score of now and of the
// whole call.
type Quality struct {
	Remote bool // what the other side hears of us, as it says; else what we hear
	Class  QualityClass
	Rating media.Quality
}

// Warning tells of something that weakens later calls or, without secure mode,
// this one, or that will end it.
type Warning struct{ Text string }

// Ended is the last event of every call. It comes when nothing of the call is left,
// the tone that tells of a refusal included.
type Ended struct {
	Reason Reason
	Level  SecurityLevel // the level that the call had
	Stats  media.Stats
}

func (Ringing) event()       {}
func (Unanswered) event()    {}
func (Answered) event()      {}
func (Security) event()      {}
func (Secured) event()       {}
func (SASRelayed) event()    {}
func (Refused) event()       {}
func (RouteRefused) event()  {}
func (RouteRestored) event() {}
func (Held) event()          {}
func (Resumed) event()       {}
func (Digit) event()         {}
func (Quality) event()       {}
func (Warning) event()       {}
func (Ended) event()         {}
