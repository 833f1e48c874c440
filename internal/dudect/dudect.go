// Package dudect looks for secrets in the time that a function takes, by the
// method of "Dude, is my code constant time?" (Reparaz, Balasch and
// Verbauwhede, ePrint 2016/1123): two classes of inputs take turns at random,
// and Welch's t says how sure it is that their mean times differ.
//
// It shows leaks, and never that there is none.
package dudect

import (
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"time"
)

// Limit is the |t| from which on times are taken to differ.
const Limit = 4.5

// runs is how many times a figure is taken; the median counts, so that a
// neighbour on the processor who disturbs one class for a while does no harm.
const runs = 7

// Case is a function whose time must not depend on the class of its input.
type Case struct {
	Name    string
	Samples int             // measurements a run
	Repeat  int             // calls a measurement, so that it lasts a microsecond or more
	Prepare func(class int) // makes the input of class 0 or 1, at the same place
	Run     func()
}

// Constant fails the test if the time of c depends on the class.
func Constant(t *testing.T, c Case) {
	t.Helper()
	figure := c.t()
	t.Logf("%-32s |t| = %.2f", c.Name, figure)
	if figure >= Limit {
		t.Errorf("%s: the time tells the classes apart, |t| = %.1f", c.Name, figure)
	}
}

// Leaks fails the test if the time of c, which is known to depend on the class,
// does not show it: then nothing would.
func Leaks(t *testing.T, c Case) {
	t.Helper()
	figure := c.t()
	t.Logf("%-32s |t| = %.2f, and leaks", c.Name, figure)
	if figure < Limit {
		t.Errorf("%s leaks, but |t| = %.1f: this machine is too noisy to tell", c.Name, figure)
	}
}

// t is the median |t| of several runs.
func (c Case) t() float64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	c.measure(c.Samples / 10) // warms up
	figures := make([]float64, runs)
	for i := range figures {
		runtime.GC()
		figures[i] = strongest(c.measure(c.Samples))
	}
	slices.Sort(figures)
	return figures[runs/2]
}

// sample is one measurement.
type sample struct {
	class int
	took  float64 // nanoseconds
}

func (c Case) measure(n int) []sample {
	samples := make([]sample, n)
	for i := range samples {
		class := rand.IntN(2)
		c.Prepare(class)
		start := time.Now()
		for range c.Repeat {
			c.Run()
		}
		samples[i] = sample{class, float64(time.Since(start))}
	}
	return samples
}

// strongest is the largest |t| over several croppings: what took longer than a
// percentile was disturbed, and hides a difference that shows without it.
func strongest(samples []sample) float64 {
	times := make([]float64, len(samples))
	for i, s := range samples {
		times[i] = s.took
	}
	slices.Sort(times)
	most := welch(samples, math.Inf(1))
	for _, share := range []float64{0.5, 0.75, 0.9, 0.95, 0.99} {
		most = max(most, welch(samples, times[int(share*float64(len(times)-1))]))
	}
	return most
}

// welch is |t| of the samples that took no longer than limit.
func welch(samples []sample, limit float64) float64 {
	var n, mean, m2 [2]float64 // by Welford's method
	for _, s := range samples {
		if s.took > limit {
			continue
		}
		n[s.class]++
		delta := s.took - mean[s.class]
		mean[s.class] += delta / n[s.class]
		m2[s.class] += delta * (s.took - mean[s.class])
	}
	if n[0] < 2 || n[1] < 2 {
		return math.Inf(1) // one class is always slower
	}
	variance := m2[0]/(n[0]-1)/n[0] + m2[1]/(n[1]-1)/n[1]
	if difference := math.Abs(mean[0] - mean[1]); difference > 0 {
		return difference / math.Sqrt(variance)
	}
	return 0
}
