package jitter

import "time"

// Pop tells what to play at now; the playout calls it once a [Frame], more
// often when packets are shorter and less often when they are longer. With
// Play, FEC and Skip dst[:n] is a payload; dst needs [MaxPayload] bytes.
func (b *Buffer) Pop(now time.Time, dst []byte) (n int, a Action) {
	b.pops++
	for {
		head := b.head()
		if !b.playing && !b.start(now, head) {
			return 0, Wait
		}
		if head == nil {
			return 0, b.conceal()
		}
		if head.n == 0 {
			b.take(head)
			continue
		}
		switch gap := b.gap(head); {
		case gap > b.elapsed && b.tooLong(now, b.nextTS+b.elapsed, b.frame):
			b.leaveOut(now, gap-b.elapsed)
		case gap > b.elapsed && gap-b.elapsed <= b.frame && head.seq > b.next:
			b.elapsed += b.frame
			b.stats.Recovered++
			return b.payload(head, dst), FEC
		case gap > b.elapsed:
			return 0, b.conceal()
		case gap < b.elapsed && b.tooLong(now, head.ts, b.span):
			b.pass(head, b.elapsed-gap-b.span) // its time was concealed
			b.stats.Late++
		case b.maySkip(now, head):
			b.pops = 0
			b.stats.Skipped++
			b.pass(head, 0)
			return b.payload(head, dst), Skip
		default:
			b.stats.Delay = b.lag(now, head.ts)
			b.stats.Played++
			b.pass(head, 0)
			return b.payload(head, dst), Play
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

// start begins to play once the first packet has aged to the wanted delay.
func (b *Buffer) start(now time.Time, head *slot) bool {
	if head == nil || b.lag(now, head.ts) < b.delay.target() {
		return false
	}
	b.playing, b.fresh = true, false
	b.nextTS, b.elapsed = head.ts, 0
	return true
}

// conceal answers for a frame that is missing; in the end the stream has
// paused.
func (b *Buffer) conceal() Action {
	b.elapsed += b.frame
	if b.elapsed > b.ticks(pauseAfter) {
		b.playing = false
		return Wait
	}
	b.stats.Concealed++
	return Conceal
}

// gap is the time from what is expected next to head. Packets that follow each
// other closely have none, whatever their length is.
func (b *Buffer) gap(head *slot) int64 {
	gap := head.ts - b.nextTS
	if gap < 0 || head.seq == b.next && gap+b.span <= b.ticks(maxPacket) {
		return 0
	}
	return gap
}

// tooLong tells whether the delay, if ts is played now, stays long enough
// without step ticks of it.
func (b *Buffer) tooLong(now time.Time, ts, step int64) bool {
	return b.lag(now, ts)-b.duration(step) >= b.delay.target()+margin
}

// leaveOut shortens the delay by up to missing ticks that nothing came for.
func (b *Buffer) leaveOut(now time.Time, missing int64) {
	excess := b.ticks(b.lag(now, b.nextTS+b.elapsed) - b.delay.target() - margin)
	frames := max(1, min(missing, excess)/b.frame)
	b.elapsed += frames * b.frame
	b.stats.Skipped += uint64(frames)
}

func (b *Buffer) maySkip(now time.Time, head *slot) bool {
	if b.count < 2 || !b.tooLong(now, head.ts, b.span) {
		return false
	}
	return b.pops > skipEvery || b.lag(now, head.ts) > b.delay.target()+rush
}

// pass moves past head, of whose successor elapsed ticks are concealed.
func (b *Buffer) pass(head *slot, elapsed int64) {
	if step := head.ts - b.nextTS + b.span; head.seq == b.next && step > 0 && step <= b.ticks(maxPacket) {
		b.span = step
	}
	b.nextTS = head.ts + b.span
	b.elapsed = max(elapsed, 0)
	b.take(head)
}

// take removes head. Whatever is missing before it counts as lost.
func (b *Buffer) take(head *slot) {
	b.stats.Lost += uint64(head.seq - b.next)
	b.next = head.seq + 1
	head.present = false
	b.count--
}

func (b *Buffer) payload(s *slot, dst []byte) int {
	return copy(dst, b.bytes[index(s.seq)][:s.n])
}
