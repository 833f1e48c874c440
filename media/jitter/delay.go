package jitter

import (
	"math"
	"time"
)

const (
	// The quickest transit is sought among the last periods.
	periods = 8
	period  = 250 * time.Millisecond

	// The histogram counts peaks: the longest lag of each interval. Its
	// quantile of 0.95 is the wanted delay, as it is NetEq's. A lag that is
	// exceeded in an interval of twenty costs, on average, as much as the delay
	// that avoids it: by the E-model (ITU-T G.107) a per cent of concealed
	// speech is as bad as some 100 ms.
	interval = 500 * time.Millisecond
	exceeded = one / 20
	// memory in intervals, some 30 s. At first all that is known counts alike.
	memory = 64
	// A peak that stays alone is no reason to be slow from then on.
	alone = one / 2 * 3

	bins      = 128
	bin       = 5 * time.Millisecond
	one       = 1 << 30 // all of the histogram
	maxTarget = bins * bin
	// begin is wanted until early intervals are known.
	begin = 20 * time.Millisecond
	early = 4
)

// delay measures arrivals and derives the wanted delay from them. Whole
// numbers only: it is the same on every machine.
type delay struct {
	least   time.Duration // lower bound of the wanted delay
	known   bool          // something has arrived
	last    time.Duration // transit of the last arrival
	lowest  time.Duration // quickest transit of the last 2 s
	current int64         // number of the newest period
	minima  [periods]time.Duration

	interval int64         // number of the one that peak is of
	peak     time.Duration // longest lag in it
	previous time.Duration // and in the one before
	seen     int32         // intervals in the histogram, up to memory
	peaks    [bins]int32   // histogram, forgetting
	wanted   time.Duration
}

func (d *delay) init(least time.Duration) {
	d.least = least
	d.peaks[0] = one
	d.decide()
}

// base is the transit of the quickest recent arrival. All transits contain
// the same unknown difference of the two clocks.
func (d *delay) base() time.Duration { return d.lowest }

// target is the wanted delay.
func (d *delay) target() time.Duration { return d.wanted }

// floor is what the delay is not brought down below: the wanted one, nor that
// of a peak that was just now, because peaks seldom come alone.
func (d *delay) floor() time.Duration { return max(d.wanted, d.peak, d.previous) }

// forgetBase starts a new timeline on the same network.
func (d *delay) forgetBase() { d.known, d.lowest, d.peak, d.previous = false, 0, 0, 0 }

// add takes an arrival: when it was, how long it took, and how much longer
// than that the frame took that it brings besides its own, if it does.
func (d *delay) add(at, transit, more time.Duration) {
	now := int64(at / period)
	if !d.known {
		d.known, d.current, d.interval = true, now, int64(at/interval)
		for i := range d.minima {
			d.minima[i] = transit
		}
	}
	for i := range min(now-d.current, periods) {
		d.minima[(now-i)%periods] = math.MaxInt64
	}
	d.current = max(d.current, now)
	m := &d.minima[d.current%periods]
	*m = min(*m, transit)
	d.last, d.lowest = transit, math.MaxInt64
	for _, m := range d.minima {
		d.lowest = min(d.lowest, m)
	}
	if n := int64(at / interval); n != d.interval {
		d.interval = n
		d.forget()
		d.decide()
	}
	d.peak = max(d.peak, transit-d.lowest+more)
}

// forget puts the interval's peak into the histogram, at the cost of what is
// there.
func (d *delay) forget() {
	d.seen = min(d.seen+1, memory)
	for i := range d.peaks {
		d.peaks[i] -= d.peaks[i] / (d.seen + 1)
	}
	d.peaks[min(d.peak/bin, bins-1)] += one / (d.seen + 1)
	d.peak, d.previous = 0, d.peak
}

// decide derives the wanted delay.
func (d *delay) decide() {
	i, share := bins-1, max(exceeded, alone/(d.seen+1))
	for sum := d.peaks[i]; i > 0 && sum < share; sum += d.peaks[i] {
		i--
	}
	d.wanted = max(time.Duration(i+1)*bin, d.least)
	if d.seen < early {
		d.wanted = max(d.wanted, begin)
	}
}
