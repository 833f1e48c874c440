package realtime

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/processor"
	"sotto/media"
)

// both runs a test of Traces that look at the clock, and of those that look at the
// counter, where that tells the time.
func both(t *testing.T, test func(t *testing.T, counting bool)) {
	t.Run("clock", func(t *testing.T) { test(t, false) })
	t.Run("counter", func(t *testing.T) {
		needCounter(t)
		test(t, true)
	})
}

func needCounter(t *testing.T) {
	t.Helper()
	if !processor.HasTSC(processor.Clocksource) {
		t.Skip("no time stamp counter that tells the time")
	}
}

// The clock's stamps are exact, which shows in virtual time.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace := newTrace(3, false)
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
}

func TestTraceAllocates(t *testing.T) {
	both(t, func(t *testing.T, counting bool) {
		trace := newTrace(100, counting)
		if n := testing.AllocsPerRun(1000, func() { trace.Stamp(media.StageSent, 1) }); n != 0 {
			t.Errorf("a stamp allocates %v times", n)
		}
	})
}

// within reports whether the stamp is of a time between two looks at the clock. Who sets
// the clock right may change its pace meanwhile, by a thousandth at most (adjtimex(2)),
// and a mark is not exact.
func (s Stamp) within(before, after time.Duration) bool {
	tolerance := after/1000 + 20*time.Microsecond
	return s.At >= before-tolerance && s.At <= after+tolerance
}

// Whatever the machine does meanwhile, a stamp is of a time between looks at the clock
// before it and after it; and so is each that is kept of many, of several goroutines.
func TestTraceTellsTheTime(t *testing.T) {
	const (
		makers = 4
		each   = 5000
		room   = 1 << 14 // all but one have room together
	)
	type look struct{ before, after time.Duration }
	both(t, func(t *testing.T, counting bool) {
		trace := newTrace(room, counting)
		var looks [makers][each]look
		var group sync.WaitGroup
		for m := range makers {
			group.Go(func() {
				for i := range each {
					for time.Since(trace.Began()) < time.Duration(i)*30*time.Microsecond { // 150 ms
						runtime.Gosched()
					}
					l := &looks[m][i]
					l.before = time.Since(trace.Began())
					trace.Stamp(media.Stage(m), uint32(i))
					l.after = time.Since(trace.Began())
				}
			})
		}
		group.Wait()
		stamps := trace.Stamps()
		if len(stamps) != room {
			t.Fatalf("%d stamps are kept", len(stamps))
		}
		var next [makers]uint32
		for n, s := range stamps {
			if s.Timestamp < next[s.Stage] {
				t.Fatalf("stamp %d of %v came after %d", s.Timestamp, s.Stage, next[s.Stage])
			}
			next[s.Stage] = s.Timestamp + 1
			if l := looks[s.Stage][s.Timestamp]; !s.within(l.before, l.after) {
				t.Fatalf("kept stamp %d is of %v, made between %v and %v", n, s.At, l.before, l.after)
			}
		}
		for m, n := range next {
			if n != each {
				t.Errorf("of goroutine %d the latest that is kept is %d", m, n-1)
			}
		}
	})
}

// A Trace that is read at once has its few stamps right, too.
func TestTraceReadAtOnce(t *testing.T) {
	both(t, func(t *testing.T, counting bool) {
		trace := newTrace(10, counting)
		if got := trace.Stamps(); len(got) != 0 {
			t.Errorf("without a stamp there is %v", got)
		}
		before := time.Since(trace.Began())
		trace.Stamp(media.StageOpened, 7)
		after := time.Since(trace.Began())
		got := trace.Stamps()
		if len(got) != 1 || got[0].Timestamp != 7 || got[0].Stage != media.StageOpened {
			t.Fatal(got)
		}
		if !got[0].within(before, after) {
			t.Errorf("%v, made between %v and %v", got[0].At, before, after)
		}
	})
}

// Ticks are times by the pace between two marks, before the first and behind the last
// one, too: to the nanosecond in a minute.
func TestBetween(t *testing.T) {
	const second = 2_000_000_000 // ticks
	tell := between(mark{7 * second, time.Second}, mark{67 * second, 61 * time.Second})
	for ticks, want := range map[int64]time.Duration{
		7 * second: time.Second, 37*second + 2: 31*time.Second + 1, 67 * second: 61 * time.Second,
		6 * second: 0, 68 * second: 62 * time.Second,
	} {
		if got := tell(ticks); got != want {
			t.Errorf("%d ticks are %v, want %v", ticks, got, want)
		}
	}
}

// A stamp, as a half of the stream makes it.
func BenchmarkTrace(b *testing.B) {
	var tracer media.Tracer = NewTrace(1 << 18)
	for b.Loop() {
		tracer.Stamp(media.StageSent, 1)
	}
}
