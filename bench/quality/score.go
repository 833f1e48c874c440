package main

import (
	"math"
	"math/cmplx"

	"sotto/media/audio"
)

const (
	// Spectra are those of 32 ms at 16 kHz, every 5 ms.
	decimation = 3
	points     = 512
	hop        = audio.SampleRate / decimation / 200
	bands      = 20
	// Powers more than this below the loudest count as that: silence.
	depth = 50 // dB
	// reach is how far the output may be behind, in hops.
	reach = 160
	// broken is how far a hop has to be away to count as damaged, in dB: other speech
	// is, on average, about as far.
	broken = 6.0
	// crooked is what a step costs that repeats or leaves out a hop, in dB.
	crooked = 0.5
)

// features are the levels in dB, above silence, of 20 bands of equal width in
// mel from 100 Hz to 7 kHz, hop after hop.
type features [][bands]float32

func newFeatures(pcm []int16) features {
	x := make([]float64, len(pcm)/decimation)
	for i := range x {
		for k := range decimation {
			x[i] += float64(pcm[i*decimation+k])
		}
	}
	edges := melEdges()
	var f features
	spectrum := make([]complex128, points)
	loudest := float32(math.Inf(-1))
	for at := 0; at+points <= len(x); at += hop {
		for i := range spectrum {
			window := 0.5 - 0.5*math.Cos(2*math.Pi*float64(i)/points)
			spectrum[i] = complex(window*x[at+i], 0)
		}
		transform(spectrum)
		var levels [bands]float32
		for b := range levels {
			power := 1.0
			for k := edges[b]; k < edges[b+1]; k++ {
				power += real(spectrum[k])*real(spectrum[k]) + imag(spectrum[k])*imag(spectrum[k])
			}
			levels[b] = float32(10 * math.Log10(power/float64(edges[b+1]-edges[b])))
			loudest = max(loudest, levels[b])
		}
		f = append(f, levels)
	}
	for i := range f {
		for b := range f[i] {
			f[i][b] = max(f[i][b]-loudest+depth, 0)
		}
	}
	return f
}

// melEdges are the first points of each band, and the end of the last.
func melEdges() (edges [bands + 1]int) {
	mel := func(hz float64) float64 { return 1127 * math.Log1p(hz/700) }
	low, high := mel(100), mel(7000)
	for i := range edges {
		hz := 700 * math.Expm1((low+(high-low)*float64(i)/bands)/1127)
		edges[i] = int(hz * points * decimation / audio.SampleRate)
		if i > 0 {
			edges[i] = max(edges[i], edges[i-1]+1)
		}
	}
	return edges
}

// transform is the Fourier transform in place, by halves.
func transform(x []complex128) {
	for i, j := 1, 0; i < len(x); i++ {
		bit := len(x) >> 1
		for ; j&bit != 0; bit >>= 1 {
			j ^= bit
		}
		if j ^= bit; i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for n := 2; n <= len(x); n *= 2 {
		turn := cmplx.Rect(1, -2*math.Pi/float64(n))
		for at := 0; at < len(x); at += n {
			w := complex(1, 0)
			for k := range n / 2 {
				a, b := x[at+k], x[at+k+n/2]*w
				x[at+k], x[at+k+n/2] = a+b, a-b
				w *= turn
			}
		}
	}
}

// distance is how far got is from ref, in dB: the root mean square over the
// bands, mean over the hops of ref that are not silent, along the alignment in
// time at which it is least. damaged is the share of them that is farther away than
// broken. got may be up to 800 ms behind.
func distance(ref, got features) (db, damaged float64) {
	// cost[d] is that of the best way to hop i of got and i-d of ref. A way goes
	// on in both, in got alone (what was made up), or in ref alone (left out).
	type way struct {
		cost, heard, hops, broken float64
	}
	inf := way{cost: math.Inf(1)}
	now, before := make([]way, reach), make([]way, reach)
	best := inf // of the ways to the end of either
	for i := range got {
		now, before = before, now
		for d := range now {
			now[d] = inf
		}
		for d := reach - 1; d >= 0; d-- { // from what is oldest in ref
			k := i - d
			if k < 0 || k >= len(ref) {
				continue
			}
			here := inf
			if i == 0 || k == 0 {
				here = way{}
			}
			if i > 0 && before[d].cost < here.cost {
				here = before[d]
			}
			if d > 0 && i > 0 && before[d-1].cost+crooked < here.cost {
				here = before[d-1]
				here.cost += crooked
			}
			if d+1 < reach && now[d+1].cost+crooked < here.cost {
				here = now[d+1]
				here.cost += crooked
			}
			if math.IsInf(here.cost, 1) {
				continue
			}
			if away, heard := apart(&ref[k], &got[i]); heard {
				here.cost += away
				here.heard += away
				here.hops++
				if away > broken {
					here.broken++
				}
			}
			now[d] = here
			if (i == len(got)-1 || k == len(ref)-1) && here.cost < best.cost {
				best = here
			}
		}
	}
	return best.heard / max(best.hops, 1), best.broken / max(best.hops, 1)
}

// apart is the distance of two hops, and whether there is anything to hear.
func apart(ref, got *[bands]float32) (db float64, heard bool) {
	var sum, all float32
	for b := range ref {
		d := ref[b] - got[b]
		sum += d * d
		all += ref[b] + got[b]
	}
	return math.Sqrt(float64(sum) / bands), all > 0
}
