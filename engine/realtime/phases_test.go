package realtime

import (
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

// take takes a place.
func take(t *testing.T, p *Phases) *Place {
	t.Helper()
	place, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	return place
}

// Whenever they are taken, phases are shared by as few as can be.
func TestPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		phases := NewPhases()
		taken := map[time.Duration]int{}
		for n := range 400 {
			time.Sleep(time.Duration(n) * 1234567)
			place := take(t, phases)
			defer place.leave()
			if wait := time.Until(place.First()); wait <= 0 || wait > media.FrameDuration {
				t.Fatalf("phase %d begins in %v", n, wait)
			}
			phase := place.First().Sub(began) % media.FrameDuration
			if taken[phase]++; taken[phase] != n/int(slots)+1 {
				t.Fatalf("phase %v is taken for the %dth time by stream %d", phase, taken[phase], n)
			}
		}
	})
}
