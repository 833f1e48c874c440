package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// What a program that keeps the processors awake says first, or else why it can't.
const (
	saysAwake       = "awake"
	saysUnsupported = "unsupported"
)

// keepAwake is realtime.StayAwake in a process of its own: what that uses is no cost
// of the legs. It ends with this one, too.
func keepAwake() (io.Closer, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return keepApart(exec.Command(self, "-stay-awake"))
}

// apart is such a process.
type apart struct {
	cmd *exec.Cmd
	in  io.Closer // its end
}

func keepApart(cmd *exec.Cmd) (io.Closer, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	a := &apart{cmd, in}
	says, _ := bufio.NewReader(out).ReadString('\n') // of what ends without a word nothing is known
	switch says = strings.TrimSpace(says); says {
	case saysAwake:
		return a, nil
	case saysUnsupported:
		return nil, errors.Join(errors.ErrUnsupported, a.Close())
	}
	return nil, errors.Join(errors.New(says), a.Close())
}

// Close ends it, and returns when it has ended.
func (a *apart) Close() error { return errors.Join(a.in.Close(), a.cmd.Wait()) }

// stayAwake is what that process does, by stay: the processors stay awake until in
// ends.
func stayAwake(stay func() (io.Closer, error), in io.Reader, out io.Writer) error {
	awake, err := stay()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		fmt.Fprintln(out, saysUnsupported)
		return nil
	case err != nil:
		fmt.Fprintln(out, err)
		return nil
	}
	fmt.Fprintln(out, saysAwake)
	_, err = io.Copy(io.Discard, in)
	return errors.Join(err, awake.Close())
}
