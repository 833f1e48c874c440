// Package jitter is a pull jitter buffer: packets are pushed as they arrive,
// and whenever the playout runs out of samples it pulls and is told what to do
// ([Action]).
//
// The buffer decides, it does not execute: it neither knows codecs nor touches
// PCM. It opens nothing, starts nothing and never reads the clock. It is not
// safe for concurrent use. After [New] it allocates nothing.
//
// # How the delay adapts
//
// A packet's lag is how much later than the quickest recent packets it
// arrives. The wanted delay is the least costly one by a histogram of lags that
// forgets, see the type delay. What is played is as long behind the quickest
// packet as it is: nothing that arrives in its turn is thrown away to catch
// up. When the delay is longer than wanted, the playout is told to accelerate,
// when it is shorter to expand, and it does so where speech allows. How far it
// got shows in what is ahead at the next [Buffer.Pop], so nobody keeps a
// second account.
//
// What is not here when it is due is made up for a [Step], and then looked for
// again. When it comes, or what recovers it, it is played behind that, and the
// delay is longer by as much.
//
// The sound card is the clock: when it runs faster or slower than the sender's,
// the lag of what is played drifts, and is brought back the same way.
package jitter

import (
	"fmt"
	"time"
)

const (
	// MaxPayload is the largest payload taken, in bytes.
	MaxPayload = 1500
	// Frame is what the playout makes at a time.
	Frame = 20 * time.Millisecond
	// Step is what it makes of a frame at least: what has not come when the first
	// half is due may come until the second one is.
	Step = Frame / 2
	// MaxDelay is the longest that a packet waits.
	MaxDelay = maxTarget + maxExcess
	// MinLength is the shortest that is concealed, and the grid of libopus.
	MinLength = 2500 * time.Microsecond

	// maxPacket is the longest packet. Timestamps of neighbours that differ by
	// more mean a pause of the sender (silence suppression).
	maxPacket = 120 * time.Millisecond
	// pauseAfter is how long a missing stream is concealed before it counts
	// as paused and is buffered anew.
	pauseAfter = time.Second
	// maxAhead is how far sequence numbers may run ahead of the time that has passed:
	// so long packets have waited somewhere of which all but the last are lost. maxShift
	// is what delay explains. A stream beyond has started again (RFC 3550 §A.1).
	maxAhead = 500 * time.Millisecond
	maxShift = 2 * time.Second
	// maxExcess over the wanted delay is made good by acceleration. What comes
	// later than that is dropped.
	maxExcess = time.Second
	// The delay is brought down when it is too long by tooMuch for steadily: a
	// playout that was woken late once, and makes good its frames at once, does
	// not count. It is brought up when it is too short by tooLittle.
	tooMuch   = 10 * time.Millisecond
	tooLittle = time.Millisecond
	steadily  = 150 * time.Millisecond
	// overshoot lets a pitch period do that is longer than what is needed, but
	// does not make the delay too long.
	overshoot = 5 * time.Millisecond
)

// Config is the fixed setting of a Buffer.
type Config struct {
	// ClockRate of the RTP timestamps in Hz.
	ClockRate int
	// MinDelay is the least wanted delay, on a network without jitter. 0 means
	// 10 ms. A stream begins with 20 ms, before anything is known.
	MinDelay time.Duration
}

// Packet is one RTP packet of the stream, as far as playout needs it. A packet
// without payload takes its sequence number, so that it does not count as
// lost, and is never handed out (telephone-event is one such).
type Packet struct {
	Seq       uint16
	Timestamp uint32
	Payload   []byte
	// Redundant: the payload carries the packet before it, too (in-band FEC).
	Redundant bool
	// Quiet: the sender may pause after it (silence suppression), or voice
	// has made room for it. What does not come then is not missing.
	Quiet bool
}

// Kind says what the playout is to do.
type Kind uint8

const (
	// Wait: the stream has not begun, or paused. Play silence for Length.
	Wait Kind = iota
	// Later: what comes next is not here yet, and not due while there is a Step
	// ahead. Play that first.
	Later
	// Play: decode the packet in dst and play it.
	Play
	// Accelerate: the same, and leave out up to Length of what is ahead then:
	// the delay is longer than wanted.
	Accelerate
	// Expand: the same, and make what is ahead then longer by up to Length:
	// the delay is shorter than wanted.
	Expand
	// FEC: a packet of Length is lost, and dst holds the packet after it, which
	// carries it: recover it from that. The packet stays in the buffer. What came
	// too late for it has been made up before, and it is heard behind that.
	FEC
	// Conceal: Length is missing. Make it up.
	Conceal
	// Noise: the sender pauses. Play comfort noise for Length.
	Noise
)

