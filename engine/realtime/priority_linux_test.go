package realtime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// prioritized, in the environment, has the test's own program prioritize itself.
const prioritized = "SOTTO_TEST_PRIORITIZE"

// Every thread that there is, and that comes later, has the priority, but those that
// keep processors awake; or, where the system does not allow it, none has. A process can't give it back, so it is another
// one that is asked.
func TestPrioritize(t *testing.T) {
	if os.Getenv(prioritized) != "" {
		prioritizeHere()
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestPrioritize$")
	cmd.Env = append(os.Environ(), prioritized+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	granted, policies, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	want := "2"
	if granted != "granted" {
		want = "0"
	}
	threads := strings.Fields(policies)
	if len(threads) < 8 {
		t.Fatalf("%q", out)
	}
	idle := 0
	for _, policy := range threads {
		switch policy {
		case want:
		case "5":
			idle++
		default:
			t.Errorf("%s: threads have the policies %v", granted, threads)
		}
	}
	if idle != 2*runtime.NumCPU() {
		t.Errorf("%s: %d threads keep processors awake, of twice as many as there are: %v", granted, idle, threads)
	}
}

// prioritizeHere prints what was granted and the policies of all threads, some started
// before and some after, and ends the program.
func prioritizeHere() {
	hold := make(chan struct{})
	var started sync.WaitGroup
	thread := func() {
		runtime.LockOSThread()
		started.Done()
		<-hold
	}
	start := func() {
		started.Add(4)
		for range 4 {
			go thread()
		}
		started.Wait()
	}
	start()
	_, before := loop(false)
	err := Prioritize()
	_, after := loop(false)
	start()
	switch {
	case before != nil || after != nil:
		fmt.Println(before, after)
		os.Exit(1)
	case err == nil:
		fmt.Print("granted")
	case errors.Is(err, os.ErrPermission):
		fmt.Print("refused")
	default:
		fmt.Println(err)
		os.Exit(1)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, thread := range threads {
		var id uintptr
		_, _ = fmt.Sscan(thread.Name(), &id) // the kernel's
		policy, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, id, 0, 0)
		fmt.Print(" ", policy)
	}
	os.Exit(0)
}
