package engine

// state is how far a call has come towards voice. Only talking lets voice
// through, and inClear, which no way leads to in secure mode.
type state uint8

const (
	// idle: neither keys nor a verified route.
	idle state = iota
	// routed: a verified route, and no keys. A call without secure mode
	// begins here, because nobody asks for its route.
	routed
	// keyed: keys, and no verified route: silence flows both ways.
	keyed
	// talking: keys and a verified route.
	talking
	// inClear: no keys, and voice flows all the same.
	inClear
	// over: the call ends.
	over
	numStates
)

// cause is something that secure mode has to judge.
type cause uint8

const (
	// From key agreement.
	gotKeys   cause = iota // for one direction or for both
	noZRTP                 // nobody answers, or with another Hello than the announced one
	noKeys                 // key agreement has failed, or its keys are not to be used any more; GoClear asks for that
	cleared                // the encryption has ended
	disclosed              // the peer may pass the keys on (RFC 6189 §11)
	suspected              // the secret of earlier calls is missing (RFC 6189 §4.3.2)

	// From the signalling.
	notAnnounced // no ZRTP hash, where Config.RequireHelloHash wants one
	weakerOffer  // a change would take the ZRTP hash away, or names another
	weakerAnswer // an answer to our own change does; it can't be refused any more
	recorded     // the peer says that it records the call (RFC 7866)

	// From the audio route.
	routeVerified
	routeDoubted // something has happened that could matter
	routeRefused // or unknown, for now
	routeLost    // refused, with nothing that could tell of a better one, or for too long

	// From our user and everybody else.
	sasDiffers
	callEnded
	numCauses
)

// verdict is what has to be done.
type verdict uint8

const (
	nothing  verdict = iota
	letVoice         // hand the keys to the media, and let voice through
	letClear         // let voice through without keys, and warn
	mute             // silence both ways until the route is verified
	alarm            // tell the user; the call goes on
	decline          // refuse the change; the call goes on as it was
	endCall          // silence for good, tell the user, hang up
	numVerdicts
)

// cell is what follows from a cause in a state.
type cell struct {
	to state
	do verdict
}

// row is what follows in every state from idle to inClear.
type row [over]cell

var (
	// ends is the row of what no call survives.
	ends = row{{over, endCall}, {over, endCall}, {over, endCall}, {over, endCall}, {over, endCall}}
	// told is the row of what the user hears of and lives with.
	told = row{{idle, alarm}, {routed, alarm}, {keyed, alarm}, {talking, alarm}, {inClear, alarm}}
	// passed is the row of what does not matter.
	passed = row{{idle, nothing}, {routed, nothing}, {keyed, nothing}, {talking, nothing}, {inClear, nothing}}
)

// rules is secure mode. It has no way to inClear; what it says there is for
// calls without secure mode.
var rules = [numCauses]row{
	gotKeys:       {{keyed, nothing}, {talking, letVoice}, {keyed, nothing}, {talking, letVoice}, {talking, letVoice}},
	noZRTP:        ends,
	noKeys:        ends,
	cleared:       ends,
	disclosed:     ends,
	suspected:     told,
	notAnnounced:  told,
	weakerOffer:   {{idle, decline}, {routed, decline}, {keyed, decline}, {talking, decline}, {inClear, decline}},
	weakerAnswer:  ends,
	recorded:      ends,
	routeVerified: {{routed, nothing}, {routed, nothing}, {talking, letVoice}, {talking, letVoice}, {inClear, nothing}},
	routeDoubted:  {{idle, mute}, {idle, mute}, {keyed, mute}, {keyed, mute}, {inClear, nothing}},
	routeRefused:  {{idle, mute}, {idle, mute}, {keyed, mute}, {keyed, mute}, {inClear, nothing}},
	routeLost:     ends,
	sasDiffers:    ends,
	callEnded:     {{over, nothing}, {over, nothing}, {over, nothing}, {over, nothing}, {over, nothing}},
}

// What Config changes in rules. Without secure mode nobody asks for the route,
// and a call may go on in the clear that never had keys; where one direction
// had them, there is no way back.
var (
	speaksOn = row{{over, endCall}, {inClear, letClear}, {over, endCall}, {over, endCall}, {inClear, letClear}}

	withoutSecureMode = map[cause]row{
		noZRTP: speaksOn, noKeys: speaksOn,
		disclosed: told, recorded: told,
		weakerOffer: passed, weakerAnswer: passed,
		routeVerified: passed, routeDoubted: passed, routeRefused: passed, routeLost: passed,
	}
)

// mode is what Config says about the rules. The zero value is secure mode as
// it is unless somebody asks for something else.
type mode struct {
	insecure   bool // AllowInsecure
	disclosure bool // AllowDisclosure
	announced  bool // RequireHelloHash
}

func (m mode) begin() state {
	if m.insecure {
		return routed
	}
	return idle
}

// on is what follows from c in s. It depends on nothing else.
func (m mode) on(s state, c cause) cell {
	switch {
	case s >= over || c >= numCauses:
		return cell{over, nothing}
	case s == inClear && !m.insecure: // nothing leads there
		return cell{over, endCall}
	case m.announced && c == notAnnounced:
		return ends[s]
	case m.disclosure && (c == disclosed || c == recorded):
		return told[s]
	}
	if row, ok := withoutSecureMode[c]; ok && m.insecure {
		return row[s]
	}
	return rules[c][s]
}

var stateNames = [numStates]string{
	idle: "idle", routed: "routed", keyed: "keyed", talking: "talking", inClear: "in the clear", over: "over",
}

func (s state) String() string { return stateNames[s] }

var causeNames = [numCauses]string{
	gotKeys: "keys", noZRTP: "no ZRTP", noKeys: "no keys", cleared: "encryption ended", disclosed: "disclosure flag",
	suspected: "cache mismatch", notAnnounced: "ZRTP not announced", weakerOffer: "weaker offer",
	weakerAnswer: "weaker answer", recorded: "peer records", routeVerified: "route verified",
	routeDoubted: "route in doubt", routeRefused: "route refused", routeLost: "route lost",
	sasDiffers: "SAS differs", callEnded: "call ends",
}

func (c cause) String() string { return causeNames[c] }
