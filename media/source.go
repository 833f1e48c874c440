package media

import (
	"encoding/binary"
	"time"

	"sotto/codecs"
	"sotto/media/jitter"
)

// source is the stream being heard: one SSRC of the peer. Reception counts are
// those of RFC 3550 §A.1 and §A.3.
type source struct {
	heard bool // the rest is known
	ssrc  uint32
	codec string    // name of its last voice's, which comfort noise is not
	clock int       // of its timestamps, in Hz; always known
	last  time.Time // arrival of its last packet

	first    uint32 // sequence number of the first packet, as highest counts
	highest  uint32 // greatest sequence number, roll-overs in the upper half
	received uint32 // packets, duplicates included
	suspects bool   // the packet before had a number that was not believed
	after    uint16 // the successor of that

	expectedBefore, receivedBefore uint32 // at the last report
}

// arrival is an RTP packet in the clear.
type arrival struct {
	at      time.Time
	opening *opening
	header  rtpHeader
	tagged  []byte // room for a tag, then the payload
}

// A payload goes through the jitter buffer with a tag before it, which tells
// the playout what it is: its payload type and its timestamp. The tag takes
// the place of the header's last bytes.
const tagLen = 5

func putTag(b []byte, payloadType uint8, timestamp uint32) {
	b[0] = payloadType
	binary.BigEndian.PutUint32(b[1:], timestamp)
}

func cutTag(b []byte) (payloadType uint8, timestamp uint32, payload []byte) {
	return b[0], binary.BigEndian.Uint32(b[1:]), b[tagLen:]
}

// queue hands a packet to the jitter buffer and reports whether it belongs
// there.
func (r *Receiver) queue(a arrival) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.opening.Load() != a.opening {
		r.stats.Discarded.Clear++ // the keys changed while it was opened
		return false
	}
	if !r.belongs(a) {
		return false
	}
	h := a.header
	// What is not voice still takes its sequence number, so that it does not
	// count as lost.
	p := jitter.Packet{Seq: h.sequence, Timestamp: h.timestamp}
	if v := r.playout.voices[h.payloadType]; v != nil {
		if v.Name != codecs.ComfortNoise.Name {
			r.source.codec = v.Name
		}
		r.stats.PacketsReceived++
		r.stats.BytesReceived += uint64(len(a.tagged) - tagLen)
		if len(a.tagged) > tagLen {
			p.Redundant, p.Quiet = v.Inspect(a.tagged[tagLen:])
			putTag(a.tagged, h.payloadType, h.timestamp)
			p.Payload = a.tagged
		}
	} else {
		p.Quiet = r.tally(a)
	}
	r.buffer.Push(a.at, p)
	return true
}

// tally counts a packet that is not voice, and hears DTMF. It reports whether it was
// DTMF.
func (r *Receiver) tally(a arrival) bool {
	if !r.events[a.header.payloadType] {
		r.stats.Discarded.UnknownPayload++
		return false
	}
	r.hearEvents(a.header, a.tagged[tagLen:])
	return true
}

// clock is the clock rate of a payload type in Hz, 0 if it is not voice.
func (r *Receiver) clock(payloadType uint8) int {
	if v := r.playout.voices[payloadType]; v != nil {
		return v.ClockRate
	}
	return 0
}

// belongs reports whether a packet is of the source being heard. A new source
// takes over, and a new clock rate starts a new timeline; only voice does
// either.
func (r *Receiver) belongs(a arrival) bool {
	s, h := &r.source, a.header
	clock := r.clock(h.payloadType)
	if !s.heard || s.ssrc != h.ssrc {
		if s.heard && a.at.Sub(s.last) < takeOver {
			r.stats.Discarded.OtherSource++
			return false
		}
		if clock == 0 {
			r.tally(a)
			return false
		}
		seq := uint32(h.sequence)
		r.source = source{heard: true, ssrc: h.ssrc, clock: clock, first: seq, highest: seq}
		r.buffer.Reset(clock)
		r.stats.Streams++
	}
	s.last = a.at
	ahead := s.count(h.sequence)
	if clock != 0 && clock != s.clock {
		if ahead <= 0 { // from before the clock changed
			r.stats.Late++
			return false
		}
		s.clock = clock
		r.buffer.Reset(clock)
	}
	return true
}

// maxDropout is how far a sequence number may jump (RFC 3550 §A.1). If two in a row
// jump further, the source has started again, and is counted anew.
const maxDropout = 3000

// count counts a packet and returns how far it lies ahead of all before; 0 if its
// number is not believed.
func (s *source) count(sequence uint16) int {
	ahead := int(int16(sequence - uint16(s.highest)))
	if ahead > maxDropout || ahead < -maxDropout {
		again := s.suspects && sequence == s.after
		s.suspects, s.after = !again, sequence+1
		if !again {
			return 0
		}
		s.first, s.highest, s.received = uint32(sequence), uint32(sequence), 0
		s.expectedBefore, s.receivedBefore = 0, 0
		ahead = 1
	} else if ahead > 0 {
		s.highest += uint32(ahead)
	}
	s.suspects = false
	s.received++
	return ahead
}

// losses are the figures of a reception report (RFC 3550 §A.3): packets lost
// in all, and the fraction of 256 lost since the last report. Duplicates can
// make up for losses here; they never make a loss negative.
func (s *source) losses() (lost uint32, fraction uint8) {
	const most = 1<<23 - 1 // cumulative number of packets lost: RFC 3550 §6.4.1
	expected := s.highest - s.first + 1
	if expected > s.received {
		lost = min(expected-s.received, most)
	}
	due, came := expected-s.expectedBefore, s.received-s.receivedBefore
	s.expectedBefore, s.receivedBefore = expected, s.received
	if due > came {
		fraction = uint8(min(uint64(due-came)<<8/uint64(due), 255))
	}
	return lost, fraction
}
