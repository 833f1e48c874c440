package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience bounds every wait for what should happen. A demo may take up to its
// limit on a busy machine.
const patience = demoLimit + 30*time.Second

// sottoPath is the path of the command, built once by TestMain.
var sottoPath string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "sotto-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	sottoPath = filepath.Join(dir, "sotto")
	args := append([]string{"build", "-tags", "nolibopusfile", "-buildvcs=false", "-o", sottoPath}, buildFlags...)
	code := 1
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
	} else {
		code = m.Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// process is the real binary at work.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	lines  chan string // of standard output; closed at its end
	stdout strings.Builder
	stderr bytes.Buffer
}

// start runs the binary. It is killed when the test ends or patience does.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	if (args[0] == "call" || args[0] == "listen") && !slices.Contains(args, "--in") && !slices.Contains(args, "--device") {
		args = append(args, "--in", "silence") // not every machine has a microphone
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &process{cmd: exec.CommandContext(ctx, sottoPath, args...), lines: make(chan string, 1000)}
	p.cmd.Stderr = &p.stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for scanner := bufio.NewScanner(stdout); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		cancel()
		p.exit(t)
		if t.Failed() {
			t.Logf("sotto %s\n%s%s", strings.Join(args, " "), p.stdout.String(), p.stderr.String())
		}
	})
	return p
}

// line waits for the next line of standard output that contains text.
func (p *process) line(t *testing.T, text string) string {
	t.Helper()
	for line := range p.lines {
		fmt.Fprintln(&p.stdout, line)
		if strings.Contains(line, text) {
			return line
		}
	}
	t.Fatalf("the process ended without printing %q", text)
	return ""
}

// event waits for the next event of that name and decodes it into an E.
func event[E any](t *testing.T, p *process, name string) E {
	t.Helper()
	line := p.line(t, fmt.Sprintf(`{"event":%q`, name))
	var e E
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return e
}

// exit waits for the process to end and returns its exit code, -1 if it was
// killed. It may be called again.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	for line := range p.lines {
		fmt.Fprintln(&p.stdout, line)
	}
	var failed *exec.ExitError
	if p.cmd.ProcessState == nil {
		if err := p.cmd.Wait(); err != nil && !errors.As(err, &failed) && !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// enter types a line on the process's standard input.
func (p *process) enter(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatal(err)
	}
}

// wantFailure holds the end of p against an exit code and the one line it must
// have left on standard error.
func wantFailure(t *testing.T, p *process, code int, text string) {
	t.Helper()
	if got := p.exit(t); got != code {
		t.Errorf("exit code %d, want %d", got, code)
	}
	message := p.stderr.String()
	if !strings.HasPrefix(message, "sotto: ") || strings.Count(message, "\n") != 1 || !strings.HasSuffix(message, "\n") {
		t.Errorf("not one clear line on standard error: %q", message)
	}
	if !strings.Contains(message, text) {
		t.Errorf("standard error %q does not say %q", message, text)
	}
}

// wantSuccess is for a process that has nothing to complain about.
func wantSuccess(t *testing.T, p *process) {
	t.Helper()
	if code := p.exit(t); code != exitOK || p.stderr.Len() != 0 {
		t.Errorf("exit code %d, standard error %q", code, p.stderr.String())
	}
}
