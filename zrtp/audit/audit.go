// Package audit judges a ZRTP exchange from outside, by its datagrams alone:
// what each message says, and whether all that can be checked without a key
// holds (RFC 6189 §5, RFC 6189 §9). It knows no secret and takes any bytes.
//
//	a := audit.New()
//	m, err := a.Add(audit.Datagram{Number: 1, From: from, To: to, Payload: payload})
//
// What it checks: the packet's checksum and lengths, the hash chain of each
// side as far as it is revealed, the MAC of Hello and Commit once their key is,
// hvi over DHPart2 and the responder's Hello, who became the initiator when both
// committed, and that what was chosen had been offered.
//
// What nobody can check from outside: H0, and with it the MAC of DHPart1 and
// DHPart2, and the MACs of Confirm1, Confirm2, GoClear and SASrelay, whose keys
// are never on the wire in the clear.
//
// Streams are told apart by addresses, ports and SSRCs. Which two SSRCs belong
// together is not on the wire: a new one joins the latest stream in the other
// direction that still lacks its second side.
package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"sotto/zrtp/wire"
)

// maxStreams bounds memory: a stream takes at most some 40 kB, and only while
// fragments of the longest messages are missing.
const maxStreams = 1000

// ErrTooMany means that there are more streams than one Auditor follows.
var ErrTooMany = fmt.Errorf("audit: more than %d streams", maxStreams)

// Datagram is one datagram as it was seen.
type Datagram struct {
	Number   int // what messages call it by
	From, To netip.AddrPort
	Payload  []byte // not kept
	Missing  int    // bytes at its end that were not seen
}

// Message is one ZRTP datagram and what is to be said about it.
type Message struct {
	Number   int
	Stream   int    // from 1; 0 if it is damaged and belongs to no stream so far
	Side     string // A is who was heard first in the stream, the other is B
	New      bool   // the first of its side
	From, To netip.AddrPort
	SSRC     uint32
	Sequence uint16
	Type     string
	Fields   []Field // what it says

	RepeatOf  int  // number of the same message before; 0: none
	Duplicate bool // the same datagram again, not only the same message

	Passed, Faults, Notes []string // for people
}

// Field is one thing a message says.
type Field struct{ Name, Value string }

func (m *Message) field(name, format string, args ...any) {
	m.Fields = append(m.Fields, Field{name, fmt.Sprintf(format, args...)})
}

func (m *Message) pass(format string, args ...any) {
	m.Passed = append(m.Passed, fmt.Sprintf(format, args...))
}

func (m *Message) fault(format string, args ...any) {
	m.Faults = append(m.Faults, fmt.Sprintf(format, args...))
}

func (m *Message) note(format string, args ...any) {
	m.Notes = append(m.Notes, fmt.Sprintf(format, args...))
}

// Auditor follows any number of streams. It is a value of one goroutine.
type Auditor struct {
	streams []*stream
	senders map[source]*sender // the latest of each
}

// source is who sends: RFC 6189 has one session for each SSRC.
type source struct {
	from, to netip.AddrPort
	ssrc     uint32
}

// New returns an Auditor that has seen nothing.
func New() *Auditor { return &Auditor{senders: map[source]*sender{}} }

// Add judges the next datagram. It returns nil for what is not ZRTP, and
// ErrTooMany when it cannot follow any more.
func (a *Auditor) Add(d Datagram) (*Message, error) {
	p, err := wire.ParsePacket(d.Payload)
	if errors.Is(err, wire.ErrNotZRTP) {
		return nil, nil
	}
	m := &Message{Number: d.Number, From: d.From, To: d.To, SSRC: p.SSRC, Sequence: p.Seq}
	if err != nil {
		a.damaged(m, d, err)
		return m, nil
	}
	s, err := a.sender(source{d.From, d.To, p.SSRC}, p.Message)
	if err != nil {
		return nil, err
	}
	m.Stream, m.Side, m.New = s.stream.id, s.name(), !s.heard
	s.heard = true
	message := p.Message
	if p.Fragment != (wire.Fragment{}) {
		if message = s.assemble(m, p); message == nil {
			s.stream.count(m)
			return m, nil
		}
	}
	s.receive(m, message)
	s.stream.count(m)
	return m, nil
}

