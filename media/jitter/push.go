package jitter

import "time"

// Push takes a packet that arrived at now. The payload is copied.
func (b *Buffer) Push(now time.Time, p Packet) {
	if len(p.Payload) > MaxPayload {
		b.stats.Oversized++
		return
	}
	if !b.begun {
		b.begin(now, p)
	}
	seq, ts := b.unwrap(p)
	again := b.far(now, seq)
	if again && !b.follows(p) {
		b.suspect(now, p)
		return
	}
	if again {
		b.goOn(p)
		seq, ts = b.unwrap(p)
	}
	b.suspects = false
	if b.overdue(now, seq, ts, len(p.Payload) == 0) {
		again = true
		b.forget()
		b.begin(now, p)
		seq, ts = b.unwrap(p)
	}
	claim := sound
	if len(p.Payload) > 0 {
		if ts, claim = b.judge(now, seq, ts); claim == stray {
			p.Payload = nil
		}
	}
	if again || claim == jump {
		b.stats.Restarts++
	}
	if !b.accept(seq, len(p.Payload)) {
		return
	}
	b.stats.Received++
	if claim == stray {
		b.stats.Stray++
	}
	if len(p.Payload) > 0 {
		b.measure(now, seq, ts, p.Redundant)
	}
	s := &b.ring[index(seq)]
	if seq < b.next {
		b.stats.Late++
		if seq >= b.first {
			b.stats.Lost-- // it was counted when its turn had passed
			b.spread.sum.Discarded++
		}
		*s = slot{seq: seq}
		return
	}
	if seq > b.highest {
		b.highest, b.arrived = seq, now
	}
	*s = slot{
		seq: seq, ts: ts, n: len(p.Payload), cell: b.store.put(p.Payload),
		present: true, redundant: p.Redundant, quiet: p.Quiet,
	}
	b.count++
}

// begin sets the timeline by the first packet of a stream.
func (b *Buffer) begin(now time.Time, p Packet) {
	b.begun, b.fresh = true, true
	b.epoch, b.firstTS, b.lastTS = now, p.Timestamp, 0
	b.highest = 1<<16 + int64(p.Seq) // above 0, which marks a slot never used
	b.next, b.first, b.arrived = b.highest, b.highest, now
	b.shift, b.suspects = 0, false
	b.newest, b.doubted = stamp{}, stamp{}
}

// forget empties the buffer and stops playing.
func (b *Buffer) forget() {
	b.stats.Late += uint64(b.count)
	b.ring = [slots]slot{}
	b.store.init()
	b.count = 0
	b.playing, b.quiet = false, false
	b.delay.forgetBase()
}

func (b *Buffer) unwrap(p Packet) (seq, ts int64) {
	seq = b.highest + int64(int16(p.Seq+b.shift-uint16(b.highest)))
	ts = b.lastTS + int64(int32(p.Timestamp-b.firstTS-uint32(b.lastTS)))
	return seq, ts
}

// overdue tells whether the packet comes later than any delay explains, although
// nothing came since the one before: the sender's clock stood, and there is a new
// timeline. The timestamp of a packet without payload tells nothing, and one that
// jumps is for [Buffer.judge].
func (b *Buffer) overdue(now time.Time, seq, ts int64, empty bool) bool {
	if empty || !b.delay.known {
		return false
	}
	return seq > b.newest.seq && ts >= b.newest.ts && b.lag(now, ts) > maxShift
}

// accept tells whether seq is new and near enough to be counted, and makes
// room for its n bytes.
func (b *Buffer) accept(seq int64, n int) bool {
	if seq < b.next-slots || b.ring[index(seq)].seq >= seq {
		b.stats.Duplicate++ // or too old to tell
		return false
	}
	if b.fresh && seq < b.next && b.highest-seq < slots {
		b.next, b.first = seq, seq // overtaken by those that began the timeline
	}
	for seq-b.next >= slots || seq > b.next && !b.store.fits(n) {
		b.dropNext()
	}
	if seq == b.next && !b.store.fits(n) {
		b.stats.Oversized++
		return false
	}
	return true
}

// dropNext gives up the oldest place, for want of room.
func (b *Buffer) dropNext() {
	b.fresh = false
	if s := &b.ring[index(b.next)]; s.present {
		b.remove(s)
		b.stats.Late++
		b.spread.sum.Discarded++
	} else {
		b.stats.Lost++
	}
	b.spread.missed(1)
	b.next++
}

// remove frees what s holds.
func (b *Buffer) remove(s *slot) {
	b.store.drop(s.cell)
	s.present = false
	b.count--
}

// measure feeds one arrival to the delay and to the jitter estimate. A packet
// that recovers the lost one before it is that one's arrival, too: the delay
// has to be long enough for it to come in time. What comes later still need not.
func (b *Buffer) measure(now time.Time, seq, ts int64, redundant bool) {
	at := now.Sub(b.epoch)
	transit := at - b.duration(ts)
	if b.delay.known {
		d := b.ticks((transit - b.delay.last).Abs())
		b.jitter += uint32(d) - (b.jitter+8)>>4
	}
	length := b.duration(b.span)
	b.delay.arrive(at, transit)
	if after := &b.ring[index(seq+1)]; after.seq != seq+1 || !after.redundant {
		b.delay.count(0, length)
	}
	if redundant && seq > b.first && b.ring[index(seq-1)].seq != seq-1 {
		b.delay.count(length, length)
	}
	b.lastTS = ts
}

func index(seq int64) int { return int(seq & (slots - 1)) }
