package realtime

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// latency is how many µs a processor may take to wake, as all programs together
// want it.
func latency(t *testing.T) (us int32) {
	t.Helper()
	f, err := os.Open(latencyFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := binary.Read(f, binary.NativeEndian, &us); err != nil {
		t.Fatal(err)
	}
	return us
}

// The system knows for as long as the processors are to be awake; where it can't have
// them so, or does not let this program, threads have, or the error is that of both.
func TestStayAwake(t *testing.T) {
	awake, err := StayAwake()
	f, asked := os.OpenFile(latencyFile, os.O_WRONLY, 0)
	if asked == nil {
		_ = f.Close()
	}
	told := heeded(driverFile) && asked == nil
	switch {
	case !told && limited(groupFile, groupRoot):
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v where processor time is limited", err)
		}
		return
	case err != nil:
		t.Fatal(err)
	case told && latency(t) != 0:
		t.Errorf("a processor may take %d µs to wake", latency(t))
	case told == (len(idle(t)) > 0):
		t.Errorf("%d threads keep processors awake, and the system is told: %t", len(idle(t)), told)
	}
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
	allEnd(t)
	files, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, fd := range files {
		if file, _ := os.Readlink(fd); file == latencyFile {
			t.Error("it is not closed")
		}
	}
}

// Threads do what the system does not, where they may.
func TestStayAwakeRefused(t *testing.T) {
	dir := t.TempDir()
	driver, none, file, missing := filepath.Join(dir, "driver"), filepath.Join(dir, "none"), filepath.Join(dir, "file"), filepath.Join(dir, "missing")
	for name, text := range map[string]string{driver: "haltpoll\n", none: "none\n", file: ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		driver, latency string
		limited         bool
		threads         bool
		err             error
	}{
		{driver, file, false, false, nil},
		{driver, file, true, false, nil},
		{driver, missing, false, true, nil},
		{driver, missing, true, false, os.ErrNotExist},
		{none, file, false, true, nil},
		{none, file, true, false, errors.ErrUnsupported},
	} {
		awake, err := stayAwake(c.driver, c.latency, c.limited)
		if !errors.Is(err, c.err) || (awake == nil) != (c.err != nil) || c.threads != (len(idle(t)) > 0) {
			t.Errorf("%+v: %d threads, and %v", c, len(idle(t)), err)
		}
		if awake != nil {
			if err := awake.Close(); err != nil {
				t.Error(err)
			}
		}
		allEnd(t)
	}
}

func TestHeeded(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]bool{"none": false, "haltpoll": true} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := heeded(file); got != want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if !heeded(filepath.Join(dir, "missing")) {
		t.Error("a system that names no driver is not asked")
	}
}

func TestTell(t *testing.T) {
	dir := t.TempDir()
	for _, latency := range []string{filepath.Join(dir, "missing"), dir, "/dev/full"} {
		if awake, err := tell(latency); err == nil || awake != nil || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", latency, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	awake, err := tell(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(file); string(got) != "\x00\x00\x00\x005" {
		t.Errorf("%q is written (%v)", got, err)
	}
}

// thread is what Linux tells of one of this program's threads that run when nobody
// else wants the processor.
type thread struct{ processors, blocked string }

// idle are those threads.
func idle(t *testing.T) (all []thread) {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d threads (%v)", len(files), err)
	}
	for _, file := range files {
		var id uintptr
		_, _ = fmt.Sscanf(file, "/proc/self/task/%d/status", &id)                                      // the kernel's
		if policy, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, id, 0, 0); policy != 5 { // SCHED_IDLE
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var one thread
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			switch name {
			case "Cpus_allowed_list":
				one.processors = value
			case "SigBlk":
				one.blocked = value
			}
		}
		all = append(all, one)
	}
	return all
}

