package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// rivalSource is our text; the program that comes of it is GPL and stays a
// process apart, see its head.
//
//go:embed bzrtp/bzrtp_pair.c
var rivalSource []byte

// rival is libbzrtp in a program of its own; nil when it can't be built.
type rival struct{ dir, program string }

// buildRival compiles it into a temporary directory.
func buildRival() (*rival, error) {
	dir, err := os.MkdirTemp("", "sotto-bench-zrtp-")
	if err != nil {
		return nil, err
	}
	r := &rival{dir: dir, program: filepath.Join(dir, "bzrtp_pair")}
	source := r.program + ".c"
	if err := os.WriteFile(source, rivalSource, 0o600); err != nil {
		r.remove()
		return nil, err
	}
	gcc := exec.Command("gcc", "-O2", "-o", r.program, source, "-lbzrtp", "-lbctoolbox", "-lsqlite3")
	if out, err := gcc.CombinedOutput(); err != nil {
		r.remove()
		return nil, fmt.Errorf("gcc: %w\n%s\nsudo apt-get install -y gcc libc6-dev libbzrtp-dev libbctoolbox-dev libsqlite3-dev", err, out)
	}
	return r, nil
}

func (r *rival) remove() {
	if r != nil {
		_ = os.RemoveAll(r.dir) // a leftover in /tmp harms nobody
	}
}

// handshakes measures n of them, the average for both sides.
func (r *rival) handshakes(s suite, n int) (setup, handshake time.Duration, err error) {
	out, err := r.run(s.agreement, s.hash, s.cipher, strconv.Itoa(n))
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscan(out, &setup, &handshake); err != nil {
		return 0, 0, fmt.Errorf("libbzrtp said %q: %w", out, err)
	}
	return setup, handshake, nil
}

// calls makes n of them over l, with the seeds from 0.
func (r *rival) calls(s suite, l link, n int) ([]times, error) {
	out, err := r.run(s.agreement, s.hash, s.cipher, strconv.Itoa(n),
		strconv.Itoa(l.perMille), strconv.FormatInt(l.oneWay.Milliseconds(), 10))
	if err != nil {
		return nil, err
	}
	var all []times
	for line := range strings.Lines(out) {
		var initiator, responder time.Duration
		if _, err := fmt.Sscan(line, &initiator, &responder); err != nil {
			return nil, fmt.Errorf("libbzrtp said %q: %w", line, err)
		}
		all = append(all, times{initiator * time.Millisecond, responder * time.Millisecond})
	}
	if len(all) != n {
		return nil, fmt.Errorf("libbzrtp made %d calls of %d", len(all), n)
	}
	return all, nil
}

func (r *rival) run(args ...string) (string, error) {
	out, err := exec.Command(r.program, args...).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("libbzrtp: %w: %s", err, exit.Stderr)
	}
	return string(out), err
}
