package main

import (
	"math"
	"math/rand/v2"
	"slices"
)

// levels is how many bins energies, and whatever else is a measure, are sorted
// into, as many values in each.
const levels = 8

// quantiles sorts values into bins that hold as many each. Equal values share
// one bin.
func quantiles(values []float64) []int {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	var borders []float64
	for i := 1; i < levels; i++ {
		borders = append(borders, sorted[len(sorted)*i/levels])
	}
	bins := make([]int, len(values))
	for i, v := range values {
		for _, b := range borders {
			if v >= b {
				bins[i]++
			}
		}
	}
	return bins
}

// information is the mutual information of two sequences in bits, by their
// counts. Of sequences that have nothing to do with each other it is above 0
// too: the fewer values, the more. That is what a control is for.
func information(x, y []int) float64 {
	n := float64(len(x))
	px, py, pxy := map[int]float64{}, map[int]float64{}, map[[2]int]float64{}
	for i := range x {
		px[x[i]]++
		py[y[i]]++
		pxy[[2]int{x[i], y[i]}]++
	}
	var bits float64
	for at, count := range pxy {
		bits += count / n * math.Log2(count*n/(px[at[0]]*py[at[1]]))
	}
	return max(bits, 0)
}

// shuffles is how many controls there are. That the greatest is exceeded by
// chance happens once in shuffles+1 times.
const shuffles = 199

// control is the greatest mutual information of x with y when y is turned
// against it by at least least places: so what follows on what stays, and what
// belongs together does not.
func control(x, y []int, least int) (greatest float64) {
	r := rand.New(rand.NewPCG(1, 2))
	for range shuffles {
		by := least + r.IntN(len(y)-2*least)
		greatest = max(greatest, information(x, append(slices.Clone(y[by:]), y[:by]...)))
	}
	return greatest
}

// percentile is the value that a share of values lie below.
func percentile(values []float64, share float64) float64 {
	sorted := slices.Clone(values)
	slices.Sort(sorted)
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}
