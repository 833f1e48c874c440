package main

import (
	"math"
	"slices"
)

// median is the middle one of v, or the mean of the two in the middle; v is
// not empty.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// medianOf is the median time; allocations are the fewest, for the runtime
// makes one of its own now and then, which is not the packets' fault.
func medianOf(samples []sample) (ns, allocs float64) {
	var times []float64
	allocs = math.Inf(1)
	for _, s := range samples {
		times = append(times, s.NS)
		allocs = min(allocs, s.Allocs)
	}
	return median(times), allocs
}

// rounded has times to the tenth of a nanosecond and ratios and allocations to
// the hundredth, which is more than can be measured.
func (r row) rounded() row {
	r.OursNS = round(r.OursNS, 10)
	r.Allocs = round(r.Allocs, 100)
	for _, f := range []**float64{&r.PionNS, &r.LibsrtpNS, &r.LimitNS} {
		*f = roundAt(*f, 10)
	}
	r.RatioPion = roundAt(r.RatioPion, 100)
	return r
}

func round(x, parts float64) float64 { return math.Round(x*parts) / parts }

func roundAt(x *float64, parts float64) *float64 {
	if x == nil {
		return nil
	}
	r := round(*x, parts)
	return &r
}
