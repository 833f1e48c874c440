package realtime

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

// It never wakes too early, however short the sleep, and a time that has passed
// is none.
func TestAlarm(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	for _, d := range []time.Duration{-time.Hour, 0, 1, time.Microsecond, 300 * time.Microsecond, 1700 * time.Microsecond, 3 * time.Millisecond} {
		until := time.Now().Add(d)
		a.sleep(until)
		if now := time.Now(); now.Before(until) {
			t.Errorf("a sleep of %v ended %v too early", d, until.Sub(now))
		}
	}
}

func files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Those that sleep until the same time share one setting, and nobody wakes too early.
func TestAlarmShared(t *testing.T) {
	a, err := newAlarm()
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	sleep := func(t *testing.T) (until time.Time) {
		until = time.Now().Add(3 * time.Millisecond)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				a.sleep(until)
				if now := time.Now(); now.Before(until) {
					t.Errorf("a sleep ended %v too early", until.Sub(now))
				}
			})
		}
		group.Wait()
		return until
	}
	for range 5 {
		sleep(t)
	}
	synctest.Test(t, func(t *testing.T) { // where nobody comes too late to sleep
		until := sleep(t)
		if set := a.set.Load(); set != int64(until.Sub(began)) {
			t.Errorf("set for %v", time.Duration(set))
		}
	})
}

// Capture gives its place and all timers of the kernel's back, however it ends.
func TestCaptureGivesBack(t *testing.T) {
	before := files(t)
	failed := errors.New("no microphone")
	phases := NewPhases()
	for _, interval := range []time.Duration{media.FrameDuration, media.FrameDuration / 2} {
		for range 20 {
			if err := Capture(t.Context(), take(t, phases), &sender{err: failed, interval: interval}); !errors.Is(err, failed) {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := Capture(ctx, take(t, phases), &sender{interval: interval}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if after := files(t); after > before {
		t.Errorf("%d files open, %d before", after, before)
	}
	for i, s := range phases.shifts {
		if s.places != 0 || s.alarm != nil {
			t.Errorf("%d places of slot %d are taken", s.places, i)
		}
	}
}

// A place's timer is there for as long as somebody of its slot is.
func TestPlacesShareAlarms(t *testing.T) {
	before := files(t)
	phases := NewPhases()
	for range 3 {
		var places []*Place
		for range 4 * slots {
			places = append(places, take(t, phases))
		}
		for i, place := range places {
			if other := places[(i+int(slots))%len(places)]; place.alarm != other.alarm {
				t.Fatal("two streams of a slot have two alarms")
			}
		}
		if n := files(t) - before; n != int(slots) {
			t.Fatalf("%d files are open for %d slots", n, slots)
		}
		for _, place := range places {
			place.leave()
		}
		if n := files(t) - before; n != 0 {
			t.Fatalf("%d files are open for nobody", n)
		}
	}
}

// order is a sender that notes when it does what.
type order struct {
	*sender
	prepared, left []time.Time
}

func (o *order) Prepare() error {
	o.prepared = append(o.prepared, time.Now())
	return o.sender.Prepare()
}

func (o *order) Send() error {
	o.left = append(o.left, time.Now())
	return o.sender.Send()
}

// The alarm for the packets of a slot wakes those whose frames are due in the next
// but one, too, after the packets have left.
func TestPacketsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		phases := NewPhases()
		streams := map[time.Duration]*order{}
		began := time.Now()
		var group sync.WaitGroup
		for range slots {
			place, o := take(t, phases), &order{sender: &sender{}}
			streams[place.First().Sub(began)%media.FrameDuration] = o
			group.Go(func() { _ = Capture(ctx, place, o) })
		}
		group.Wait()
		for phase, o := range streams {
			next := streams[(phase+2*slot)%media.FrameDuration]
			if next == nil || len(o.left) < 40 {
				t.Fatalf("%d packets of phase %v left", len(o.left), phase)
			}
			for _, left := range o.left[:40] {
				due := 0
				for _, at := range next.prepared {
					if after := at.Sub(left); after > 0 && after+playing < behind {
						due++
					}
				}
				if due != 1 {
					t.Fatalf("with the packet of phase %v at %v, %d frames are due", phase, left.Sub(began), due)
				}
			}
		}
	})
}
