package realtime

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// Of sched(7). The lowest real-time priority is enough to go before all programs
// that have none, and leaves the sound server's threads before ours.
const (
	schedRR  = 2
	priority = 1
)

// Prioritize has the system run this process as soon as it has something to do,
// before all that has no deadlines: otherwise a packet waits for as long as the
// scheduler lets others finish, some milliseconds. It is for the whole process, with
// what it starts from then on, but for what [StayAwake] has started, and a program
// calls it once. Linux allows it to who has CAP_SYS_NICE or a limit RLIMIT_RTPRIO above
// zero; the error is the system's then ([os.ErrPermission]), and nothing has changed.
func Prioritize() error {
	policies.Lock()
	defer policies.Unlock()
	done := map[int]bool{}
	for before := -1; before < len(done); { // threads that were started meanwhile
		before = len(done)
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("realtime: %w", err)
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil || done[id] || idling[id] {
				continue
			}
			if err := prioritize(id); err != nil && !errors.Is(err, syscall.ESRCH) { // it has ended
				return fmt.Errorf("realtime: no real-time priority: %w", err)
			}
			done[id] = true
		}
	}
	return nil
}

// prioritize is sched_setscheduler(2) for a thread; those that it starts inherit.
func prioritize(thread int) error {
	param := struct{ priority int32 }{priority}
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, uintptr(thread), schedRR, uintptr(unsafe.Pointer(&param)))
	if errno != 0 {
		return errno
	}
	return nil
}
