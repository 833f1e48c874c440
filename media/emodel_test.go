package media

import (
	"math"
	"testing"
	"time"

	"sotto/codecs"
)

// Table B.1 of G.107, and the ends of the scale.
func TestOpinion(t *testing.T) {
	for r, want := range map[float64]float64{-5: 1, 0: 1, 3: 1, 50: 2.58, 60: 3.10, 70: 3.60, 80: 4.02, 90: 4.34, 93.2: 4.41, 100: 4.5, 120: 4.5} {
		if got := opinion(r); math.Abs(got-want) > 0.01 {
			t.Errorf("R %v: MOS %.3f, want %v", r, got, want)
		}
	}
}

// Against the fit of Cole and Rosenbluth, "Voice over IP performance
// monitoring", 2001, which is of the same defaults.
func TestDelayImpairment(t *testing.T) {
	last := -1.0
	for ms := 0.0; ms <= 400; ms += 5 {
		fit := 0.024*ms + 0.11*max(ms-177.3, 0)
		got := delayImpairment(time.Duration(ms * 1e6))
		if math.Abs(got-fit) > 3.5 || got < last-0.3 {
			t.Errorf("%v ms: %.2f, want about %.2f", ms, got, fit)
		}
		last = got
	}
	if got := delayImpairment(-time.Second); math.Abs(got) > 0.5 {
		t.Errorf("less than no delay impairs by %v", got)
	}
}

// What the three models say of ratings on their own scales.
func TestRate(t *testing.T) {
	for _, test := range []struct {
		codec       string
		loss, burst float64
		delay       time.Duration
		r, lq, cq   float64
	}{
		{"PCMU", 0, 1, 0, 93.2, 4.41, 4.41}, // what G.107 has by default
		{"PCMA", 0.01, 1, 0, 89.5, 4.33, 4.32},
		{"PCMA", 0.01, 2, 0, 89.5, 4.32, 4.32},
		{"PCMU", 0, 1, 250 * time.Millisecond, 79.2, 4.41, 3.99},
		{"G722", 0, 1, 0, 89.7, 4.33, 4.33}, // (129-13)/1.29
		{"opus", 0, 1, 0, 85.1, 4.20, 4.20}, // (148-21.7)/1.48
		{"opus", 0.05, 1, 0, 62.6, 3.24, 3.24},
		{"opus", 1, 1, time.Second, 0, 1.21, 1},
	} {
		got := impairments[test.codec].rate(test.loss, test.burst, test.delay)
		if math.Abs(got.R-test.r) > 0.1 || math.Abs(got.MOSLQ-test.lq) > 0.02 || math.Abs(got.MOSCQ-test.cq) > 0.02 || !got.Known() {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

// More loss, longer runs and more delay never make it better.
func TestRateFalls(t *testing.T) {
	for _, c := range codecs.Table() {
		i, ok := impairments[c.Name]
		if !ok {
			t.Errorf("%s has no impairment", c.Name)
		}
		before := i.rate(0, 1, 0)
		for _, loss := range []float64{0.001, 0.01, 0.1, 0.5, 1} {
			random, bursty := i.rate(loss, 1, 0), i.rate(loss, 3, 0)
			if random.R > before.R || bursty.R > random.R || i.rate(loss, 1, 300*time.Millisecond).R > random.R || random.MOSLQ < 1 || bursty.R < 0 {
				t.Errorf("%s, %v lost: %+v, %+v", c.Name, loss, random, bursty)
			}
			before = random
		}
	}
}
