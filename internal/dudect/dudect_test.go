package dudect

import (
	"math"
	"testing"
)

func TestWelch(t *testing.T) {
	var samples []sample
	for i, took := range []float64{1, 2, 3, 4, 5, 1000} {
		samples = append(samples, sample{0, took}, sample{1, took + 2})
		if i == 0 && !math.IsInf(welch(samples, 10), 1) {
			t.Error("a sample of each class has no variance")
		}
	}
	// Means 3 and 5, variances 2.5, five samples each: 2 / sqrt(2.5/5 + 2.5/5).
	if got := welch(samples, 10); math.Abs(got-2) > 1e-9 {
		t.Errorf("t = %v, want 2", got)
	}
	if got := strongest(samples); got < welch(samples, 10) {
		t.Errorf("%v: cropping did not help", got)
	}
}
