package jitter

import (
	"math"
	"time"
)

const (
	// The quickest transit is sought among the last periods.
	periods = 8
	period  = 250 * time.Millisecond

	// The histogram counts frames by their lag. The wanted delay is the one that
	// costs the least, together with the frames that it is too short for: by the
	// E-model (ITU-T G.107) a per cent of Opus concealed is as bad as 50 ms more of
	// delay where a call has more than 170 ms of it from mouth to ear. Where it has
	// less, delay is hardly noticed: all of it costs about as much as 7 ms do above.
	// 100 ms of it are not the buffer's: frame, codec, sound cards and the network
	// at its quickest.
	percent   = 50 * time.Millisecond
	unnoticed = 70 * time.Millisecond
	cheaper   = 10
	// It forgets by intervals, within memory of them, some 30 s. At first all that
	// is known counts alike.
	interval = 500 * time.Millisecond
	memory   = 64
	// Before anything is known, it is as if in one interval one frame had been so
	// late. That has faded after a minute.
	expected = Frame

	bins      = 128
	bin       = 5 * time.Millisecond
	one       = 1 << 30 // all frames of an interval
	maxTarget = bins * bin
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

	interval int64         // number of the one that peak and fresh are of
	peak     time.Duration // longest lag in it
	previous time.Duration // and in the one before
	wanted   time.Duration
	seen     int32       // intervals in the histogram, up to memory
	fresh    [bins]int32 // frames in the interval, by their lag
	lags     [bins]int32 // histogram, forgetting
}

func (d *delay) init(least time.Duration) {
	d.least = least
	d.lags[(expected-1)/bin] = part(Frame)
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

// arrive takes an arrival: when it was, and how long it took.
func (d *delay) arrive(at, transit time.Duration) {
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
}

// count takes a frame of some length that is here now, more later than it would
// be if the last arrival had been its own.
func (d *delay) count(more, length time.Duration) {
	lag := d.last - d.lowest + more
	d.peak = max(d.peak, lag)
	n := &d.fresh[min(lag/bin, bins-1)]
	*n = min(*n+part(length), one)
}

// part is what a frame of a length is of the frames of an interval.
func part(length time.Duration) int32 { return int32(one * int64(length) / int64(interval)) }

// forget puts the interval's frames into the histogram, at the cost of what is
// there.
func (d *delay) forget() {
	d.seen = min(d.seen+1, memory)
	for i, fresh := range d.fresh {
		d.lags[i] += (fresh - d.lags[i]) / (d.seen + 1)
	}
	d.fresh = [bins]int32{}
	d.peak, d.previous = 0, d.peak
}

// decide derives the wanted delay.
func (d *delay) decide() {
	var late, least int64 = 0, math.MaxInt64
	for i := bins - 1; i >= 0; i-- {
		delay := time.Duration(i+1) * bin
		if cost := price(delay) + late*100*percent.Microseconds()/one; cost < least {
			d.wanted, least = delay, cost
		}
		late += int64(d.lags[i])
	}
	d.wanted = max(d.wanted, d.least)
}

// price is what a delay costs: as much as so many microseconds above unnoticed.
func price(delay time.Duration) int64 {
	return (min(delay, unnoticed)/cheaper + max(delay-unnoticed, 0)).Microseconds()
}
