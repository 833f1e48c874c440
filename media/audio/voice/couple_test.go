package voice

import (
	"sync"
	"sync/atomic"
	"testing"

	"sotto/media/audio"
)

// A half whose other half never comes, because the call fell silent between, is
// forgotten, and nothing after it is lost.
func TestReferenceForgetsAHalf(t *testing.T) {
	var r reference
	var far [audio.FrameSamples]int16
	r.put(make([]int16, audio.FrameSamples/2))
	for n := range 3 {
		frame := make([]int16, audio.FrameSamples)
		frame[0], frame[len(frame)-1] = int16(n+1), int16(n+1)
		r.put(frame)
	}
	for n := range 3 {
		if r.take(&far); far[0] != int16(n+1) || far[len(far)-1] != int16(n+1) {
			t.Fatalf("%d and %d are taken in place of %d", far[0], far[len(far)-1], n+1)
		}
	}
}

// The distance between what is put and what is taken stays the same, whichever
// of the two comes first in a round, and in halves too.
func TestReferenceKeepsItsDistance(t *testing.T) {
	var r reference
	var far [audio.FrameSamples]int16
	frame := make([]int16, audio.FrameSamples)
	put := func(n int) {
		frame[0], frame[len(frame)-1] = int16(n), int16(n)
		if n%2 == 0 {
			r.put(frame)
			return
		}
		r.put(frame[:len(frame)/2])
		r.put(frame[len(frame)/2:])
	}
	put(1)
	if r.take(&far); far[0] != 0 {
		t.Fatalf("%d is taken at once", far[0])
	}
	for n := 2; n < 100; n++ {
		if n%3 == 0 {
			r.take(&far)
			put(n)
		} else {
			put(n)
			r.take(&far)
		}
		if int(far[0]) != n-1 || far[0] != far[len(far)-1] {
			t.Fatalf("%d is taken with %d", far[0], n)
		}
	}
	r.take(&far)
	if r.take(&far); far[0] != 0 {
		t.Errorf("%d is taken from nothing", far[0])
	}
	for n := range 20 {
		put(n + 100)
	}
	if r.take(&far); far[0] != 100+slots-2 {
		t.Errorf("%d is taken after a standstill", far[0])
	}
}

// Both sides work at once.
func TestReferenceHandsOver(t *testing.T) {
	var r reference
	var sink sync.WaitGroup
	var enough atomic.Bool
	sink.Go(func() {
		frame := make([]int16, audio.FrameSamples)
		for n := 0; !enough.Load(); n++ {
			for i := range frame {
				frame[i] = int16(n%30000 + 1)
			}
			r.put(frame[:len(frame)/2])
			r.put(frame[len(frame)/2:])
		}
	})
	var far [audio.FrameSamples]int16
	for last := int16(0); last < 100; last = max(last, far[0]) {
		r.take(&far)
		if far[0] != far[audio.FrameSamples-1] || far[0] != 0 && far[0] < last {
			t.Errorf("%d and %d after %d", far[0], far[audio.FrameSamples-1], last)
			break
		}
	}
	enough.Store(true)
	sink.Wait()
}
