package jitter

import "time"

// Pop tells what to play next: the playout calls it at now, when its frame is
// due, until the frame is full or there is a [Step] of it and the rest is for
// [Later]. ahead is what the playout has already and will play first. When the
// action has a packet, dst[:n] is its payload; dst needs [MaxPayload] bytes.
func (b *Buffer) Pop(now time.Time, ahead time.Duration, dst []byte) (n int, a Action) {
	for {
		head := b.head()
		if head != nil && head.n == 0 { // nothing begins with it
			if b.early(head) {
				head = nil
			} else {
				b.fresh, b.quiet = false, b.quiet || head.quiet
				b.take(head)
				b.spread.played()
				continue
			}
		}
		if !b.playing && !b.start(now, ahead, head) {
			return 0, b.wait(ahead)
		}
		if head == nil {
			return 0, b.starve(ahead)
		}
		gap := b.gap(head)
		missing := gap - b.elapsed
		place := b.place(now, ahead, head.ts-max(missing, 0))
		switch {
		case missing > 0 && b.leftOut(now, place, missing):
		case missing > 0 && head.seq == b.next: // nothing is lost: a pause
			return 0, b.makeUp(Noise, missing)
		case missing > 0 && ahead >= Step:
			return 0, Action{Kind: Later}
		case gap >= b.span && missing <= b.span && head.seq > b.next && head.redundant && b.duration(b.span) >= MinLength:
			b.stats.Recovered++
			b.giveUp(head, 1)
			b.nextTS, b.elapsed = head.ts, 0
			return b.payload(head, dst), Action{FEC, b.duration(b.span)}
		case missing > 0:
			return 0, b.makeUp(Conceal, missing)
		case place.excess() > maxExcess:
			b.stats.Late++
			b.pass(head)
			b.spread.missed(1)
			b.spread.sum.Discarded++
		case b.quiet && b.elapsed > 0 && place.spare < -tooLittle:
			return 0, b.makeUp(Noise, b.ticks(Step)) // the pause is where to gain delay
		default:
			b.stats.Delay = place.delay
			b.stats.Played++
			n = b.payload(head, dst)
			b.pass(head)
			b.spread.played()
			return n, b.adapt(now, place)
		}
	}
}

// head is the first packet present, or nil.
func (b *Buffer) head() *slot {
	if b.count == 0 {
		return nil
	}
	for seq := b.next; ; seq++ {
		if s := &b.ring[index(seq)]; s.present {
			return s
		}
	}
}

// early tells whether those before head, which has no payload, may still come: what is
// missing has not been made up yet. How long that is, their numbers tell, and what is
// there behind them.
func (b *Buffer) early(head *slot) bool {
	missing := (head.seq - b.next) * b.span
	if b.elapsed >= missing || b.count == 1 {
		return b.elapsed < missing
	}
	for seq, left := head.seq+1, b.count-1; left > 0; seq++ {
		s := &b.ring[index(seq)]
		if s.present && s.n > 0 {
			missing = min(missing, s.ts-b.nextTS-(seq-head.seq)*b.span)
			break
		}
		if s.present {
			left--
		}
	}
	return b.playing && b.elapsed < missing
}

// start begins to play once the first packet has aged to the wanted delay.
func (b *Buffer) start(now time.Time, ahead time.Duration, head *slot) bool {
	if head == nil {
		return false
	}
	if second := &b.ring[index(head.seq+1)]; second.present && second.seq == head.seq+1 && second.n > 0 && !head.quiet {
		b.step(second.ts - head.ts)
	}
	if b.place(now, ahead, head.ts).spare < 0 {
		return false
	}
	b.playing, b.fresh = true, false
	b.nextTS, b.elapsed = head.ts, 0
	b.long, b.cutting = time.Time{}, false
	return true
}

// step learns how long packets are from two that follow each other.
func (b *Buffer) step(ticks int64) {
	if ticks > 0 && ticks <= b.ticks(maxPacket) && ticks != b.span {
		b.setSpan(ticks)
	}
}

func (b *Buffer) setSpan(ticks int64) {
	b.span = ticks
	x, y := ticks, b.ticks(Step)
	for y > 0 {
		x, y = y, x%y
	}
	b.grain = max(b.duration(x), 1)
}

// wait answers as long as nothing is played: nothing will be within the frame
// if nothing is here.
func (b *Buffer) wait(ahead time.Duration) Action {
	switch {
	case b.count == 0:
		return Action{Wait, Frame - ahead}
	case ahead >= Step:
		return Action{Kind: Later}
	}
	return Action{Wait, Step - ahead}
}

// starve answers when nothing is here; in the end the stream has paused.
func (b *Buffer) starve(ahead time.Duration) Action {
	rest := b.span - b.elapsed%b.span
	switch {
	case b.quiet:
		return b.makeUp(Noise, rest)
	case b.elapsed >= b.ticks(pauseAfter):
		b.playing = false
		return b.wait(ahead)
	case ahead >= Step:
		return Action{Kind: Later}
	}
	return b.makeUp(Conceal, rest)
}

