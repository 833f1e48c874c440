// Command sotto is a softphone on the command line: it places and takes calls
// whose voice is encrypted end to end, and shows what happens in them to
// people as text or to programs as JSON.
//
// It exits with 0 when the call ended normally, 1 when the command line is
// wrong, 2 when the call failed, and 3 when it was not secure. The subcommand
// zrtp, which makes no call, has codes of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"

	"sotto/engine"
)

// The exit codes.
const (
	exitOK          = 0
	exitUsage       = 1
	exitFailed      = 2
	exitNotSecure   = 3
	exitInterrupted = 130 // as shells count SIGINT
)

// failure is an error that leads to an exit code. Every other error is a
// matter of usage.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed is an error with exitFailed.
func failed(err error) error { return &failure{exitFailed, err} }

// usage is failed, unless the user has given an address that is none.
func usage(err error) error {
	if errors.Is(err, engine.ErrBadAddress) {
		return err
	}
	return failed(err)
}

func main() { os.Exit(run(os.Args[1:])) }

// run executes one command line. The first SIGINT or SIGTERM ends its context,
// so that calls are hung up; the second one kills. That nobody reads any more what
// is printed is an error of the write, and would otherwise kill in mid-call.
func run(args []string) int {
	signal.Ignore(syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // until the process ends
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitUsage
	var f *failure
	if errors.As(err, &f) {
		code = f.code
	}
	fmt.Fprintln(os.Stderr, "sotto:", oneLine(err.Error()))
	return code
}

// oneLine makes text that may hold the peer's words safe for a terminal, and
// one line of it.
func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s))
}