// String is the kind's name.
func (k Kind) String() string {
	names := [...]string{"wait", "later", "play", "accelerate", "expand", "fec", "conceal", "noise"}
	if int(k) >= len(names) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return names[k]
}

// Packet tells whether there is a packet in dst.
func (k Kind) Packet() bool { return k == Play || k == Accelerate || k == Expand || k == FEC }

// Action is what the playout is to do.
type Action struct {
	Kind   Kind
	Length time.Duration // 0 for Later and Play
}

// Stats are totals since New; Reset keeps them.
type Stats struct {
	Received  uint64 // packets pushed, without duplicates and oversized ones
	Duplicate uint64 // packets that were here before
	Oversized uint64 // packets longer than MaxPayload, or than the room that is left
	Lost      uint64 // packets that were never here
	Late      uint64 // packets that came too late to be played
	Played    uint64 // packets handed out to be played
	Concealed uint64 // packets, or frames of longer ones, answered by Conceal; two halves are one
	Recovered uint64 // packets answered by FEC
	Skipped   uint64 // packets, or frames, not concealed, to shorten the delay
	Stray     uint64 // packets not played: they came with a timestamp that was not believed
	Far       uint64 // packets not taken: they came with a number far ahead that was not believed
	Restarts  uint64 // times the stream jumped and was taken up anew

	Delay  time.Duration // of the last packet played, against the quickest one
	Target time.Duration // wanted delay
	Jitter uint32        // interarrival jitter in timestamp units, RFC 3550 §6.4.1
}

// slot is one place of the ring; the packet with number seq lives in
// ring[seq%slots] and leaves its number behind when it goes.
type slot struct {
	seq       int64
	ts        int64
	n         int // payload bytes
	cell      uint16
	present   bool
	redundant bool
	quiet     bool
}

// Buffer orders the packets of one stream and sets its delay. What every packet
// needs lies together, in few cache lines, between what is long.
type Buffer struct {
	ring [slots]slot

	rate  int64 // timestamp ticks a second
	frame int64 // ticks in one Frame

	begun   bool      // a packet has set the timeline
	epoch   time.Time // arrival of that packet
	firstTS uint32    // its timestamp; every ts counts from there, unwrapped
	lastTS  int64     // ts of the last packet that arrived
	first   int64     // sequence number from which on what is missing counts
	highest int64     // greatest sequence number that arrived, unwrapped
	arrived time.Time // when the highest did
	newest  stamp     // of the packets whose timestamps are believed
	doubted stamp     // of the packet after it, if it is not
	jitter  uint32    // RFC 3550 §A.8's estimate, times 16

	shift    uint16 // of the numbers that arrive, to those here
	after    uint16 // successor of the number that was not believed
	suspects bool   // the packet before had such a number

	playing bool
	fresh   bool          // nothing of this timeline was played yet
	quiet   bool          // the last packet played said that a pause may follow
	next    int64         // sequence number to be played next
	nextTS  int64         // ts expected of it
	elapsed int64         // ticks from nextTS on that were made up already
	counted time.Duration // of what will be concealed next, counted as Concealed already
	span    int64         // ticks from packet to packet
	grain   time.Duration // greatest common divisor of span and Step
	long    time.Time     // since when the delay is too long; zero if it is not
	cutting bool          // the delay is being brought down
	count   int           // packets present, all of [next, next+slots)

	spread spread
	stats  Stats
	delay  delay
	store  store
}

// New makes an empty buffer.
func New(c Config) (*Buffer, error) {
	if c.MinDelay == 0 {
		c.MinDelay = Step
	}
	if c.MinDelay < MinLength || c.MinDelay > maxTarget {
		return nil, fmt.Errorf("jitter: delay of at least %v is not from %v to %v", c.MinDelay, MinLength, maxTarget)
	}
	if c.ClockRate < 1000 || c.ClockRate > 1_000_000 {
		return nil, fmt.Errorf("jitter: clock rate %d Hz", c.ClockRate)
	}
	b := &Buffer{}
	b.delay.init(c.MinDelay)
	b.store.init()
	b.setClock(c.ClockRate)
	return b, nil
}

func (b *Buffer) setClock(rate int) {
	b.rate = int64(rate)
	b.frame = b.ticks(Frame)
	b.setSpan(b.frame)
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

// PacketTime is how long a packet is: what follows each other says so, and until
// then it is a Frame.
func (b *Buffer) PacketTime() time.Duration { return b.duration(b.span) }

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