// makeUp answers for up to a unit of the missing ticks, and of what is missing
// unawares up to a Step: by then it may have come.
func (b *Buffer) makeUp(k Kind, missing int64) Action {
	most := b.unit()
	if k == Conceal {
		most = min(most, Step)
	}
	length := (min(b.duration(missing), most) + MinLength - 1) / MinLength * MinLength
	b.elapsed += b.ticks(length)
	if k == Conceal {
		b.conceal(length)
	}
	return Action{k, length}
}

// conceal counts in packets what is made up.
func (b *Buffer) conceal(length time.Duration) {
	for b.counted < length {
		b.counted += b.unit()
		b.stats.Concealed++
	}
	b.counted -= length
}

// unit is what is made up at a time: a packet, but no more than a Frame.
func (b *Buffer) unit() time.Duration {
	return min(max(b.duration(b.span), MinLength), Frame)
}

// gap is the time from what is expected next to head. Packets that follow each
// other closely have none, whatever their length is.
func (b *Buffer) gap(head *slot) int64 {
	gap := head.ts - b.nextTS
	if gap < 0 || head.seq == b.next && !b.quiet && gap+b.span <= b.ticks(maxPacket) {
		return 0
	}
	return gap
}

// leftOut shortens the delay by what nothing came for, if it is too long. Of
// what is lost the last packet is made up all the same: it leads into the next.
func (b *Buffer) leftOut(now time.Time, p place, missing int64) bool {
	unit := b.ticks(b.unit())
	n := min(missing-b.span, b.ticks(p.excess())) / unit
	if !b.tooLong(now, p) || n <= 0 {
		return false
	}
	b.elapsed += n * unit
	b.stats.Skipped += uint64(n)
	return true
}

// pass moves past head.
func (b *Buffer) pass(head *slot) {
	if head.seq == b.next && !b.quiet {
		b.step(head.ts - b.nextTS + b.span)
	}
	b.nextTS, b.elapsed, b.quiet = head.ts+b.span, 0, head.quiet
	b.take(head)
}

// take removes head, and gives up what is missing before it.
func (b *Buffer) take(head *slot) {
	b.giveUp(head, 0)
	b.next++
	b.remove(head)
}

// giveUp what is missing before head: it counts as lost. The last of it may
// have been recovered.
func (b *Buffer) giveUp(head *slot, recovered int64) {
	missing := head.seq - b.next
	b.stats.Lost += uint64(missing)
	b.spread.missed(missing - recovered)
	if recovered > 0 {
		b.spread.played()
	}
	b.next = head.seq
}

func (b *Buffer) payload(s *slot, dst []byte) int {
	b.store.get(dst, s.cell, s.n)
	return s.n
}

// place is where a packet would be played, against where it is wanted. The
// playout makes a step at a time, so a packet has to be here when its step is
// due, some time before it is heard; and the delay can be had only to a grain,
// the divisor of packets and steps.
type place struct {
	grain time.Duration
	delay time.Duration // until it is heard
	over  time.Duration // by which delay is longer than grains make it
	spare time.Duration // what the packets that wait the least have over the target
	slack time.Duration // and over the floor
}

func (b *Buffer) place(now time.Time, ahead time.Duration, ts int64) place {
	p := place{grain: b.grain, delay: b.lag(now, ts) + ahead}
	p.over = ahead % b.grain
	due := p.delay - (Step - b.grain) - p.over
	p.spare, p.slack = due-b.delay.target(), due-b.delay.floor()
	return p
}

// excess is how much shorter the delay could be.
func (p place) excess() time.Duration {
	if p.slack < 0 {
		return 0
	}
	return p.over + p.slack/p.grain*p.grain
}

// tooLong tells whether the delay is to be shortened.
func (b *Buffer) tooLong(now time.Time, p place) bool {
	switch {
	case p.slack+p.over < p.grain+tooMuch:
		b.long = time.Time{}
	case b.long.IsZero():
		b.long = now
	}
	return !b.long.IsZero() && now.Sub(b.long) >= steadily
}

// adapt tells how to play a packet at p. A cut that has begun is brought to its
// end, or the delay would stay between two grains.
func (b *Buffer) adapt(now time.Time, p place) Action {
	excess := p.excess()
	b.cutting = b.tooLong(now, p) || b.cutting && excess >= MinLength
	switch {
	case b.cutting:
		return Action{Accelerate, excess}
	case p.spare < -tooLittle:
		short := (p.grain - 1 - p.spare) / p.grain * p.grain
		return Action{Expand, short - p.over + overshoot}
	}
	return Action{Kind: Play}
}
