//go:build interop

package interop

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// packages is what a Debian machine needs for these tests.
const packages = "apt-get install -y linphone-cli baresip-core libbzrtp-dev libsqlite3-dev libsrtp2-dev gcc tcpdump tshark"

// patience bounds every wait for something a peer should do at once. It is
// long because peers share a small machine with each other.
const patience = 20 * time.Second

// requireTool fails the test when a program is missing: a peer that isn't
// there proves nothing.
func requireTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Fatalf("%s is not installed; run: %s", name, packages)
	}
}

// telephone is the command for a program that plays and records: it goes before
// other work where that is allowed (root), so that a busy machine isn't heard
// in the recordings.
func telephone(name string, args ...string) *exec.Cmd {
	return exec.Command("nice", append([]string{"-n", "-15", name}, args...)...)
}

// transcript collects the lines a process prints and lets one reader wait for
// the next line of interest. Reading is forward only.
type transcript struct {
	mu    sync.Mutex
	lines []string
	next  int           // first line that no await has passed
	ended bool          // the process closed its output
	more  chan struct{} // closed and replaced at every change
}

func newTranscript() *transcript { return &transcript{more: make(chan struct{})} }

// collect reads r to its end. done tells that this reader has finished.
func (tr *transcript) collect(r io.Reader, done func()) {
	defer done()
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			tr.change(func() { tr.lines = append(tr.lines, strings.TrimRight(line, "\r\n")) })
		}
		if err != nil {
			return
		}
	}
}

func (tr *transcript) change(f func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	f()
	close(tr.more)
	tr.more = make(chan struct{})
}

// await returns the next line that match accepts and moves past it.
func (tr *transcript) await(ctx context.Context, match func(line string) bool) (string, error) {
	for {
		tr.mu.Lock()
		for tr.next < len(tr.lines) {
			line := tr.lines[tr.next]
			tr.next++
			if match(line) {
				tr.mu.Unlock()
				return line, nil
			}
		}
		ended, more := tr.ended, tr.more
		tr.mu.Unlock()
		if ended {
			return "", errors.New("the process ended first")
		}
		select {
		case <-more:
		case <-ctx.Done():
			return "", errors.New("no such line in time")
		}
	}
}

// tail is the end of the transcript, for failure messages.
func (tr *transcript) tail() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.lines[max(0, len(tr.lines)-40):], "\n")
}

// process is one running peer or one running sotto.
type process struct {
	name   string
	out    *transcript
	stdin  io.WriteCloser
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has been waited for
	err    error         // of Wait; valid once exited is closed
}

// startProcess starts cmd with its output, and what it writes to its
// descriptor 3, in one transcript; a cmd.Stdout that is already set stays. The
// process is killed when the test ends.
func startProcess(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, out: newTranscript(), cmd: cmd, exited: make(chan struct{})}
	extra, extraEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	output, outputEnd, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr, cmd.ExtraFiles = outputEnd, []*os.File{extraEnd}
	if cmd.Stdout == nil {
		cmd.Stdout = outputEnd
	}
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	extraEnd.Close()
	outputEnd.Close()
	var readers sync.WaitGroup
	readers.Add(2)
	go p.out.collect(extra, readers.Done)
	go p.out.collect(output, readers.Done)
	go func() {
		p.err = cmd.Wait()
		readers.Wait()
		p.out.change(func() { p.out.ended = true })
		close(p.exited)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.exited
		extra.Close()
		output.Close()
		if t.Failed() {
			t.Logf("last lines of %s:\n%s", name, p.out.tail())
		}
	})
	return p
}

// await returns the next line containing text and fails the test when none
// comes within limit.
func (p *process) await(t *testing.T, text string, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	line, err := p.out.await(ctx, func(line string) bool { return strings.Contains(line, text) })
	if err != nil {
		t.Fatalf("%s: waiting for %q: %v", p.name, text, err)
	}
	return line
}

// awaitAll returns the next line containing each of the texts, in whatever order
// they come, and fails the test when one is missing for longer than patience.
func (p *process) awaitAll(t *testing.T, texts ...string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	found := make([]string, len(texts))
	_, err := p.out.await(ctx, func(line string) bool {
		for i, text := range texts {
			if found[i] == "" && strings.Contains(line, text) {
				found[i] = line
			}
		}
		return !slices.Contains(found, "")
	})
	if err != nil {
		t.Fatalf("%s: waiting for %q, there are %q: %v", p.name, texts, found, err)
	}
	return found
}

// printed says whether a line so far contains text.
func (p *process) printed(text string) bool { return p.count(text) > 0 }

// count is how many lines so far contain text.
func (p *process) count(text string) (n int) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	for _, line := range p.out.lines {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

// say writes one line to the process.
func (p *process) say(t *testing.T, format string, args ...any) {
	t.Helper()
	if _, err := fmt.Fprintf(p.stdin, format+"\n", args...); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// exitCode waits for the process to end by itself.
func (p *process) exitCode(t *testing.T, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(limit):
		t.Fatalf("%s: still running after %v", p.name, limit)
	}
	var failed *exec.ExitError
	if p.err != nil && !errors.As(p.err, &failed) {
		t.Fatalf("%s: %v", p.name, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}
