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
// monitoring", 2001, which is of the same defaults: echo and delay together.
func TestImpairmentByDelay(t *testing.T) {
	last := -1.0
	for ms := 0.0; ms <= 400; ms += 5 {
		fit := 0.024*ms + 0.11*max(ms-177.3, 0)
		delay := time.Duration(ms * 1e6)
		got := delayImpairment(delay) + echoImpairment(delay)
		if math.Abs(got-fit) > 3.5 || got < last-0.3 {
			t.Errorf("%v ms: %.2f, want about %.2f", ms, got, fit)
		}
		last = got
	}
	if got := delayImpairment(-time.Second) + echoImpairment(-time.Second); math.Abs(got) > 0.5 {
		t.Errorf("less than no delay impairs by %v", got)
	}
}

// Idd by hand: at 200 ms its X is 1, at 400 ms 2.
func TestDelayImpairment(t *testing.T) {
	for delay, want := range map[time.Duration]float64{
		0: 0, 100 * time.Millisecond: 0,
		200 * time.Millisecond: 25 * (1.1224620 - 3*1.0002286 + 2),
		400 * time.Millisecond: 25 * (2.0051747 - 3*1.0141237 + 2),
	} {
		if got := delayImpairment(delay); math.Abs(got-want) > 1e-3 {
			t.Errorf("%v: %.4f, want %.4f", delay, got, want)
		}
	}
}

// AMR-WB with the factors of G.113 Tables IV.1, IV.3 and IV.4, as others compute
// it by G.107.1; and by hand, because where the loss is Bpl per cent, the codec has
// lost half of what it can lose.
func TestCodecsOfOthers(t *testing.T) {
	for _, test := range []struct {
		impairment
		percent float64
		lq      float64
	}{
		{impairment{model: wideband, robust: 4.3}, 0, 4.5},
		{impairment{model: wideband, codec: 8, robust: 4.3}, 0, 4.4206},
		{impairment{model: wideband, codec: 13, robust: 4.3}, 0, 4.3371},
		{impairment{model: wideband, codec: 41, robust: 4.3}, 0, 3.5123},
		{impairment{model: wideband, codec: 56, robust: 4.3}, 0, 2.9220},
		{impairment{model: wideband, codec: 20, robust: 4.3}, 2, 3.4062},
		{impairment{model: narrowband, codec: 11, robust: 19}, 19, opinion(93.36 - (11+95)/2)},
		{impairment{model: fullband, codec: 10.2, robust: 9.6}, 9.6, opinion((148 - (10.2+132)/2) / 1.48)},
	} {
		if got := test.rate(test.percent/100, 1, 0); math.Abs(got.MOSLQ-test.lq) > 5e-4 {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

// Echo impairs where its model says so, the delay itself everywhere.
func TestEchoImpairs(t *testing.T) {
	const delay = 200 * time.Millisecond
	for name, echo := range map[string]bool{"PCMU": true, "G722": true, "opus": false} {
		i := impairments[name]
		want := delayImpairment(delay)
		if echo {
			want += echoImpairment(delay)
		}
		rest := (i.model.best - i.codec) / i.model.scale
		if got := rest - i.rate(0, 1, delay).R; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: impaired by %.3f, want %.3f", name, got, want)
		}
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
		{"opus", 0, 1, 0, 85.3, 4.21, 4.21}, // (148-21.7)/1.48
		{"opus", 0.05, 1, 0, 62.7, 3.24, 3.24},
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
