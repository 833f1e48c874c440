// Package sdp reads and writes the session descriptions we speak: RFC 8866
// with one voice stream in use, offered and answered as RFC 3264 says.
//
// The caller makes a description with [Offer], the callee with [Answer]; both
// then learn from [Agree] what may be sent, what may arrive, and where to.
// A later change to the call, such as hold, starts with [Reoffer].
//
// A description is a plain value. Everything that came from the network has
// passed [Parse], which accepts whatever lines and attributes it does not know
// and refuses, with the number of the line, what it knows and finds wrong.
package sdp

import (
	"net/netip"
	"strings"
)

// MaxSize is the longest description, in bytes, that Parse reads.
const MaxSize = 32 << 10

// Profiles of RTP that a plain offer may name, RFC 3551 and RFC 4585. ZRTP
// keys the media whatever the profile says, RFC 6189 §8, so ours is ProfileAVP.
const (
	ProfileAVP  = "RTP/AVP"
	ProfileAVPF = "RTP/AVPF"
)

// Session is one session description.
type Session struct {
	Origin Origin
	Media  []Media // one for each m= line, in order; an answer keeps that order
	// Recorded: its author records the call, or could at any time (a=record of
	// RFC 7866). Append does not write it.
	Recorded bool
}

// Origin is the o= line, RFC 8866 §5.2.
type Origin struct {
	Username string // "-" when there is none
	ID       uint64
	Version  uint64 // rises by one with each description that differs
	Address  string // address type and address as written, such as "IP4 192.0.2.1"
}

// Media is one m= line with what belongs to it, RFC 8866 §5.14. A stream that
// is refused or that we could not use has nothing below Formats, and audio that
// we could use has no Formats.
type Media struct {
	Kind    string // "audio", "video", …
	Port    uint16 // where its author receives; 0: refused
	Profile string // the protocol field, such as "RTP/AVP"
	Formats string // the format list as written

	Address    netip.Addr     // where its author receives; unspecified (0.0.0.0): send nothing
	RTCP       netip.AddrPort // where its author receives RTCP without Mux; invalid: nowhere
	Mux        bool           // RTP and RTCP on one port, RFC 5761 §5.1.1
	Codecs     []Codec
	Direction  Direction
	PacketTime int // milliseconds its author would like in a packet; 0: not said
	MaxPacket  int // milliseconds it takes in a packet at most; 0: not said
	ZRTPHashes []ZRTPHash
	Crypto     *Crypto // the first that can be read; nil: none. Append does not write it
}

// Codec is one payload type of an audio stream.
type Codec struct {
	PayloadType uint8
	Name        string // as in a=rtpmap; "" if the description does not say
	ClockRate   int    // Hz
	Channels    int    // at least 1
	Params      string // a=fmtp, as written
}

// TelephoneEvent is the codec name of DTMF digits, RFC 4733 §7.1.1.
const TelephoneEvent = "telephone-event"

// Event reports whether c carries DTMF digits and no sound.
func (c Codec) Event() bool { return strings.EqualFold(c.Name, TelephoneEvent) }

// Noise reports whether c is comfort noise, RFC 3389 §4: what is heard in the
// pauses of a codec with the same clock rate.
func (c Codec) Noise() bool { return strings.EqualFold(c.Name, "CN") }

// Voice reports whether c carries voice.
func (c Codec) Voice() bool { return !c.Event() && !c.Noise() }

// same reports whether c and d are one format under two payload types.
func (c Codec) same(d Codec) bool {
	return c.Name != "" && strings.EqualFold(c.Name, d.Name) &&
		c.ClockRate == d.ClockRate && c.Channels == d.Channels
}

// ZRTPHash is one a=zrtp-hash, RFC 6189 §8: the hash of the Hello message its
// author will send on this stream.
type ZRTPHash struct {
	Version string // ZRTP version, such as "1.10"
	Hash    []byte // 32 bytes for version 1.10
}

// Audio returns the index of the audio stream in use: the first that is not
// refused and has a profile we speak. It is -1 if there is none.
func (s *Session) Audio() int {
	for i, m := range s.Media {
		if m.voice() {
			return i
		}
	}
	return -1
}

// voice reports whether m is an audio stream that can be used.
func (m *Media) voice() bool {
	return m.Kind == "audio" && m.Port != 0 && m.plain()
}

// plain reports whether m asks for RTP without keys in the signalling.
func (m *Media) plain() bool { return m.Profile == ProfileAVP || m.Profile == ProfileAVPF }

// Direction says who sends, seen from the author of a description,
// RFC 8866 §6.7. The zero value is the default of the protocol.
type Direction uint8

const (
	SendRecv Direction = iota
	SendOnly
	RecvOnly
	Inactive
)

var directions = [...]string{"sendrecv", "sendonly", "recvonly", "inactive"}

func (d Direction) String() string { return directions[d&3] }

// Sends reports whether the author of d sends.
func (d Direction) Sends() bool { return d == SendRecv || d == SendOnly }

// Receives reports whether the author of d receives.
func (d Direction) Receives() bool { return d == SendRecv || d == RecvOnly }

// Answer returns the direction for the answer to an offer of d when the
// answering side would like want, RFC 3264 §6.1.
func (d Direction) Answer(want Direction) Direction {
	return direction(want.Sends() && d.Receives(), want.Receives() && d.Sends())
}

// direction puts a Direction together from its two halves.
func direction(sends, receives bool) Direction {
	switch {
	case sends && receives:
		return SendRecv
	case sends:
		return SendOnly
	case receives:
		return RecvOnly
	}
	return Inactive
}
