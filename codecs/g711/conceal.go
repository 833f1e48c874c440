package g711

const (
	historyLen = 240 // 30 ms
	windowLen  = 120 // 15 ms over which periods are compared
	minPeriod  = 20  // 400 Hz
	maxPeriod  = historyLen - windowLen
	joinLen    = 32 // 4 ms of overlap when good frames return
	holdLen    = 80 // 10 ms at full level
	fadeLen    = 400
)

// concealer keeps the last 30 ms that were played and continues them when
// packets are missing: it repeats the last pitch period, at full level for
// 10 ms and then fading to nothing over 50 ms.
type concealer struct {
	history [historyLen]int16
	period  int // of the voice before the gap, in samples
	missing int // samples concealed since the last good one
}

// good takes a decoded frame, blends its start with the end of a concealment,
// and remembers it.
func (c *concealer) good(pcm []int16) {
	if c.missing > 0 {
		for i := range min(joinLen, len(pcm)) {
			w := int32(i)
			pcm[i] = int16((int32(pcm[i])*w + int32(c.next())*(joinLen-w)) / joinLen)
		}
		c.missing = 0
	}
	c.remember(pcm)
}

// conceal continues the history into pcm.
func (c *concealer) conceal(pcm []int16) {
	if c.missing == 0 {
		c.period = pitch(&c.history)
	}
	for i := range pcm {
		pcm[i] = c.next()
	}
}

// next is one more sample of the repeated period. The history stays as it was
// before the gap, so that the repetition does not decay twice.
func (c *concealer) next() int16 {
	s := int32(c.history[historyLen-c.period+c.missing%c.period])
	left := min(holdLen+fadeLen-c.missing, fadeLen)
	c.missing++
	if left <= 0 {
		c.missing = holdLen + fadeLen // stay there, whatever the gap's length
		return 0
	}
	return int16(s * int32(left) / fadeLen)
}

func (c *concealer) remember(pcm []int16) {
	if len(pcm) >= historyLen {
		copy(c.history[:], pcm[len(pcm)-historyLen:])
		return
	}
	copy(c.history[:], c.history[len(pcm):])
	copy(c.history[historyLen-len(pcm):], pcm)
}

// pitch finds the lag at which the last 15 ms look most like what came before
// them, by normalised correlation.
func pitch(h *[historyLen]int16) int {
	best, bestScore := maxPeriod, 0.0
	last := h[historyLen-windowLen:]
	for lag := minPeriod; lag <= maxPeriod; lag++ {
		var cross, energy float64
		for i, s := range h[historyLen-windowLen-lag : historyLen-lag] {
			cross += float64(s) * float64(last[i])
			energy += float64(s) * float64(s)
		}
		if cross <= 0 {
			continue
		}
		if score := cross * cross / (energy + 1); score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}
