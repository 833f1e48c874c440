package jitter

import (
	"math"
	"time"
)

const (
	// The quickest transit is sought among the last periods.
	periods = 8
	period  = 250 * time.Millisecond

	bins   = 64
	bin    = 10 * time.Millisecond
	weight = 7       // one arrival counts 1/2^weight: a memory of some 2.5 s
	one    = 1 << 30 // all of the histogram
	// late is the share of arrivals that the delay need not wait for, 5 %.
	late = one / 20

	maxTarget = (bins-1)*bin + Frame
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
	lags    [bins]int32 // histogram of how late arrivals were, forgetting
}

// init assumes a network without jitter until arrivals tell otherwise.
func (d *delay) init(least time.Duration) {
	d.least = least
	d.lags[0] = one
}

// base is the transit of the quickest recent arrival. All transits contain
// the same unknown difference of the two clocks.
func (d *delay) base() time.Duration { return d.lowest }

// forgetBase starts a new timeline on the same network.
func (d *delay) forgetBase() { d.known, d.lowest = false, 0 }

// add takes an arrival: when it was and how long it took.
func (d *delay) add(at, transit time.Duration) {
	now := int64(at / period)
	if !d.known {
		d.known, d.current = true, now
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

	for i := range d.lags {
		d.lags[i] -= d.lags[i] >> weight
	}
	d.lags[min((transit-d.lowest)/bin, bins-1)] += one >> weight
}

// target is the wanted delay: all but the latest arrivals, and one frame.
func (d *delay) target() time.Duration {
	i := bins - 1
	for sum := d.lags[i]; i > 0 && sum < late; sum += d.lags[i] {
		i--
	}
	return max(time.Duration(i)*bin+Frame, d.least)
}
