// Package media carries one voice stream each way: frames of PCM to RTP or
// SRTP packets and back, RTCP reports beside them, and [Classify] to tell the
// protocols on one port apart.
//
// A call has a [Sender], a [Receiver] and a [Reports]. None of them starts a
// goroutine, opens a socket or reads the clock: the caller drives them.
//
//	capture goroutine   Sender.Tick every Sender.Interval
//	reader goroutine    Receiver.HandleRTP, Reports.HandleRTCP for what arrives
//	playout goroutine   Receiver.Play every 20 ms, or when it says
//	any one goroutine   Reports.Report every few seconds, Reports.Bye
//	any goroutine       Release, ReleaseClear, Revoke, Mute, Hold, ExpectLoss,
//	                    SendDigits, Digits, Authenticated, Stats
//
// # Keys and routes
//
// A half does nothing until Release gives it keys: the source is not read, the
// sink is not written, no byte leaves, and what arrives is dropped and counted.
// Revoke takes that back, for good or until the next Release. In secure mode
// (Config.Secure) Release demands a [route.Verified] too.
//
// ReleaseClear lets a half work without keys. It is refused in secure mode, and
// once Release or Revoke has been called: Release ends clear voice, and nothing
// falls back to it.
//
// A [Gate] replaces voice by silence, both ways, while the route is in doubt.
//
// What Release is given belongs to that half until the goroutine that uses it
// has ended; the caller closes it then.
//
// # What the packets show
//
// All packets of a Sender have one length, whatever is said and whether or not
// it is muted, and no header extension. DTMF has that length too in secure mode:
// an event takes the place of a frame of voice and is filled up with RTP padding
// (RFC 3550 §5.1), which is encrypted with it. Sender.Tick sends when encoding is
// done; a caller that wants the departure set by the clock alone calls Prepare
// and, at a fixed time after, Send.
package media

import (
	"errors"
	"time"
)

// The errors a caller branches on.
var (
	// ErrRoute says that secure mode was given no verified route.
	ErrRoute = errors.New("media: audio route is not verified")
	// ErrKeys says that Release was given no keys.
	ErrKeys = errors.New("media: no keys to release")
	// ErrVaries says that packets cannot follow what is said.
	ErrVaries = errors.New("media: secure mode sends a constant bit rate without pauses (no VBR, no DTX): what varies tells what is said")
	// ErrNoClear says that nothing may flow in the clear: in secure mode, or
	// because it is too late.
	ErrNoClear = errors.New("media: clear voice is not allowed")
)

const (
	// FrameDuration is the time between two ticks.
	FrameDuration = 20 * time.Millisecond

	// maxPacket bounds what is sent, an Ethernet frame.
	maxPacket = 1500
)
