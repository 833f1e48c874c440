package jitter

import "time"

// soonest is how much sooner than the quickest recent ones a packet comes at most.
const soonest = 60 * time.Millisecond

// stamp is what a packet's timestamp claims.
type stamp struct {
	seq, ts int64
	transit time.Duration
}

// follows tells whether the network explains what s claims after what another
// stamp does. Time does not go back, and what comes sooner than it should has
// been waiting with those before it: packets arrive all at once at best.
func (b *Buffer) follows(s, before stamp) bool {
	earliest := before.transit - max(soonest, b.duration((s.seq-before.seq)*b.span))
	return s.seq > before.seq && s.ts >= before.ts && s.transit >= earliest
}

// judge tells whether the timestamp of a packet is a stray, or what it is on our
// timeline. One that only a jump of the sender's clock explains is believed when
// the next packet agrees, as RFC 3550 §A.1 has it of sequence numbers. The timeline
// then goes on as if that one came in its time, so that nothing that waits to be
// played is given up.
func (b *Buffer) judge(now time.Time, seq, ts int64) (onTimeline int64, stray bool) {
	lag := b.lag(now, ts)
	if n := b.newest.seq - seq; n >= 0 { // overtaken, or a duplicate
		before := b.newest.ts - ts
		return ts, before < 0 || before > n*b.ticks(maxPacket)
	}
	s := stamp{seq, ts, lag + b.delay.base()}
	doubted := b.doubted
	b.doubted = stamp{}
	if !b.delay.known || b.follows(s, stamp{b.newest.seq, b.newest.ts, b.delay.base()}) {
		b.newest = s
		return ts, false
	}
	if doubted.seq == 0 || !b.follows(s, doubted) {
		b.doubted = s
		return ts, true
	}
	b.stats.Restarts++
	jump := b.ticks(lag)
	b.firstTS -= uint32(jump)
	b.newest = stamp{seq, ts + jump, b.delay.base()}
	return ts + jump, false
}
