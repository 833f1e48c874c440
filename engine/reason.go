package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
)

// ReasonKind is why a call has ended, for programs.
type ReasonKind uint8

// The kinds. HungUp is the only normal end.
const (
	HungUp        ReasonKind = iota // one side hung up, or the audio source ended
	Canceled                        // given up before it was answered
	Busy                            // 486, 600
	Declined                        // 603, or our own Reject
	NoAnswer                        // nobody picked up
	NotFound                        // 404: no such user
	Unreachable                     // no such host, nothing listens there, or no reply
	Incompatible                    // 488, or no codec in common
	Malformed                       // the peer's signalling makes no sense
	NotSecure                       // secure mode could not be reached or kept
	NoRoute                         // secure mode found no acceptable audio route
	AudioFailed                     // our source or sink failed
	SignalingLost                   // an answered call broke down
	Failed                          // any other refusal of the peer
)

var reasonNames = [...]string{
	"hung-up", "canceled", "busy", "declined", "no-answer", "not-found", "unreachable",
	"incompatible", "malformed", "not-secure", "route-refused", "audio-failed", "signaling-lost", "failed",
}

// String is a stable name for logs and JSON.
func (k ReasonKind) String() string {
	if int(k) < len(reasonNames) {
		return reasonNames[k]
	}
	return "unknown"
}

// Reason is why a call has ended.
type Reason struct {
	Kind   ReasonKind
	Text   string // one clear sentence for people
	Remote bool   // the other side's doing
	Code   int    // SIP status code, 0 if none
}

// ours are packages whose names tell people nothing.
var ours = []string{"audio", "audit", "codecs", "device", "devices", "engine", "media", "opus", "protect", "realtime", "route", "sdp", "sip", "zidcache", "zrtp"}

// plain is what errors of Go say to people.
var plain = []struct {
	err   error
	words string
}{
	{context.DeadlineExceeded, "there was no answer in time"},
	{os.ErrDeadlineExceeded, "there was no answer in time"},
	{context.Canceled, "it was given up"},
	{net.ErrClosed, "the connection was closed"},
	{os.ErrClosed, "it was closed meanwhile"},
	{io.ErrUnexpectedEOF, "it ended too early"}, // whose text has that of io.EOF in it
	{io.EOF, "it ended too early"},
}

// InWords is an error of this package, or of what it opens, for people: without the
// name of the package of ours that has found it, and without words that only Go has.
func InWords(err error) string {
	text := err.Error()
	for _, p := range plain {
		if errors.Is(err, p.err) {
			text = strings.ReplaceAll(text, p.err.Error(), p.words)
		}
	}
	for {
		name, rest, ok := strings.Cut(text, ": ")
		if !ok || !slices.Contains(ours, name) {
			return text
		}
		text = rest
	}
}
