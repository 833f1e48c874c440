//go:build !race

package realtime

import (
	"runtime"
	"syscall"
	"testing"

	"sotto/media"
)

// The system counts hardly a page that a stamp had to wait for. (The race detector has
// pages of its own.)
func TestTraceHasItsPages(t *testing.T) {
	faults := func() int64 {
		var r syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &r); err != nil {
			t.Fatal(err)
		}
		return r.Minflt
	}
	both(t, func(t *testing.T, counting bool) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		const n = 1 << 18 // a thousand pages
		trace := newTrace(n, counting)
		before := faults()
		for range n {
			trace.Stamp(media.StageSent, 1)
		}
		if n := faults() - before; n > 100 {
			t.Errorf("stamps have waited for %d pages", n)
		}
	})
}
