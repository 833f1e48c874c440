package zrtp

import (
	"time"

	"sotto/zrtp/wire"
)

//go:generate sh -c "go run ./internal/states >STATES.md"

// State is where a Session stands in the message flow of RFC 6189 §3.1.1.
type State uint8

// The states, in the order of a handshake. The initiator goes through
// CommitSent, DHPart2Sent and Confirm2Sent, the responder through DHPart1Sent
// and Confirm1Sent.
const (
	Idle State = iota // Start not called
	Discovery
	CommitSent
	DHPart1Sent
	DHPart2Sent
	Confirm1Sent
	Confirm2Sent
	Secure
	GoClearSent // our user wants to go clear; the peer has not answered yet
	Clear       // the encryption has ended, on purpose
	ErrorSent   // failed; the peer has not acknowledged our Error yet
	Closed
)

var stateNames = [...]string{
	"Idle", "Discovery", "CommitSent", "DHPart1Sent", "DHPart2Sent",
	"Confirm1Sent", "Confirm2Sent", "Secure", "GoClearSent", "Clear", "ErrorSent", "Closed",
}

// String is the constant's name.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Transition says what one message does in one state when it is authentic
// and well-formed. What is not listed is dropped in silence.
type Transition struct {
	From    State
	Message wire.Type
	To      State     // ErrorSent may follow instead when a check fails
	Reply   wire.Type // zero: nothing is sent
	handle  func(*Session, time.Time, []byte) error
}

// Transitions is the whole behaviour of a Session towards its peer; the
// Session itself is driven by this table. A row with From and To alike is
// about retransmissions. Some rows depend on more than the table shows: a
// passive Session answers Hello in Discovery with HelloACK and stays, a Hello from
// which nothing can follow is not answered unless no other comes, a repeated Hello
// in CommitSent draws a HelloACK where the Commit is much longer, and a Commit in
// CommitSent that loses the contention of RFC 6189 §4.2 is ignored.
// Preshared and Multistream mode leave out the DHParts: there Confirm1 answers
// the Commit, and only there it is accepted in CommitSent. A Commit in Preshared
// mode whose key is not found is answered with a Commit of ours. Ping is no part
// of the handshake and answered beside it. An Error is acknowledged, and leads
// to Closed unless the handshake goes on.
func Transitions() []Transition {
	rows := []Transition{
		{Discovery, wire.TypeHello, CommitSent, wire.TypeCommit, (*Session).onHello},
		{Discovery, wire.TypeHelloACK, Discovery, wire.Type{}, (*Session).onHelloACK},
		{Discovery, wire.TypeCommit, DHPart1Sent, wire.TypeDHPart1, (*Session).onCommit},
		{CommitSent, wire.TypeHello, CommitSent, wire.TypeCommit, (*Session).onHelloAgain},
		{CommitSent, wire.TypeHelloACK, CommitSent, wire.Type{}, (*Session).onHelloACK},
		{CommitSent, wire.TypeCommit, DHPart1Sent, wire.TypeDHPart1, (*Session).onCommit},
		{CommitSent, wire.TypeDHPart1, DHPart2Sent, wire.TypeDHPart2, (*Session).onDHPart1},
		{CommitSent, wire.TypeConfirm1, Confirm2Sent, wire.TypeConfirm2, (*Session).onConfirm1},
		{DHPart1Sent, wire.TypeCommit, DHPart1Sent, wire.TypeDHPart1, (*Session).onCommitAgain},
		{DHPart1Sent, wire.TypeDHPart2, Confirm1Sent, wire.TypeConfirm1, (*Session).onDHPart2},
		{DHPart2Sent, wire.TypeConfirm1, Confirm2Sent, wire.TypeConfirm2, (*Session).onConfirm1},
		{Confirm1Sent, wire.TypeCommit, Confirm1Sent, wire.TypeConfirm1, (*Session).onCommitAgain},
		{Confirm1Sent, wire.TypeDHPart2, Confirm1Sent, wire.TypeConfirm1, (*Session).onDHPart2Again},
		{Confirm1Sent, wire.TypeConfirm2, Secure, wire.TypeConf2ACK, (*Session).onConfirm2},
		{Confirm2Sent, wire.TypeConf2ACK, Secure, wire.Type{}, (*Session).onConf2ACK},
		{Secure, wire.TypeConfirm2, Secure, wire.TypeConf2ACK, (*Session).onConfirm2Again},
		{Secure, wire.TypeSASRelay, Secure, wire.TypeRelayACK, (*Session).onSASRelay},
		{Secure, wire.TypeRelayACK, Secure, wire.Type{}, (*Session).onRelayACK},
		{Secure, wire.TypeGoClear, Clear, wire.TypeClearACK, (*Session).onGoClear},
		{GoClearSent, wire.TypeConfirm2, GoClearSent, wire.TypeConf2ACK, (*Session).onConfirm2Again},
		{GoClearSent, wire.TypeGoClear, Clear, wire.TypeClearACK, (*Session).onGoClear},
		{GoClearSent, wire.TypeClearACK, Clear, wire.Type{}, (*Session).onClearACK},
		{Clear, wire.TypeGoClear, Clear, wire.TypeClearACK, (*Session).onGoClear},
		{ErrorSent, wire.TypeErrorACK, Closed, wire.Type{}, (*Session).onErrorACK},
	}
	for s := DHPart1Sent; s <= Clear; s++ {
		rows = append(rows, Transition{s, wire.TypeHello, s, wire.TypeHelloACK, (*Session).onHelloAgain})
	}
	for s := Discovery; s < Confirm2Sent; s++ {
		rows = append(rows, Transition{s, wire.TypeError, s, wire.TypeErrorACK, (*Session).onError})
	}
	return rows
}

type tableKey struct {
	state   State
	message wire.Type
}

// table is Transitions as HandlePacket looks it up, shared and never changed.
var table = func() map[tableKey]Transition {
	m := make(map[tableKey]Transition)
	for _, t := range Transitions() {
		m[tableKey{t.From, t.Message}] = t
	}
	return m
}()
