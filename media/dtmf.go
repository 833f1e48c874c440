package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
)

var (
	// ErrNoEvents says that the peer has not agreed to telephone-event, so
	// that it would not know what DTMF is.
	ErrNoEvents = errors.New("media: the other side has not agreed to telephone-event: it takes no DTMF")
	// ErrSilent says that nothing may be sent now.
	ErrSilent = errors.New("media: nothing may be sent yet: wait for the keys")
)

// digitNames are the digits by event code (RFC 4733 §3.2).
const digitNames = "0123456789*#ABCD"

const (
	// toneTime and pauseTime are those of every digit, however long a key is
	// held, so that they tell nothing of who presses it.
	toneTime  = 100 * time.Millisecond
	pauseTime = 100 * time.Millisecond
	// endPackets say that a digit has ended (RFC 4733 §2.5.1.4).
	endPackets = 3
	// eventVolume in -dBm0 is that of a telephone's keys.
	eventVolume = 10

	// maxDigits and maxWaiting bound what one SendDigits takes, and how many
	// of them wait.
	maxDigits  = 64
	maxWaiting = 4
	// maxHeard is how many digits wait for who takes them.
	maxHeard = 32
)

// eventLen is the length of a telephone event in a packet.
const eventLen = 4

// LongestPadded is how long a payload of voice may be, in bytes, for DTMF to be
// filled up to its length: an event and what RTP can pad it by (RFC 3550 §5.1).
const LongestPadded = eventLen + math.MaxUint8

// telephoneEvent is one event in a packet (RFC 4733 §2.3).
type telephoneEvent struct {
	code     uint8
	end      bool
	duration uint16 // so far, in units of the event's clock
}

func (e telephoneEvent) put(b []byte) {
	b[0], b[1] = e.code, eventVolume
	if e.end {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], e.duration)
}

func parseEvent(b []byte) telephoneEvent {
	return telephoneEvent{code: b[0], end: b[1]&0x80 != 0, duration: binary.BigEndian.Uint16(b[2:])}
}

// dialing is where a Sender is in the digits that it sends. The goroutine that
// ticks owns it.
type dialing struct {
	digits string // the first is being sent
	count  int    // packets since it began
	stamp  uint32 // where it began

	tone, pause int // packets
	unit        int // of the event's clock, in a packet
}

// newDialing is for packets of some length and an event clock in Hz.
func newDialing(packet time.Duration, clock int) dialing {
	return dialing{
		tone:  int((toneTime + packet - 1) / packet),
		pause: int((pauseTime + packet - 1) / packet),
		unit:  samples(clock, packet),
	}
}

// next is the event of the next packet, if it has one, and whether it is the
// event's first.
func (d *dialing) next(stamp uint32) (e telephoneEvent, first, ok bool) {
	if d.digits == "" {
		return telephoneEvent{}, false, false
	}
	if d.count == 0 {
		d.stamp = stamp
	}
	d.count++
	e = telephoneEvent{
		code:     uint8(strings.IndexByte(digitNames, d.digits[0])),
		end:      d.count >= d.tone,
		duration: uint16(min(d.count, d.tone) * d.unit),
	}
	first, ok = d.count == 1, d.count < d.tone+endPackets
	if d.count == d.tone+d.pause {
		d.digits, d.count = d.digits[1:], 0
	}
	return e, first, ok
}

// CheckDigits says what is wrong with digits that SendDigits is to send.
func CheckDigits(digits string) error {
	if len(digits) > maxDigits {
		return fmt.Errorf("media: %d digits: send at most %d at a time", len(digits), maxDigits)
	}
	for _, d := range strings.ToUpper(digits) {
		if !strings.ContainsRune(digitNames, d) {
			return fmt.Errorf("media: %q is no DTMF digit: use 0 to 9, *, # and A to D", d)
		}
	}
	return nil
}

