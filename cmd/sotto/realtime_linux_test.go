package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// All threads have the priority that was asked for, or the user is told who may ask.
func TestRealTime(t *testing.T) {
	const roundRobin = 2 // sched(7)
	p := start(t, "listen", "--bind", "127.0.0.1:0", "--real-time")
	var first string
	for first = range p.lines {
		break
	}
	if first == "" {
		if code := p.exit(t); code != exitFailed || !strings.Contains(p.stderr.String(), "--real-time: ") || !strings.Contains(p.stderr.String(), "ulimit -r 1") {
			t.Errorf("exit code %d: %s", code, p.stderr.String())
		}
		return
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil || len(threads) < 2 {
		t.Fatalf("%d threads (%v)", len(threads), err)
	}
	for _, thread := range threads {
		var id int
		_, _ = fmt.Sscan(thread.Name(), &id) // the kernel's
		if attr, err := unix.SchedGetAttr(id, 0); err != nil || attr.Policy != roundRobin {
			t.Errorf("thread %d: %+v (%v)", id, attr, err)
		}
	}
}
