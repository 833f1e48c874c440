//go:build interop

package routes

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a program that runs as long as its test.
type daemon struct {
	t      *testing.T
	name   string
	log    string
	cmd    *exec.Cmd
	exited chan struct{}
}

// startDaemon starts a program whose output goes to a file in dir. It is killed
// when the test ends.
func startDaemon(t *testing.T, dir string, cmd *exec.Cmd) *daemon {
	t.Helper()
	name := filepath.Base(cmd.Path)
	d := &daemon{t: t, name: name, log: filepath.Join(dir, name+".log"), cmd: cmd, exited: make(chan struct{})}
	log, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stderr = log
	if cmd.Stdout == nil {
		cmd.Stdout = log
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	go func() {
		cmd.Wait()
		close(d.exited)
	}()
	t.Cleanup(func() {
		d.signal(syscall.SIGCONT)
		d.kill()
		if text, err := os.ReadFile(d.log); t.Failed() && err == nil {
			t.Logf("%s said:\n%s", name, text[max(0, len(text)-3000):])
		}
	})
	return d
}

func (d *daemon) signal(s syscall.Signal) { d.cmd.Process.Signal(s) }

// kill ends the program at once, and returns when it is gone.
func (d *daemon) kill() {
	d.signal(syscall.SIGKILL)
	<-d.exited
}

// listens waits until somebody listens at the socket.
func (d *daemon) listens(socket string) {
	d.t.Helper()
	eventually(d.t, d.name+" listens", func() bool {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return false
		}
		conn.Close()
		return true
	})
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// output runs a program and returns what it prints and whether it succeeds.
func output(name string, args ...string) (string, bool) {
	out, err := exec.Command(name, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err == nil
}

// must runs a program that must succeed, and returns what it prints.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, ok := output(name, args...)
	if !ok {
		t.Fatalf("%s %s: %s", name, strings.Join(args, " "), out)
	}
	return out
}
