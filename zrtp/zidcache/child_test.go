package zidcache_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/zidcache"
)

// childRole, in the environment, turns the test binary into a child process
// that does one thing with a cache.
const childRole = "ZIDCACHE_TEST_CHILD"

func TestMain(m *testing.M) {
	roles := map[string]func(args []string) error{
		"hold":   holdChild,
		"update": updateChild,
		"full":   fullChild,
	}
	name := os.Getenv(childRole)
	if name == "" {
		os.Exit(m.Run())
	}
	if err := roles[name](os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

// process is a running child; out has its lines.
type process struct {
	cmd *exec.Cmd
	out *bufio.Scanner
}

func start(t *testing.T, role string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open until it ends
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{cmd: cmd, out: bufio.NewScanner(out)}
}

// expect waits for one line.
func (p *process) expect(t *testing.T, line string) {
	t.Helper()
	if !p.out.Scan() || p.out.Text() != line {
		t.Fatalf("child said %q, %v", p.out.Text(), p.out.Err())
	}
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.killed(t)
}

// killed waits until the child is dead by SIGKILL, and not by itself.
func (p *process) killed(t *testing.T) {
	t.Helper()
	_ = p.cmd.Wait()
	if ws := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("child ended with %v", p.cmd.ProcessState)
	}
}

// holdChild opens a cache and holds it.
func holdChild(args []string) error {
	if _, err := zidcache.Open(args[0]); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin) // until it is killed
	return err
}

// updateChild writes the next version of one peer after the other and says
// so each time, until it kills itself at a random moment.
//
// Arguments: path, number of peers, number of updates made before, longest
// life in microseconds.
func updateChild(args []string) error {
	var n [3]int
	for i := range n {
		var err error
		if n[i], err = strconv.Atoi(args[1+i]); err != nil {
			return err
		}
	}
	peers, done, life := n[0], n[1], n[2]
	time.AfterFunc(time.Duration(rand.IntN(life))*time.Microsecond, func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
	c, err := zidcache.Open(args[0])
	if err != nil {
		return err
	}
	s := c.Store(own, peer)
	for ; ; done++ {
		i := done % peers
		if err := put(s, zidOf(i), recordOf(i, done/peers+1)); err != nil {
			return err
		}
		fmt.Println(done + 1)
	}
}

// fullChild updates a cache while the largest file that it may write gets
// smaller, page by page, as if the disk were full from there on. An update
// either succeeds, or fails and leaves the record as it was; and when there
// is room again, everything works. It ends with version 1000 of every peer.
func fullChild(args []string) error {
	signal.Ignore(syscall.SIGXFSZ) // so that a write fails instead
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	c, err := zidcache.Open(args[0])
	if err != nil {
		return err
	}
	s := c.Store(own, peer)
	have := make([]zrtp.Record, fullPeers)
	refused := 0
	for n, pages := 0, 40; pages >= 0; n, pages = n+1, pages-1 {
		full := syscall.Rlimit{Cur: uint64(pages) * 4096, Max: free.Max}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &full); err != nil {
			return err
		}
		for i := range have {
			want := recordOf(i, n)
			want.Name += strings.Repeat("x", 100*n) // the file wants to grow
			if err := put(s, zidOf(i), want); err == nil {
				have[i] = want
			} else if refused++; !strings.Contains(err.Error(), args[0]) {
				return err
			}
			got, err := s.Load(zidOf(i))
			if err != nil {
				return err
			}
			if d := diff(got, have[i]); d != "" {
				return fmt.Errorf("peer %d, %d pages: %s", i, pages, d)
			}
		}
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	for i := range have {
		if err := put(s, zidOf(i), recordOf(i, 1000)); err != nil {
			return err
		}
	}
	fmt.Println("refused", refused > 0)
	return c.Close()
}

const fullPeers = 25
