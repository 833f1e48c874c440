package main

import (
	"cmp"
	"math"
	"slices"
)

// median is the middle one of v, or the mean of the two in the middle; v is
// not empty.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// roundsOf are the rounds' times, of which each is that of its fastest turn.
func roundsOf(samples []sample) (ns []float64) {
	for round := range slices.Chunk(samples, turns) {
		ns = append(ns, slices.MinFunc(round, func(a, b sample) int { return cmp.Compare(a.NS, b.NS) }).NS)
	}
	return ns
}

// medianOf is the median of the rounds' times; allocations are the fewest, for the
// runtime makes one of its own now and then, which is not the packets' fault.
func medianOf(samples []sample) (ns, allocs float64) {
	allocs = slices.MinFunc(samples, func(a, b sample) int { return cmp.Compare(a.Allocs, b.Allocs) }).Allocs
	return median(roundsOf(samples)), allocs
}

// ratioOf is the median of what theirs took by what ours took in the same round, a
// second or less apart. A processor whose other half is at work for somebody else is
// slower by half for seconds: a time of then and one of another moment have no ratio.
func ratioOf(theirs, ours []sample) float64 {
	ratios, by := roundsOf(theirs), roundsOf(ours)
	for i := range ratios {
		ratios[i] /= by[i]
	}
	return median(ratios)
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
