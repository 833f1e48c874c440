// Package wire reads and writes ZRTP packets and messages (RFC 6189 §5). It
// knows their shapes and nothing else: no cryptography, no state, no clock.
//
// A datagram becomes a [Packet], whose Message is named by [MessageType] and
// read by the parser of that type:
//
//	p, err := wire.ParsePacket(datagram)
//	t, err := wire.MessageType(p.Message)
//	if t == wire.TypeHello {
//		hello, err := wire.ParseHello(p.Message)
//	}
//
// Every parser takes any bytes at all, accepts only messages of exactly the
// right length, and returns the zero value with its error. A parsed message
// owns its bytes; only Packet.Message aliases the datagram. Bits which the
// RFC tells a receiver to ignore are kept out of sight, so that appending a
// parsed message gives the very bytes that were parsed.
//
// MACs are computed by the caller over raw bytes: in Hello, Commit and DHPart
// the MAC is the last MACLen bytes and covers all before it.
package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrMalformed means a message whose structure is wrong though its packet
// arrived intact: ErrorMalformed, if the peer is told at all.
var ErrMalformed = errors.New("wire: malformed message")

const (
	// Version is the protocol version of RFC 6189 §4.1.1, as Hello and Ping carry it.
	Version = "1.10"

	// MACLen is the length of every MAC on the wire.
	MACLen = 8

	// MaxMessageLen is the longest message in bytes: a Confirm or SASrelay with
	// the longest signature. Commit and DHPart of every key agreement that is
	// built in are shorter.
	MaxMessageLen = 4 * (19 + maxSignatureWords)

	messageHeadLen = 12
	preamble       = 0x505a
)

// MessageType reads the head every message has (RFC 6189 §5.2) and checks that its
// length word tells the length of msg exactly. The type may be unknown. An
// acknowledgement is all head.
func MessageType(msg []byte) (Type, error) {
	if len(msg) < messageHeadLen || binary.BigEndian.Uint16(msg) != preamble {
		return Type{}, fmt.Errorf("%w: no preamble", ErrMalformed)
	}
	if words := binary.BigEndian.Uint16(msg[2:]); len(msg) != 4*int(words) {
		return Type{}, fmt.Errorf("%w: %d bytes, but %d words announced", ErrMalformed, len(msg), words)
	}
	t := Type(msg[4:messageHeadLen])
	if isACK(t) && len(msg) != messageHeadLen {
		return Type{}, fmt.Errorf("%w: %s of %d bytes", ErrMalformed, t, len(msg))
	}
	return t, nil
}

// parseMessage copies a message of type t into fields, which stand in wire
// order and together must be exactly as long as the message's body. With an
// error they are as before.
func parseMessage(msg []byte, t Type, fields [][]byte) error {
	got, err := MessageType(msg)
	if err != nil {
		return err
	}
	if got != t {
		return fmt.Errorf("%w: %q where %q belongs", ErrMalformed, got, t)
	}
	body, want := msg[messageHeadLen:], 0
	for _, f := range fields {
		want += len(f)
	}
	if len(body) != want {
		return fmt.Errorf("%w: %s of %d bytes where %d belong", ErrMalformed, t, len(body), want)
	}
	for _, f := range fields {
		body = body[copy(f, body):]
	}
	return nil
}

// appendMessage is the reverse of parseMessage. It panics if the caller's
// fields don't add up to whole words that the length word can count.
func appendMessage(dst []byte, t Type, fields [][]byte) []byte {
	start, length := len(dst), messageHeadLen
	for _, f := range fields {
		length += len(f)
	}
	dst = slices.Grow(dst, length)
	dst = append(dst, preamble>>8, preamble&0xff, 0, 0)
	dst = append(dst, t[:]...)
	for _, f := range fields {
		dst = append(dst, f...)
	}
	n := len(dst) - start
	if n%4 != 0 || n/4 > 0xffff {
		panic(fmt.Sprintf("wire: %s of %d bytes can't be sent", t, n))
	}
	binary.BigEndian.PutUint16(dst[start+2:], uint16(n/4))
	return dst
}