// damaged reports a datagram that can't be trusted in anything, and so may not
// open a stream; it is put down to one that exists if there is such.
func (a *Auditor) damaged(m *Message, d Datagram, err error) {
	m.Type = "?"
	if len(d.Payload) >= 12 {
		m.Sequence = binary.BigEndian.Uint16(d.Payload[2:])
		m.SSRC = binary.BigEndian.Uint32(d.Payload[8:])
	}
	if len(d.Payload) >= 24 {
		m.Type = typeName(wire.Type(d.Payload[16:24]))
	}
	switch {
	case d.Missing > 0:
		m.fault("cut short: the last %d bytes were not captured", d.Missing)
	case errors.Is(err, wire.ErrCRC):
		m.fault("CRC is wrong")
	default:
		m.fault("%d bytes are no ZRTP packet: truncated, or a fragment beyond its message", len(d.Payload))
	}
	s := a.senders[source{d.From, d.To, m.SSRC}]
	for i := len(a.streams) - 1; s == nil && i >= 0; i-- {
		for _, other := range a.streams[i].sides {
			if other != nil && other.from == d.From && other.to == d.To {
				s = other
			}
		}
	}
	if s != nil {
		m.Stream, m.Side = s.stream.id, s.name()
		s.stream.count(m)
	}
}

// sender finds who sent message, or places a new sender in a stream. A Hello of
// a new hash chain begins a new stream once the one before is over.
func (a *Auditor) sender(from source, message []byte) (*sender, error) {
	s := a.senders[from]
	if s != nil && s.stream.over && s.hello != nil {
		if h, err := wire.ParseHello(message); err == nil && h.H3 != s.greeting.H3 {
			s = nil
		}
	}
	if s != nil {
		return s, nil
	}
	s = &sender{source: from, seen: map[wire.Type]sighting{}}
	if s.stream = a.waiting(from); s.stream != nil {
		s.side = 1
	} else {
		if len(a.streams) == maxStreams {
			return nil, ErrTooMany
		}
		s.stream = &stream{id: len(a.streams) + 1}
		a.streams = append(a.streams, s.stream)
	}
	s.stream.sides[s.side] = s
	a.senders[from] = s
	return s, nil
}

// waiting returns the latest stream whose other side would be from. With ICE
// each direction can have addresses of its own, and only the ports agree.
func (a *Auditor) waiting(from source) *stream {
	var samePorts *stream
	for _, s := range slices.Backward(a.streams) {
		if s.sides[1] != nil {
			continue
		}
		first := s.sides[0]
		if first.from == from.to && first.to == from.from {
			return s
		}
		mirrored := first.from.Port() == from.to.Port() && first.to.Port() == from.from.Port()
		elsewhere := first.from.Addr().Is4() != from.from.Addr().Is4()
		if mirrored && elsewhere && samePorts == nil {
			samePorts = s
		}
	}
	return samePorts
}

// Summary is what came out of one stream.
type Summary struct {
	Stream    int
	Sides     []Side // one or two
	Initiator string // A, B, or empty while unknown
	Suite     string // as committed to: agreement, hash, cipher, tag, SAS
	Outcome   Outcome
	Messages  int // with repeated ones
	Repeats   int
	Faults    int      // messages that have one
	Unchecked []string // for want of messages, or of keys revealed in them
}

// Side is one end of a stream.
type Side struct {
	Name     string
	From, To netip.AddrPort
	SSRC     uint32
}

// Outcome is how far an exchange came.
type Outcome string

// Complete means that both Confirms were seen.
const (
	Complete   Outcome = "complete"
	Failed     Outcome = "failed"
	Unfinished Outcome = "unfinished"
)

// Summaries returns one Summary for each stream.
func (a *Auditor) Summaries() []Summary {
	all := make([]Summary, len(a.streams))
	for i, s := range a.streams {
		all[i] = s.summary()
	}
	return all
}
