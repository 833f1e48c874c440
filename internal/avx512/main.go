// Avx512 runs the short tests of packages on a processor with AVX-512, and
// demands that each package ran its tier "avx512" there: of what only such a
// processor executes, nothing may be left untested because developers and CI
// have another one.
//
// Where this machine has AVX-512 the test binaries simply run. Elsewhere Bochs
// emulates a processor that has it, and a Debian kernel starts on it with the
// test binaries as its only programs; scripts/emulator fetches both. That is
// about a hundred times slower than this machine, and says nothing of speed.
//
// Run it at the module's root, with packages that do without cgo:
//
//	go run ./internal/avx512 [flags] PACKAGE...
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sotto/internal/processor"
)

func main() {
	emulate := flag.Bool("emulate", false, "emulate even if this processor has AVX-512")
	run := flag.String("run", "", "run only tests that match this `expression`, as go test does")
	skip := flag.String("skip", "", "run no test that matches this `expression`, as go test does not")
	timeout := flag.Duration("timeout", 30*time.Minute, "give up after this `duration`")
	verbose := flag.Bool("v", false, "print what the tests print, and the emulated kernel's own messages")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	o := options{run: *run, skip: *skip, verbose: *verbose, native: processor.HasAVX512 && !*emulate}
	if err := o.test(ctx, flag.Args()); err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("not finished after %v: %w", *timeout, err)
		}
		fmt.Fprintln(os.Stderr, "avx512:", err)
		os.Exit(1)
	}
}

type options struct {
	run, skip       string
	verbose, native bool
}

// suite is the tests of one package, built.
type suite struct {
	pkg    string // import path
	dir    string // the package's own
	binary string
}

func (o options) test(ctx context.Context, packages []string) error {
	work, err := os.MkdirTemp("", "avx512")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	suites, err := build(ctx, work, packages)
	if err != nil {
		return err
	}
	start := time.Now()
	v := &verdict{out: os.Stdout, verbose: o.verbose, start: start}
	if o.native {
		fmt.Println("this processor has AVX-512")
		err = o.runHere(ctx, suites, v)
	} else {
		fmt.Println("this processor has no AVX-512, or is not to be used: Bochs emulates one")
		err = o.runEmulated(ctx, work, suites, v)
	}
	return errors.Join(v.err(suites), err)
}

// build compiles the tests of packages for a machine without libraries.
func build(ctx context.Context, work string, packages []string) ([]suite, error) {
	list := exec.CommandContext(ctx, "go", append([]string{"list", "-f", "{{.ImportPath}} {{.Dir}}"}, packages...)...)
	list.Stderr = os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var suites []suite
	for line := range strings.Lines(string(out)) {
		pkg, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
		s := suite{pkg: pkg, dir: dir, binary: filepath.Join(work, fmt.Sprintf("%d.test", len(suites)))}
		fmt.Println("building the tests of", pkg)
		compile := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-o", s.binary, pkg)
		compile.Env = append(os.Environ(), "CGO_ENABLED=0")
		compile.Stderr = os.Stderr
		if err := compile.Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", pkg, err)
		}
		suites = append(suites, s)
	}
	return suites, nil
}

// arguments are those of every test binary.
func (o options) arguments() []string {
	return []string{"-test.v", "-test.short", "-test.run=" + o.run, "-test.skip=" + o.skip}
}

// runHere runs the suites on this processor.
func (o options) runHere(ctx context.Context, suites []suite, v *verdict) error {
	for _, s := range suites {
		var printed bytes.Buffer
		test := exec.CommandContext(ctx, s.binary, o.arguments()...)
		test.Dir, test.Stdout, test.Stderr = s.dir, &printed, &printed
		err := test.Run()
		if test.ProcessState == nil {
			return err
		}
		r := io.MultiReader(strings.NewReader(begins+s.pkg+"\n"), &printed,
			strings.NewReader(fmt.Sprintf("\n%s%s %d\n", ends, s.pkg, test.ProcessState.ExitCode())))
		if err := v.read(r); err != nil {
			return err
		}
	}
	return nil
}
