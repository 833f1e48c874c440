package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is one phone of the demo, in a process of its own.
type child struct {
	side      side
	cmd       *exec.Cmd
	stderr    bytes.Buffer
	listening chan netip.AddrPort // gets the address of a phone that listens
	output    sync.WaitGroup

	heard heard // valid after wait
}

// heard is what a phone said on its standard output.
type heard struct {
	codec   string
	secured securedRecord
	refused refusedRecord
	ended   endedRecord
}

// startChild runs this program again with args.
func startChild(ctx context.Context, s side, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{side: s, cmd: exec.CommandContext(ctx, self, append(args, "--json")...), listening: make(chan netip.AddrPort, 1)}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = 5 * time.Second
	c.cmd.Stderr = &c.stderr
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	c.output.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			c.take(lines.Bytes())
		}
		close(c.listening)
	})
	return c, nil
}

// take reads one line of --json.
func (c *child) take(line []byte) {
	var r struct{ Event, Address, Codec string }
	if json.Unmarshal(line, &r) != nil {
		return
	}
	var into any
	switch r.Event {
	case "listening":
		if address, err := netip.ParseAddrPort(r.Address); err == nil {
			c.listening <- address
		}
		return
	case "answered":
		c.heard.codec = r.Codec
		return
	case "secured":
		into = &c.heard.secured
	case "refused":
		into = &c.heard.refused
	case "ended":
		into = &c.heard.ended
	default:
		return
	}
	_ = json.Unmarshal(line, into) // read once already
}

// address waits until the phone listens and says where.
func (c *child) address() (netip.AddrPort, error) {
	address, ok := <-c.listening
	if !ok {
		return netip.AddrPort{}, errors.Join(errors.New("does not listen"), c.stop())
	}
	return address, nil
}

// wait waits for the process to end and returns its exit code.
func (c *child) wait() (int, error) {
	c.output.Wait()
	err := c.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 0, fmt.Errorf("%v: %w", c.side, err)
	}
	return c.cmd.ProcessState.ExitCode(), nil
}

// complaint is what the phone said on its standard error.
func (c *child) complaint() string {
	return strings.TrimPrefix(oneLine(c.stderr.String()), "sotto: ")
}

// stop has a phone hang up that is no longer needed, and waits for it.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended already
	if _, err := c.wait(); err != nil {
		return err
	}
	if text := c.complaint(); text != "" {
		return fmt.Errorf("%v: %s", c.side, text)
	}
	return nil
}
