package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"sotto/engine/realtime"
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

// The system is asked to keep the processors awake until the program ends, or threads of
// the program do, or the user is told who may ask.
func TestStayAwake(t *testing.T) {
	const latency = "/dev/cpu_dma_latency"
	p := start(t, "listen", "--bind", "127.0.0.1:0", "--stay-awake")
	var first string
	for first = range p.lines {
		break
	}
	if first == "" {
		_, err := realtime.StayAwake() // nor may this program
		if code := p.exit(t); err == nil || code != exitFailed || !strings.Contains(p.stderr.String(), "--stay-awake: "+err.Error()) {
			t.Errorf("exit code %d: %s, where it is %v", code, p.stderr.String(), err)
		}
		if hint := strings.Contains(p.stderr.String(), "root may"); hint != errors.Is(err, os.ErrPermission) {
			t.Errorf("of %v: %s", err, p.stderr.String())
		}
		return
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", p.cmd.Process.Pid))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	told := slices.ContainsFunc(files, func(fd string) bool {
		file, _ := os.Readlink(fd) // it may have been closed meanwhile
		return file == latency
	})
	if !told && !idles(t, p.cmd.Process.Pid) {
		t.Errorf("nobody is told, and no thread does it: %s", p.stderr.String())
	}
}

// idles reports whether a process has a thread for when nobody wants the processor.
func idles(t *testing.T, process int) bool {
	const idle = 5 // sched(7)
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", process))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(threads, func(thread os.DirEntry) bool {
		var id int
		_, _ = fmt.Sscan(thread.Name(), &id)  // the kernel's
		attr, err := unix.SchedGetAttr(id, 0) // it may have ended meanwhile
		return err == nil && attr.Policy == idle
	})
}
