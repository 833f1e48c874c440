package realtime

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// alarm wakes the runtime to the microsecond, so that a goroutine's time.Sleep
// ends on time. By itself the runtime sleeps for whole milliseconds, counted
// from when it has nothing left to do: a packet would leave a whole number of
// milliseconds after its encoding was done, and how long that took could be
// read off the wire. It is a timer of the kernel's which the runtime's poller
// watches, and which nobody reads.
//
// Streams with the same deadlines share one: whoever is first to sleep sets it.
type alarm struct {
	fd   uintptr
	file *os.File     // of fd, for the poller
	set  atomic.Int64 // for when, in nanoseconds since began
}

// began is what alarms count from.
var began = time.Now()

// itimerspec is struct itimerspec of timerfd_settime(2).
type itimerspec struct{ interval, value syscall.Timespec }

const (
	clockMonotonic = 1
	// behind is how long after the goroutine's own timer the alarm goes off, so
	// that this one is due when the runtime looks at it.
	behind = 20 * time.Microsecond
)

func newAlarm() (*alarm, error) {
	fd, _, errno := syscall.RawSyscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("realtime: timer: %w", errno)
	}
	return &alarm{fd: fd, file: os.NewFile(fd, "timer")}, nil
}

// sleep until t.
func (a *alarm) sleep(t time.Time) {
	left := time.Until(t)
	if left <= 0 {
		return
	}
	if at := int64(t.Sub(began)); a.set.Swap(at) != at {
		at := itimerspec{value: syscall.NsecToTimespec((left + behind).Nanoseconds())}
		// It fails for no values of these; without it the sleep is only coarse.
		_, _, _ = syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, a.fd, 0, uintptr(unsafe.Pointer(&at)), 0, 0, 0)
	}
	time.Sleep(left)
}

func (a *alarm) close() { _ = a.file.Close() }
