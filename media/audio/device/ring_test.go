package device

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// What goes in comes out, once and in order, while both ends are at work.
func TestRing(t *testing.T) {
	const total = 500_000
	var r ring
	var producer sync.WaitGroup
	producer.Go(func() {
		block := make([]int16, 700)
		for n := 0; n < total; {
			size := min(1+n%len(block), total-n)
			if ringSize-r.level() < size {
				continue
			}
			for i := range size {
				block[i] = int16(n + i)
			}
			r.write(block[:size])
			n += size
		}
	})
	got := make([]int16, 961)
	for n := 0; n < total; {
		for _, v := range got[:r.take(got[:1+n%len(got)])] {
			if v != int16(n) {
				t.Fatalf("sample %d is %d", n, v)
			}
			n++
		}
	}
	producer.Wait()
}

// A full ring keeps what it has.
func TestRingFull(t *testing.T) {
	var r ring
	for range 3 {
		block := make([]int16, ringSize-5)
		for i := range block {
			block[i] = int16(i)
		}
		r.write(block)
		r.write([]int16{1, 2, 3, 4, 5, 6, 7})
		if r.level() != ringSize {
			t.Fatalf("%d samples", r.level())
		}
		got := make([]int16, ringSize+10)
		if n := r.take(got); n != ringSize || got[n-1] != 5 || got[n-6] != ringSize-6-1<<15*((ringSize-6)>>15) {
			t.Fatalf("%d samples, the last %d", n, got[ringSize-6:ringSize])
		}
	}
}

// What is left out leaves no jump behind.
func TestRingSkip(t *testing.T) {
	var r ring
	block := make([]int16, 5000)
	for i := range block {
		block[i] = 10000
		if i >= 2500 {
			block[i] = -10000
		}
	}
	r.write(block)
	r.skip(3000)
	got := make([]int16, 2000)
	if n := r.take(got); n != 2000 || got[0] != 10000 || got[fade] != -10000 {
		t.Fatalf("%d samples from %d, %d after the fade", n, got[0], got[fade])
	}
	for i := range fade {
		if d := int(got[i]) - int(got[i+1]); d < 0 || d > 20000/fade+1 {
			t.Fatalf("a jump of %d at %d", d, i)
		}
	}
}

// After a flush nothing of what was written before is taken, not even faded
// out; what is written after it begins like any other.
func TestFlush(t *testing.T) {
	var o outlet
	o.reserve.Store(leastReserve)
	loud := make([]int16, 4*leastReserve)
	for i := range loud {
		loud[i] = 20000
	}
	out := make([]int16, fade)
	take := func() (sound bool) {
		o.take(out)
		return slices.ContainsFunc(out, func(v int16) bool { return v != 0 })
	}
	for range 3 {
		o.ring.write(loud)
		o.ring.write(loud)
		if take(); !take() {
			t.Fatal("nothing is taken")
		}
		o.flush(0)
		for range 3 {
			if take() {
				t.Fatal("what was flushed is taken")
			}
		}
		if o.ring.level() != 0 {
			t.Errorf("%d samples wait", o.ring.level())
		}
	}
	o.flush(0) // nothing is there
	o.ring.write(loud)
	o.ring.write(loud)
	if take(); !take() {
		t.Error("nothing is taken after it")
	}
}

// Of several that flush at once the latest counts, in whatever order they come.
func TestFlushTwice(t *testing.T) {
	var at atomic.Uint64
	raise(&at, 7)
	if raise(&at, 5); at.Load() != 7 {
		t.Errorf("%d, what was flushed is back", at.Load())
	}
	const goroutines, times = 4, 500_000
	var group sync.WaitGroup
	var next atomic.Uint64
	next.Store(at.Load())
	for range goroutines {
		group.Go(func() {
			for range times {
				value := next.Add(1)
				if raise(&at, value); at.Load() < value {
					t.Errorf("%d after %d", at.Load(), value)
					return
				}
			}
		})
	}
	if group.Wait(); at.Load() != next.Load() {
		t.Errorf("%d", at.Load())
	}
}
