package realtime

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
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

// Capture leaves no timer of the kernel's behind, however it ends.
func TestCaptureClosesItsAlarm(t *testing.T) {
	before := files(t)
	failed := errors.New("no microphone")
	for range 20 {
		if err := Capture(t.Context(), time.Now(), &sender{err: failed}); !errors.Is(err, failed) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := Capture(ctx, time.Now(), &sender{}); err != nil {
			t.Fatal(err)
		}
	}
	if after := files(t); after > before {
		t.Errorf("%d files open, %d before", after, before)
	}
}