// SendDigits sends DTMF in place of voice (RFC 4733), one digit after the
// other, from the next packet on and behind digits that wait already: 0 to 9,
// *, #, and A to D. They wait while the Sender is held. In secure mode their
// packets are as long as those of voice.
func (s *Sender) SendDigits(digits string) error {
	switch err := CheckDigits(digits); {
	case err != nil || digits == "":
		return err
	case s.cfg.TelephoneEvent == 0:
		return ErrNoEvents
	case s.cfg.Secure && s.payloadLen > LongestPadded:
		return fmt.Errorf("media: DTMF cannot be as long as voice in packets of %d bytes: use a lower bit rate or shorter packets, of at most %d", s.payloadLen, LongestPadded)
	case !s.sealing.Load().open():
		return ErrSilent
	}
	select {
	case s.digits <- strings.ToUpper(digits):
		return nil
	default:
		return errors.New("media: too many digits are waiting: send them later")
	}
}

// dial makes the packet whose payload has n bytes of voice, or none in a pause,
// one of a digit, if there is one to send, and returns its header's flags and the
// payload's length then.
func (s *Sender) dial(h *rtpHeader, n int) (flags byte, length int) {
	if s.dialing.digits == "" {
		select {
		case s.dialing.digits = <-s.digits:
		default:
		}
	}
	e, first, ok := s.dialing.next(h.timestamp)
	if !ok {
		return 0, n
	}
	h.payloadType, h.timestamp, h.marker = s.cfg.TelephoneEvent, s.dialing.stamp, first // RFC 4733 §2.5.1.1
	payload := s.pkt[headerLen:][:max(n, eventLen)]
	e.put(payload)
	if !s.cfg.Secure {
		return 0, eventLen
	}
	padding := payload[eventLen:] // no codec's packets are as short as an event
	clear(padding)
	padding[len(padding)-1] = uint8(len(padding))
	return rtpPadding, len(payload)
}

// listening follows a peer's events, to tell each digit once.
type listening struct {
	heard    bool
	ssrc     uint32
	code     uint8
	stamp    uint32 // where the event began
	duration uint16 // the longest heard
	ended    bool
}

// overtaken is how far back, in units of the event's clock, an event lies that
// another one has overtaken: some seconds. What lies further back belongs to
// timestamps that have begun again.
const overtaken = 1 << 19

// begins reports whether e, which began at stamp, is one not heard before. An
// event goes on in packets of the same timestamp, and a long one in segments
// that follow each other without an end (RFC 4733 §2.5.2.3).
func (l *listening) begins(e telephoneEvent, stamp, ssrc uint32) bool {
	known := l.heard && l.ssrc == ssrc
	since := int32(stamp - l.stamp)
	switch {
	case known && since == 0:
		l.ended = l.ended || e.end
		l.duration = max(l.duration, e.duration)
		return false
	case known && since < 0 && since > -overtaken:
		return false
	}
	segment := known && !l.ended && l.code == e.code && (since == int32(l.duration) || since == math.MaxUint16)
	*l = listening{true, ssrc, e.code, stamp, e.duration, e.end}
	return !segment
}

// hearEvents takes the payload of a telephone-event packet, which may hold
// several events, one after the other (RFC 4733 §2.5.1.5). r.mu is held.
func (r *Receiver) hearEvents(h rtpHeader, payload []byte) {
	r.stats.TelephoneEvents++
	if len(payload) == 0 || len(payload)%eventLen != 0 {
		r.stats.Discarded.Malformed++
		return
	}
	for stamp := h.timestamp; len(payload) > 0; payload = payload[eventLen:] {
		e := parseEvent(payload)
		if int(e.code) >= len(digitNames) {
			r.stats.Discarded.UnknownEvent++
		} else if r.listening.begins(e, stamp, h.ssrc) {
			select {
			case r.digits <- digitNames[e.code]:
			default: // nobody takes them
				r.stats.DigitsDropped++
			}
		}
		stamp += uint32(e.duration)
	}
}

// Digits gives each DTMF digit that the peer sends, once, when it begins: 0 to
// 9, *, #, A to D. It holds a few until they are taken, and drops the rest, which
// Stats counts.
func (r *Receiver) Digits() <-chan byte { return r.digits }
