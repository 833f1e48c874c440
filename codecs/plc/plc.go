// Package plc conceals lost packets of codecs that know nothing of it: what was
// heard last goes on for a while and fades away.
package plc

// Times in units of 0.5 ms.
const (
	historyLen = 60
	windowLen  = 30 // over which periods are compared
	minPeriod  = 5  // 400 Hz
	maxPeriod  = historyLen - windowLen
	joinLen    = 8   // of overlap when good frames return
	holdLen    = 20  // at full level
	fadeLen    = 100 // to nothing
)

const (
	unitsPerSecond = 2000
	maxRate        = 16000
)

// Concealer keeps the last 30 ms that were played and continues them when
// packets are missing: it repeats the last pitch period, at full level for
// 10 ms and then fading to nothing over 50 ms.
type Concealer struct {
	unit    int // samples in 0.5 ms
	memory  [historyLen * maxRate / unitsPerSecond]int16
	history []int16 // the part of memory that the rate needs
	period  int     // of the voice before the gap, in samples
	missing int     // samples concealed since the last good one
	broken  bool    // the next good one does not follow the last one
}

// New makes a Concealer for PCM of rate Hz, 8000 or 16000.
func New(rate int) *Concealer {
	c := &Concealer{unit: rate / unitsPerSecond}
	c.history = c.memory[:historyLen*c.unit]
	return c
}

// Good takes a decoded frame, blends its start with the end of a concealment,
// and remembers it.
func (c *Concealer) Good(pcm []int16) {
	if c.missing > 0 || c.broken {
		n := min(joinLen*c.unit, len(pcm))
		for i := range n {
			pcm[i] = int16((int(pcm[i])*i + int(c.next())*(n-i)) / n)
		}
		c.missing, c.broken = 0, false
	}
	c.remember(pcm)
}

// Conceal continues the history into pcm.
func (c *Concealer) Conceal(pcm []int16) {
	if c.missing == 0 {
		c.period = c.pitch()
	}
	for i := range pcm {
		pcm[i] = c.next()
	}
}

// Break says that the next good frame does not follow the last one: that leads into
// it as if there had been a gap.
func (c *Concealer) Break() {
	if c.missing == 0 {
		c.period, c.broken = c.pitch(), true
	}
}

// next is one more sample of the repeated period. The history stays as it was
// before the gap, so that the repetition does not decay twice.
func (c *Concealer) next() int16 {
	s := int(c.history[len(c.history)-c.period+c.missing%c.period])
	hold, fade := holdLen*c.unit, fadeLen*c.unit
	left := min(hold+fade-c.missing, fade)
	c.missing++
	if left <= 0 {
		c.missing = hold + fade // stay there, whatever the gap's length
		return 0
	}
	return int16(s * left / fade)
}

func (c *Concealer) remember(pcm []int16) {
	if over := len(pcm) - len(c.history); over > 0 {
		pcm = pcm[over:]
	}
	copy(c.history, c.history[len(pcm):])
	copy(c.history[len(c.history)-len(pcm):], pcm)
}

// pitch finds the lag at which the last 15 ms look most like what came before
// them, by normalised correlation. 8000 samples a second are enough for that,
// whatever the rate.
func (c *Concealer) pitch() int {
	longest := maxPeriod * c.unit
	best, bestScore := longest, 0.0
	before := len(c.history) - windowLen*c.unit
	last := c.history[before:]
	for lag := minPeriod * c.unit; lag <= longest; lag++ {
		var cross, energy int64
		then := c.history[before-lag:][:len(last)]
		for i := 0; i < len(last); i += c.unit / 4 {
			cross += int64(then[i]) * int64(last[i])
			energy += int64(then[i]) * int64(then[i])
		}
		if cross <= 0 {
			continue
		}
		if score := float64(cross) * float64(cross) / float64(energy+1); score > bestScore {
			best, bestScore = lag, score
		}
	}
	return best
}
