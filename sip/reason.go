package sip

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Errors that a caller may want to tell apart. How a call ended is a Reason.
var (
	ErrPortInUse  = errors.New("sip: port in use")
	ErrBadAddress = errors.New("sip: not a SIP address")
	ErrClosed     = errors.New("sip: agent is closed")
	ErrEnded      = errors.New("sip: the dialog has ended")
	ErrState      = errors.New("sip: not possible in this state of the dialog")
	ErrNoOffer    = errors.New("sip: no offer to answer, or it was withdrawn")
)

// Kind is why a call ended or an offer failed, in the terms of a caller.
type Kind uint8

const (
	Failed        Kind = iota // the other side reports a failure of its own
	HungUp                    // a running call was hung up
	Cancelled                 // the caller gave up before the answer
	Busy                      // 486, 600
	Declined                  // 603
	NoAnswer                  // 408, or the caller's context ran out
	Unavailable               // 480
	NotFound                  // 404 and its relatives
	UnknownHost               // the host name does not exist
	Refused                   // nothing listens there
	Unreachable               // no way there
	Forbidden                 // 401, 403, 407
	Redirected                // 3xx
	NotAcceptable             // 488 and its relatives: no media in common
	Unsupported               // 405, 420, 501, …
	Malformed                 // one side does not understand what the other sends
	Glare                     // 491: both sides made an offer at once
	Lost                      // the other side no longer answers, or knows nothing of the call
	Closing                   // Agent.Close
)

var sentences = [...]string{
	Failed:        "the other side failed",
	HungUp:        "the call was hung up",
	Cancelled:     "the call was cancelled before it was answered",
	Busy:          "the other side is busy",
	Declined:      "the other side declined the call",
	NoAnswer:      "nobody answered",
	Unavailable:   "the other side is not available at the moment",
	NotFound:      "the other side does not know the address that was called",
	UnknownHost:   "the host name of the address does not exist",
	Refused:       "nothing listens at the address: connection refused",
	Unreachable:   "the address cannot be reached",
	Forbidden:     "the other side does not let us call it without credentials",
	Redirected:    "the other side has moved; call its new address",
	NotAcceptable: "the other side cannot accept the offered media",
	Unsupported:   "the other side does not support what was asked of it",
	Malformed:     "malformed signalling",
	Glare:         "both sides changed the call at the same time",
	Lost:          "the other side no longer answers",
	Closing:       "this program is shutting down",
}

func (k Kind) String() string {
	if int(k) < len(sentences) {
		return sentences[k]
	}
	return fmt.Sprintf("kind %d", k)
}

// Reason says how a call or an offer ended. It is an error whose text is one
// line for people.
type Reason struct {
	Kind   Kind
	Code   int           // the SIP status code, or 0
	Text   string        // what was said or found beside it; printable, may be ""
	Remote bool          // the other side, not this one, made it end
	Retry  time.Duration // with Glare: how long to wait before the next offer
}

func (r Reason) Error() string {
	switch {
	case r.Code != 0 && r.Text != "":
		return fmt.Sprintf("%s (%d %s)", r.Kind, r.Code, r.Text)
	case r.Code != 0:
		return fmt.Sprintf("%s (%d)", r.Kind, r.Code)
	case r.Text != "":
		return fmt.Sprintf("%s (%s)", r.Kind, r.Text)
	}
	return r.Kind.String()
}

// statusKinds maps the codes of RFC 3261 §21 which say more than their class.
var statusKinds = map[int]Kind{
	400: Malformed, 401: Forbidden, 403: Forbidden, 404: NotFound, 405: Unsupported,
	406: NotAcceptable, 407: Forbidden, 408: NoAnswer, 410: NotFound, 413: Malformed,
	414: Malformed, 415: NotAcceptable, 416: Unsupported, 420: Unsupported, 421: Unsupported,
	480: Unavailable, 481: Lost, 484: NotFound, 485: NotFound, 486: Busy, 487: Cancelled,
	488: NotAcceptable, 491: Glare, 493: Unsupported,
	501: Unsupported, 502: Unreachable, 503: Unavailable, 504: Unreachable, 505: Unsupported, 513: Unsupported,
	600: Busy, 603: Declined, 604: NotFound, 606: NotAcceptable,
}

// statusReason is the Reason for a failure response of the peer.
func statusReason(code int, phrase string) Reason {
	r := Reason{Code: code, Text: printable(phrase), Remote: true}
	if kind, ok := statusKinds[code]; ok {
		r.Kind = kind
	} else if code < 400 {
		r.Kind = Redirected
	}
	return r
}

// maxText bounds what we keep of a text from the network, in bytes.
const maxText = 128

// printable makes text from the network safe to show: one short line.
func printable(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s))
}
