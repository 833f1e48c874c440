package realtime

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace := NewTrace(3)
		var want []Stamp
		for i := range 10 {
			time.Sleep(time.Millisecond)
			stamp := Stamp{time.Since(trace.Began()), uint32(i), media.StageSent}
			trace.Stamp(stamp.Stage, stamp.Timestamp)
			want = append(want, stamp)
			if got := trace.Stamps(); !slices.Equal(got, want[max(0, i-3):]) {
				t.Fatalf("after %d stamps: %v, want the last four of %v", i+1, got, want)
			}
		}
	})
	trace := NewTrace(100)
	if n := testing.AllocsPerRun(1000, func() { trace.Stamp(media.StageSent, 1) }); n != 0 {
		t.Errorf("a stamp allocates %v times", n)
	}
}

// A stamp, as a half of the stream makes it.
func BenchmarkTrace(b *testing.B) {
	var tracer media.Tracer = NewTrace(1 << 18)
	for b.Loop() {
		tracer.Stamp(media.StageSent, 1)
	}
}
