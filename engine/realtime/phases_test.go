package realtime

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

// Whenever they are taken, phases lie apart.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		phases := NewPhases()
		var taken []time.Duration
		for n := 1; n <= 400; n++ {
			time.Sleep(time.Duration(n) * 1234567)
			at := phases.Next()
			if wait := time.Until(at); wait <= 0 || wait > media.FrameDuration {
				t.Fatalf("phase %d begins in %v", n, wait)
			}
			taken = append(taken, at.Sub(began)%media.FrameDuration)
			slices.Sort(taken)
			widest := media.FrameDuration - taken[n-1] + taken[0]
			for i := 1; i < n; i++ {
				widest = max(widest, taken[i]-taken[i-1])
			}
			if n > 1 && widest >= 3*media.FrameDuration/time.Duration(n) {
				t.Fatalf("%d phases, and a gap of %v", n, widest)
			}
		}
	})
}
