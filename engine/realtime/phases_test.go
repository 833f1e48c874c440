package realtime

import (
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

// Whenever they are taken, phases are shared by as few as can be, and nobody's
// packets leave when somebody's frames are due.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		phases := NewPhases()
		taken := map[time.Duration]int{}
		for n := range 400 {
			time.Sleep(time.Duration(n) * 1234567)
			at := phases.Next()
			if wait := time.Until(at); wait <= 0 || wait > media.FrameDuration {
				t.Fatalf("phase %d begins in %v", n, wait)
			}
			phase := at.Sub(began) % media.FrameDuration
			if taken[phase]++; taken[phase] != n/int(slots)+1 {
				t.Fatalf("phase %v is taken for the %dth time by stream %d", phase, taken[phase], n)
			}
			if taken[(phase+Departure)%media.FrameDuration] != 0 {
				t.Fatalf("packets of phase %v leave in another phase", phase)
			}
		}
	})
}
