package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sotto/engine/realtime"
	"sotto/internal/processor"
	"sotto/media"
)

// machine says where the figures come from.
type machine struct {
	Processor  string  `json:"processor"`
	Processors int     `json:"processors"` // that Go uses
	System     string  `json:"system"`
	Go         string  `json:"go"`
	Taken      string  `json:"taken"`
	StampNS    float64 `json:"stamp_ns"` // one stamp of a Trace
	LookNS     float64 `json:"look_ns"`  // one look at the clock
}

func thisMachine() machine {
	return machine{
		Processor:  processor.Name(processor.CPUInfo),
		Processors: runtime.GOMAXPROCS(0),
		System:     runtime.GOOS + "/" + runtime.GOARCH,
		Go:         runtime.Version(),
		Taken:      time.Now().UTC().Format(time.DateOnly),
		StampNS: quickest(func(b *testing.B) {
			var tracer media.Tracer = realtime.NewTrace(1 << 16)
			for b.Loop() {
				tracer.Stamp(media.StageSent, 1)
			}
		}),
		LookNS: quickest(func(b *testing.B) {
			for b.Loop() {
				now()
			}
		}),
	}
}

// quickest is what a turn of bench takes in nanoseconds, in the quickest of several
// runs.
func quickest(bench func(*testing.B)) float64 {
	var least float64
	for i := range 5 {
		r := testing.Benchmark(bench)
		if ns := float64(r.T.Nanoseconds()) / float64(r.N); i == 0 || ns < least {
			least = ns
		}
	}
	return least
}

// processTime is the processor time that this process has used, without that of threads
// which keep processors awake: these get what nobody else wants.
func processTime() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // does not fail for RUSAGE_SELF
	return time.Duration(r.Utime.Nano()+r.Stime.Nano()) - idleTime()
}

// idleTime is what threads have used that run when nobody else wants the processor
// (SCHED_IDLE).
func idleTime() (sum time.Duration) {
	const idle = 5                                   // sched(7)
	threads, _ := filepath.Glob("/proc/self/task/*") // a pattern that is right
	for _, dir := range threads {
		id, _ := strconv.Atoi(filepath.Base(dir)) // the kernel's
		policy, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, uintptr(id), 0, 0)
		if policy != idle {
			continue
		}
		var used int64                                          // in nanoseconds; none of a thread that has ended
		text, _ := os.ReadFile(filepath.Join(dir, "schedstat")) // proc_pid_schedstat: its first number
		_, _ = fmt.Sscan(string(text), &used)
		sum += time.Duration(used)
	}
	return sum
}

// stolenTime is the time that processors of this machine had something to do and
// their host something else, or zero where nobody tells (proc(5), "steal").
func stolenTime() time.Duration {
	f, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadString('\n') // a short line has no such field
	const field, tick = 8, time.Second / 100
	fields := strings.Fields(line)
	if len(fields) <= field {
		return 0
	}
	ticks, _ := strconv.ParseInt(fields[field], 10, 64) // the kernel's
	return time.Duration(ticks) * tick
}
