package main

import (
	"math"
	"slices"
)

// The language is told as in Wright et al., "Language identification of
// encrypted VoIP traffic", USENIX Security 2007: by how often which lengths
// follow each other. Utterances are compared by chi-squared with all that is
// known of each language; what is known are utterances of other sentences, so
// that no sentence is recognised in place of its language.

// gram is how many lengths make one feature.
const gram = 3

// lengthBins is how many kinds of lengths are told apart.
const lengthBins = 8

type feature [gram]int

// profile is how often each feature occurs, as shares of 1.
type profile map[feature]float64

// guess is how many utterances had their language told, of all.
func guess(all []seen) (right int) {
	bins := binLengths(all)
	profiles := make([]profile, len(all))
	for i, s := range all {
		profiles[i] = newProfile(bins, s.sizes)
	}
	for i, s := range all {
		known := make([]profile, len(languages))
		for l := range languages {
			known[l] = mean(profiles, func(j int) bool { return all[j].language == l && all[j].sentence != s.sentence })
		}
		best, least := 0, math.Inf(1)
		for l, k := range known {
			if d := distance(profiles[i], k); d < least {
				best, least = l, d
			}
		}
		if best == s.language {
			right++
		}
	}
	return right
}

// binLengths sorts lengths into bins that hold as many packets each.
func binLengths(all []seen) map[int]int {
	var lengths []int
	for _, s := range all {
		lengths = append(lengths, s.sizes...)
	}
	slices.Sort(lengths)
	bins := map[int]int{}
	for i, length := range lengths {
		if _, ok := bins[length]; !ok {
			bins[length] = i * lengthBins / len(lengths)
		}
	}
	return bins
}

// newProfile counts first and divides then: where there is one feature, its
// share is 1 for all, and no rounding tells utterances apart.
func newProfile(bins map[int]int, sizes []int) profile {
	p, n := profile{}, len(sizes)-gram+1
	for i := range n {
		var f feature
		for j := range f {
			f[j] = bins[sizes[i+j]]
		}
		p[f]++
	}
	for f := range p {
		p[f] /= float64(n)
	}
	return p
}

// mean is the profile of all that belong.
func mean(profiles []profile, belongs func(i int) bool) profile {
	sum, n := profile{}, 0.0
	for i, p := range profiles {
		if belongs(i) {
			n++
			for f, share := range p {
				sum[f] += share
			}
		}
	}
	for f := range sum {
		sum[f] /= n
	}
	return sum
}

// distance is chi-squared of two profiles.
func distance(a, b profile) (sum float64) {
	for f, x := range a {
		y := b[f]
		sum += (x - y) * (x - y) / (x + y)
	}
	for f, y := range b {
		if _, ok := a[f]; !ok {
			sum += y
		}
	}
	return sum
}

// wilson is the interval that holds a share with a confidence of 95 %, when
// right of n were so.
func wilson(right, n int) (low, high float64) {
	const z = 1.96
	p, m := float64(right)/float64(n), float64(n)
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return middle - half, middle + half
}
