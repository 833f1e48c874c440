package jitter

import "time"

// far tells whether neither loss nor delay explains a packet's number: it is further
// ahead than time has passed for, or out of reach behind.
func (b *Buffer) far(now time.Time, seq int64) bool {
	if seq <= b.highest+1 {
		return seq < b.next-slots
	}
	ahead := time.Duration(seq-b.highest) * max(b.duration(b.span), MinLength)
	return ahead-now.Sub(b.arrived) > maxAhead
}

// follows tells whether a packet is the next one after one that was not believed for
// its number (RFC 3550 §A.1). One whose number is sound between the two says that those
// are of another stream.
func (b *Buffer) follows(p Packet) bool { return b.suspects && p.Seq == b.after }

// suspect does not take a packet that is far, unless the next one follows.
func (b *Buffer) suspect(now time.Time, p Packet) {
	seq, ts := b.unwrap(p)
	if seq > b.highest {
		b.stats.Far++
	} else {
		b.stats.Duplicate++ // or too old to tell
	}
	b.suspects, b.after, b.doubted = true, p.Seq+1, stamp{}
	if len(p.Payload) > 0 {
		b.doubted = b.claims(now, b.highest+1, ts)
	}
}

// goOn takes up a stream whose numbers have begun again: what waits to be played is
// played, and only the packet that was not believed is missing.
func (b *Buffer) goOn(p Packet) { b.shift = uint16(b.highest+2) - p.Seq }

// soonest is how much sooner than the quickest recent ones a packet comes at most.
const soonest = 60 * time.Millisecond

// stamp is what a packet's timestamp claims.
type stamp struct {
	seq, ts int64
	transit time.Duration
}

// claims is what a timestamp that came now claims.
func (b *Buffer) claims(now time.Time, seq, ts int64) stamp {
	return stamp{seq, ts, b.lag(now, ts) + b.delay.base()}
}

// explains tells whether the network explains what s claims after what another
// stamp does. Time does not go back, and what comes sooner than it should, by up to
// most, has been waiting with those before it: packets arrive all at once at best.
func (b *Buffer) explains(s, before stamp, most time.Duration) bool {
	earliest := before.transit - max(soonest, min(b.duration((s.seq-before.seq)*b.span), most))
	return s.seq > before.seq && s.ts >= before.ts && s.transit >= earliest
}

// A verdict is what to make of a timestamp.
type verdict uint8

const (
	sound verdict = iota
	stray         // not believed
	jump          // the sender's clock has jumped
)

// judge tells whether the timestamp of a packet is a stray, or what it is on our
// timeline. One that only a jump of the sender's clock explains is believed when
// the next packet agrees, as RFC 3550 §A.1 has it of sequence numbers. The timeline
// then goes on as if that one came in its time, so that nothing that waits to be
// played is given up.
func (b *Buffer) judge(now time.Time, seq, ts int64) (onTimeline int64, v verdict) {
	if n := b.newest.seq - seq; n >= 0 { // overtaken, or a duplicate
		before := b.newest.ts - ts
		if before < 0 || before > n*b.ticks(maxPacket) {
			return ts, stray
		}
		return ts, sound
	}
	s, before := b.claims(now, seq, ts), stamp{b.newest.seq, b.newest.ts, b.delay.base()}
	if !b.delay.known || b.explains(s, before, maxPacket) {
		b.newest = s
		if seq >= b.doubted.seq { // what was overtaken tells nothing of what overtook it
			b.doubted = stamp{}
		}
		return ts, sound
	}
	if b.doubted.seq == 0 || !b.explains(s, b.doubted, maxPacket) {
		b.doubted = s
		return ts, stray
	}
	b.doubted = stamp{}
	if b.explains(s, before, maxShift) { // another route is quicker
		b.newest = s
		return ts, sound
	}
	onTimeline = b.ticks(now.Sub(b.epoch) - b.delay.base() + b.duration(1)/2) // rounded
	b.firstTS -= uint32(onTimeline - ts)
	b.newest = stamp{seq, onTimeline, b.delay.base()}
	return onTimeline, jump
}