// allEnd waits for the end of those threads: the kernel lists them somewhat longer than
// they live.
func allEnd(t *testing.T) {
	t.Helper()
	for began := time.Now(); len(idle(t)) > 0; runtime.Gosched() {
		if time.Since(began) > 10*time.Second {
			t.Fatal("threads go on")
		}
	}
	if len(idling) != 0 {
		t.Errorf("threads that have ended are remembered: %v", idling)
	}
}

// A thread that somebody gives a priority ends by itself: it would stop the machine.
func TestIdlersTakeNoPriority(t *testing.T) {
	awake, err := loop(false)
	if err != nil {
		t.Fatal(err)
	}
	const normal = 0 // sched(7)
	var none int32
	for id := range idling {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_SETSCHEDULER, uintptr(id), normal, uintptr(unsafe.Pointer(&none))); errno != 0 {
			_ = awake.Close()
			t.Skip("a thread may be given no priority: ", errno)
		}
	}
	for began := time.Now(); ; runtime.Gosched() {
		left := 0
		for id := range idling {
			if _, err := os.Stat(fmt.Sprintf("/proc/self/task/%d", id)); err == nil {
				left++
			}
		}
		if left == 0 {
			break
		}
		if time.Since(began) > 10*time.Second {
			t.Fatalf("%d threads go on", left)
		}
	}
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
}

// Each processor that the program may use has a thread of its own, which goes after all
// others and takes no signal, until they are closed.
func TestIdlers(t *testing.T) {
	awake, err := loop(false)
	if err != nil {
		t.Fatal(err)
	}
	threads := idle(t)
	if len(threads) != runtime.NumCPU() {
		t.Errorf("%d threads for %d processors", len(threads), runtime.NumCPU())
	}
	seen := map[string]bool{}
	for _, one := range threads {
		if _, err := strconv.Atoi(one.processors); err != nil || seen[one.processors] {
			t.Errorf("a thread is on the processors %q", one.processors)
		}
		seen[one.processors] = true
		if mask, err := strconv.ParseUint(one.blocked, 16, 64); err != nil || mask>>(syscall.SIGTERM-1)&1 == 0 || mask>>(syscall.SIGURG-1)&1 == 0 {
			t.Errorf("a thread blocks the signals %s", one.blocked)
		}
	}
	runtime.GC() // waits for no thread of C's
	if err := awake.Close(); err != nil {
		t.Error(err)
	}
	allEnd(t)
	if err := awake.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
	if awake, err := loop(true); !errors.Is(err, errors.ErrUnsupported) || awake != nil || len(idle(t)) != 0 {
		t.Errorf("where processor time is limited: %v", err)
	}
}

func TestLimited(t *testing.T) {
	root := t.TempDir()
	write := func(text string, file ...string) string {
		name := filepath.Join(append([]string{root}, file...)...)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	write("max 100000\n", "free", "cpu.max")
	write("50000 100000\n", "box", "cpu.max")
	write("max 100000\n", "box", "in", "it", "cpu.max")
	write("20000\n", "cpu,cpuacct", "old", "cpu.cfs_quota_us")
	write("-1\n", "cpu,cpuacct", "old", "in", "cpu.cfs_quota_us")
	for group, want := range map[string]bool{
		"0::/\n": false, "0::/free\n": false, "0::/free/deeper\n": false, "0::/box\n": true, "0::/box/in/it\n": true,
		"4:memory:/box\n": false, "2:cpu,cpuacct:/old\n0::/\n": true, "2:cpu,cpuacct:/old/in\n": true, "2:cpu,cpuacct:/\n": false, "1:name=systemd:/\n0::/box\n": true, "": false, "0::": false,
	} {
		if got := limited(write(group, "group"), root); got != want {
			t.Errorf("%q: %t", group, got)
		}
	}
	write("50000 100000\n", "cpu.max") // as a container sees its own group
	if !limited(write("0::/\n", "group"), root) {
		t.Error("the topmost group is not seen")
	}
	if limited(filepath.Join(root, "missing"), root) {
		t.Error("a system without groups")
	}
}
