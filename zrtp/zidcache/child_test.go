package zidcache_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
		"create": createChild,
		"update": updateChild,
		"call":   callChild,
		"turn":   turnChild,
		"dying":  dyingChild,
		"limit":  limitChild,
		"disk":   diskChild,
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
	return run(t, command(t, role, args...))
}

func command(t *testing.T, role string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childRole+"="+role)
	cmd.Stderr = os.Stderr
	return cmd
}

func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
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

// done waits until the child has ended well.
func (p *process) done(t *testing.T) {
	t.Helper()
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
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

// dieWithin kills this process at a random moment of the given span.
func dieWithin(span time.Duration) {
	time.AfterFunc(rand.N(span), func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	})
}

// createChild does what updateChild does to one peer, and may be dead before
// there is a file.
func createChild(args []string) error {
	dieWithin(15 * time.Millisecond)
	return updateChild(append(args, "1", "0"))
}

// updateChild writes the next version of one peer after the other and says
// so each time, until it kills itself at a random moment.
//
// Arguments: path, number of peers, number of updates made before.
func updateChild(args []string) error {
	peers, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	done, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	c, err := zidcache.Open(args[0])
	if err != nil {
		return err
	}
	dieWithin(30 * time.Millisecond)
	s := c.Store(own, peer)
	for ; ; done++ {
		i := done % peers
		if err := put(s, zidOf(i), recordOf(i, done/peers+1)); err != nil {
			return err
		}
		fmt.Println(done + 1)
	}
}

// turnChild opens the cache, makes the name of a peer one longer and closes
// it, so many times, and says each time how long the name is.
//
// Arguments: path, number of the peer, times.
func turnChild(args []string) error {
	i, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	for range times {
		c, err := zidcache.Open(args[0])
		for errors.Is(err, zidcache.ErrInUse) {
			c, err = zidcache.Open(args[0])
		}
		if err != nil {
			return err
		}
		n := 0
		err = c.Store(own, peer).Update(zidOf(i), func(r *zrtp.Record) error {
			r.Name += "."
			n = len(r.Name)
			return nil
		})
		if err := errors.Join(err, c.Close()); err != nil {
			return err
		}
		fmt.Println(n)
	}
	return nil
}

func dyingChild(args []string) error {
	dieWithin(60 * time.Millisecond)
	return turnChild(args)
}

// limitChild fills a disk of which a limit on the length of files is the end,
// so that it fails to grow the file.
func limitChild(args []string) error {
	signal.Ignore(syscall.SIGXFSZ) // so that a write fails instead
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	return fill(args[0], func(pages int) error {
		limit := syscall.Rlimit{Cur: uint64(pages) * 4096, Max: free.Max}
		if pages == plenty {
			limit = free
		}
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	})
}

// diskChild fills a disk of 100 pages, in memory, which it has mounted in the
// file's folder for itself alone. A file may grow there without getting the
// pages, and fail when they are written.
func diskChild(args []string) error {
	dir := filepath.Dir(args[0])
	if err := syscall.Mount("zidcache", dir, "tmpfs", 0, "size=400k"); err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	return fill(args[0], func(pages int) error {
		if pages == plenty {
			return os.Remove(ballast)
		}
		err := os.WriteFile(ballast, make([]byte, 400<<10), 0o600)
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("the disk was not full: %w", err)
		}
		info, err := os.Stat(ballast)
		if err != nil {
			return err
		}
		return os.Truncate(ballast, max(0, info.Size()-4096*int64(pages)))
	})
}

const (
	fullPeers = 25
	plenty    = 1000
)

// fill updates a cache while the disk gets fuller, page by page. An update
// either succeeds, or fails and leaves the record as it was; and when there
// is room again, everything works. It ends with version 1000 of every peer,
// and says how many updates failed.
func fill(path string, leave func(pages int) error) error {
	c, err := zidcache.Open(path)
	if err != nil {
		return err
	}
	s := c.Store(own, peer)
	have := make([]zrtp.Record, fullPeers)
	refused := 0
	for n, pages := 0, 40; pages >= 0; n, pages = n+1, pages-1 {
		if err := leave(pages); err != nil {
			return err
		}
		for i := range have {
			want := recordOf(i, n)
			want.Name += strings.Repeat("x", 100*n) // the file wants to grow
			if err := put(s, zidOf(i), want); err == nil {
				have[i] = want
			} else if refused++; !strings.Contains(err.Error(), path) {
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
	if err := leave(plenty); err != nil {
		return err
	}
	for i := range have {
		if err := put(s, zidOf(i), recordOf(i, 1000)); err != nil {
			return err
		}
	}
	if err := c.Close(); err != nil {
		return err
	}
	if c, err = zidcache.Open(path); err != nil {
		return err
	}
	for i := range have {
		got, err := c.Store(own, peer).Load(zidOf(i))
		if d := diff(got, recordOf(i, 1000)); err != nil || d != "" {
			return fmt.Errorf("in the end, peer %d: %s, %w", i, d, err)
		}
	}
	fmt.Println("refused", refused > 0)
	return c.Close()
}
