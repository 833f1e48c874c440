// Package jitter is a pull jitter buffer: packets are pushed as they arrive,
// and once a frame the playout pulls and is told what to do ([Action]).
//
// The buffer decides, it does not decode: it neither knows codecs nor touches
// PCM. It opens nothing, starts nothing and never reads the clock. It is not
// safe for concurrent use. After [New] it allocates nothing.
//
// # How the delay adapts
//
// A packet's lag is how much later than the quickest recent packets it
// arrives. The wanted delay is the 95th percentile of the lags of the last
// seconds plus one frame, but not less than [Config].MinDelay. The delay grows only when it has to: an empty buffer
// is concealed without giving up the packet that is missing, and when that
// comes within the wanted delay it is played after all. The delay shrinks by
// leaving out what is concealed anyway, by dropping packets that come later
// than the wanted delay allows, and at last by skipping a frame now and then.
package jitter

import (
	"fmt"
	"time"
)

const (
	// MaxPayload is the largest payload taken, in bytes.
	MaxPayload = 1500
	// Frame is what one Pop stands for in time.
	Frame = 20 * time.Millisecond

	// slots bounds the packets held: 1.28 s of 20 ms packets.
	slots = 64
	// maxPacket is the longest packet. Timestamps of neighbours that differ by
	// more mean a pause of the sender (silence suppression).
	maxPacket = 120 * time.Millisecond
	// pauseAfter is how long a missing stream is concealed before it counts
	// as paused and is buffered anew.
	pauseAfter = time.Second
	// maxJump in sequence numbers and maxShift in time are what loss and delay
	// explain; a stream that jumps further has started again (RFC 3550 §A.1).
	maxJump  = 3000
	maxShift = 2 * time.Second
	// skipEvery is the least number of frames between two that are skipped,
	// unless the delay is too long by more than rush.
	skipEvery = 10
	rush      = 100 * time.Millisecond
	// margin keeps the delay from being shortened for next to nothing.
	margin = Frame / 2
)

// Config is the fixed setting of a Buffer.
type Config struct {
	// ClockRate of the RTP timestamps in Hz.
	ClockRate int
	// MinDelay is the delay on a network without jitter, and on any until it
	// has been measured. 0 means 40 ms: one frame for the network and one for
	// a playout that the scheduler woke late.
	MinDelay time.Duration
}

// Packet is one RTP packet of the stream, as far as playout needs it. A packet
// without payload takes its sequence number, so that it does not count as
// lost, and is never handed out (telephone-event is one such).
type Packet struct {
	Seq       uint16
	Timestamp uint32
	Payload   []byte
}

// Action is what the playout is to do.
type Action uint8

const (
	// Wait: the stream has not begun, or paused. Play silence.
	Wait Action = iota
	// Play: decode the packet in dst and play it.
	Play
	// FEC: the frame is lost, and dst holds the packet after it: recover the
	// frame from that. The packet stays in the buffer.
	FEC
	// Conceal: the frame is missing. Conceal one [Frame].
	Conceal
	// Skip: decode the packet in dst, but do not play it: the delay is longer
	// than needed. Then pop again at once (and fade from one into the other).
	Skip
)

// String is the action's name.
func (a Action) String() string {
	switch a {
	case Wait:
		return "wait"
	case Play:
		return "play"
	case FEC:
		return "fec"
	case Conceal:
		return "conceal"
	case Skip:
		return "skip"
	}
	return fmt.Sprintf("action(%d)", uint8(a))
}

// Stats are totals since New; Reset keeps them.
type Stats struct {
	Received  uint64 // packets pushed, without duplicates and oversized ones
	Duplicate uint64 // packets that were here before
	Oversized uint64 // packets longer than MaxPayload
	Lost      uint64 // packets that were never here
	Late      uint64 // packets that came too late to be played
	Played    uint64 // frames handed out by Play
	Concealed uint64 // frames answered by Conceal
	Recovered uint64 // frames answered by FEC
	Skipped   uint64 // frames skipped or not concealed, to shorten the delay
	Restarts  uint64 // times the stream jumped and was taken up anew

	Delay  time.Duration // of the last frame played, against the quickest packet
	Target time.Duration // wanted delay
	Jitter uint32        // interarrival jitter in timestamp units, RFC 3550 §6.4.1
}

// slot is one place of the ring; the packet with number seq lives in
// slots[seq%slots] and leaves its number behind when it goes.
type slot struct {
	seq     int64
	ts      int64
	n       int // payload bytes
	present bool
}

// Buffer orders the packets of one stream and sets its delay.
type Buffer struct {
	rate  int64 // timestamp ticks a second
	frame int64 // ticks in one Frame
	delay delay
	stats Stats

	begun   bool      // a packet has set the timeline
	epoch   time.Time // arrival of that packet
	firstTS uint32    // its timestamp; every ts counts from there, unwrapped
	lastTS  int64     // ts of the last packet that arrived
	first   int64     // sequence number from which on what is missing counts
	highest int64     // greatest sequence number that arrived, unwrapped
	oldNext int64     // successor of the last number far below the window
	jitter  uint32    // RFC 3550 §A.8's estimate, times 16

	playing bool
	fresh   bool  // nothing of this timeline was played yet
	next    int64 // sequence number to be played next
	nextTS  int64 // ts expected of it
	elapsed int64 // ticks from nextTS on that were concealed already
	span    int64 // ticks from packet to packet
	count   int   // packets present, all of [next, next+slots)
	pops    int   // since the last skip

	ring  [slots]slot
	bytes [slots][MaxPayload]byte
}

// New makes an empty buffer.
func New(c Config) (*Buffer, error) {
	if c.MinDelay == 0 {
		c.MinDelay = 2 * Frame
	}
	if c.MinDelay < Frame || c.MinDelay > maxTarget {
		return nil, fmt.Errorf("jitter: delay of at least %v is not from %v to %v", c.MinDelay, Frame, maxTarget)
	}
	if c.ClockRate < 1000 || c.ClockRate > 1_000_000 {
		return nil, fmt.Errorf("jitter: clock rate %d Hz", c.ClockRate)
	}
	b := &Buffer{}
	b.delay.init(c.MinDelay)
	b.setClock(c.ClockRate)
	return b, nil
}

func (b *Buffer) setClock(rate int) {
	b.rate = int64(rate)
	b.frame = b.ticks(Frame)
	b.span = b.frame
}

// Reset forgets the stream and keeps the statistics and what is known of the
// network: for a new SSRC, or a codec with another clock rate in Hz.
func (b *Buffer) Reset(clockRate int) {
	b.setClock(clockRate)
	b.forget()
	b.begun = false
	b.jitter = 0
}

// Stats returns the totals so far.
func (b *Buffer) Stats() Stats {
	s := b.stats
	s.Target = b.delay.target()
	s.Jitter = b.jitter >> 4
	return s
}

func (b *Buffer) ticks(d time.Duration) int64 {
	return int64(d) / 1e3 * b.rate / 1e6
}

func (b *Buffer) duration(ticks int64) time.Duration {
	return time.Duration(ticks/b.rate*1e9 + ticks%b.rate*1e9/b.rate)
}

// lag is how late a frame is at now, against the quickest packets.
func (b *Buffer) lag(now time.Time, ts int64) time.Duration {
	return now.Sub(b.epoch) - b.duration(ts) - b.delay.base()
}
