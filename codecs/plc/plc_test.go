package plc

import (
	"math"
	"testing"
)

var rates = []int{8000, 16000}

// tone of 200 Hz, whose period is a whole number of samples.
func tone(rate, n int) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(8000 * math.Sin(2*math.Pi*200*float64(i)/float64(rate)))
	}
	return pcm
}

// What was periodic goes on, to the sample, in frames of any length.
func TestGoesOn(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		want := tone(rate, 100*ms)
		for _, frame := range []int{20 * ms, 5 * ms, 1} {
			c := New(rate)
			for i := 0; i < 60*ms; i += frame {
				c.Good(want[i : i+frame])
			}
			got := make([]int16, 10*ms)
			c.Conceal(got[:3*ms])
			c.Conceal(got[3*ms:])
			for i, s := range got {
				if s != want[60*ms+i] {
					t.Fatalf("%d Hz, frames of %d: %d at %d, want %d", rate, frame, s, i, want[60*ms+i])
				}
			}
		}
	}
}

// A gap is silent after 60 ms, and stays so for any length.
func TestFadesAway(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		c := New(rate)
		c.Good(tone(rate, 120*ms))
		gap := make([]int16, 1000*ms)
		c.Conceal(gap)
		var last float64 = math.MaxInt32
		for from := 10 * ms; from < 60*ms; from += 5 * ms { // a period each
			var peak float64
			for _, s := range gap[from : from+5*ms] {
				peak = max(peak, math.Abs(float64(s)))
			}
			if peak >= last || peak == 0 {
				t.Errorf("%d Hz: a peak of %v after %v", rate, peak, last)
			}
			last = peak
		}
		for i, s := range gap[60*ms:] {
			if s != 0 {
				t.Fatalf("%d Hz: %d, %d samples after the fade", rate, s, i)
			}
		}
	}
}

// Good frames return by a slope of 4 ms and are untouched after it.
func TestReturns(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		c := New(rate)
		c.Good(tone(rate, 40*ms))
		c.Conceal(make([]int16, 500*ms)) // it has become silent
		frame := make([]int16, 20*ms)
		for i := range frame {
			frame[i] = 8000
		}
		c.Good(frame)
		for i, s := range frame {
			if want := 8000 * min(i, 4*ms) / (4 * ms); int(s) != want {
				t.Fatalf("%d Hz: %d at %d, want %d", rate, s, i, want)
			}
		}
		again := append([]int16(nil), frame...)
		c.Good(again)
		for i, s := range again {
			if s != frame[i] {
				t.Fatalf("%d Hz: the next frame has changed at %d", rate, i)
			}
		}
	}
}

// Nothing jumps either where the frames that return are shorter than the slope.
func TestReturnsInShortFrames(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		for _, n := range []int{5 * ms / 2, 3 * ms} {
			c := New(rate)
			c.Good(tone(rate, 40*ms))
			c.Conceal(make([]int16, 500*ms)) // it has become silent
			last := 0
			for range 10 * ms / n {
				frame := make([]int16, n)
				for i := range frame {
					frame[i] = 8000
				}
				c.Good(frame)
				for i, s := range frame {
					if step := int(s) - last; step < 0 || step > 8000/(2*ms) {
						t.Fatalf("%d Hz, frames of %d: a step of %d at %d", rate, n, step, i)
					}
					last = int(s)
				}
			}
			if last != 8000 {
				t.Errorf("%d Hz, frames of %d: %d in the end", rate, n, last)
			}
		}
	}
}

// What does not follow is led to as after a gap.
func TestBreak(t *testing.T) {
	for _, rate := range rates {
		ms := rate / 1000
		c, whole := New(rate), tone(rate, 60*ms)
		c.Good(whole[:40*ms])
		c.Break()
		other := make([]int16, 20*ms)
		c.Good(other)
		for i, s := range other {
			if want := int(whole[40*ms+i]) * max(4*ms-i, 0) / (4 * ms); int(s) != want {
				t.Fatalf("%d Hz: %d at %d, want %d", rate, s, i, want)
			}
		}
		c.Good(whole)
		if s := whole[1]; s != tone(rate, 2)[1] {
			t.Errorf("%d Hz: what follows is %d", rate, s)
		}
	}
}

func TestBeforeAnything(t *testing.T) {
	for _, rate := range rates {
		c := New(rate)
		gap := tone(rate, rate)
		c.Conceal(gap)
		for i, s := range gap {
			if s != 0 {
				t.Fatalf("%d Hz: %d at %d", rate, s, i)
			}
		}
	}
}
