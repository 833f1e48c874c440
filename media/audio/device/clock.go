package device

const (
	// window is how many frames are looked at before the rate changes: 1 s.
	window = 50
	// A millisecond too much or too little is worked off at 80 ppm of the card's
	// clock at once, and at 1.6 ppm more each second that it lasts: a loop that
	// comes to rest in half a minute without swinging. Until it knows the card's
	// clock, one that is off by 300 ppm takes 3 ms of the reserve.
	proportional, integral = 80e-6 / 48, 1.6e-6 / 48
	// most is how far the rate is changed: nobody hears 1000 ppm.
	most = 1000e-6
	// calm is after how many windows without a dry ring the reserve is
	// lessened: a minute.
	calm = 60
)

// clock keeps the reserve of a ring where it should be, by the rate at which
// the engine's side takes or brings samples. That side owns it.
type clock struct {
	outlet *outlet

	off    float64 // how far the card's clock is off, as far as it is known
	rate   float64 // of change, around 0
	frames int     // of this window
	least  int     // level in this window
	dry    uint64
	quiet  int // windows since the ring was dry
}

func newClock(o *outlet) clock {
	o.reserve.Store(leastReserve)
	return clock{outlet: o, least: ringSize}
}

// step takes the level of the ring at its lowest around a frame, and returns
// how many samples of the ring's producer are one of its consumer.
func (c *clock) step(level int) float64 {
	c.least = min(c.least, level)
	if c.frames++; c.frames < window {
		return 1 + c.rate
	}
	reserve := int(c.outlet.reserve.Load())
	if dry := c.outlet.dry.Load(); dry != c.dry {
		c.dry, c.quiet = dry, 0
		reserve = min(reserve+fade, mostReserve)
	} else if c.quiet++; c.quiet == calm {
		c.quiet = 0
		reserve = max(reserve-fade, leastReserve)
	}
	c.outlet.reserve.Store(int64(reserve))
	excess := float64(c.least - reserve)
	c.off = limited(c.off + integral*excess)
	c.rate = limited(c.off + proportional*excess)
	c.frames, c.least = 0, ringSize
	return 1 + c.rate
}

// limited keeps a rate where nobody hears it.
func limited(rate float64) float64 { return min(max(rate, -most), most) }
