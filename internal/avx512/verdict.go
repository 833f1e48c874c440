package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
)

// What the guest prints before and after a package's tests, in front of its
// import path; the exit code follows that of the latter.
const (
	begins = "@avx512 begins "
	ends   = "@avx512 ends "
)

// ran matches the line of a passed test of the tier, which every package names
// as an element of its subtests' names.
var ran = regexp.MustCompile(`^ *--- PASS: \S*/avx512(/\S*)? \(`)

// verdict reads what the tests print and says whether they prove anything.
type verdict struct {
	out     io.Writer
	verbose bool
	start   time.Time

	held    strings.Builder // what the current package has printed
	tiers   int             // passed tests of the tier in the current package
	passed  map[string]bool
	failure []error
}

// read takes the lines of r to its end. A package's output is shown when its
// tests fail.
func (v *verdict) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if v.verbose {
			fmt.Fprintln(v.out, line)
		}
		switch {
		case strings.HasPrefix(line, begins):
			v.held.Reset()
			v.tiers = 0
		case strings.HasPrefix(line, ends):
			pkg, code, _ := strings.Cut(strings.TrimPrefix(line, ends), " ")
			v.ended(pkg, code)
		default:
			if ran.MatchString(line) {
				v.tiers++
			}
			if test, passed := strings.CutPrefix(line, "--- PASS: "); passed && !v.verbose {
				name, _, _ := strings.Cut(test, " ")
				fmt.Fprintf(v.out, "%8v %s\n", v.elapsed(), name) // progress
			}
			fmt.Fprintln(&v.held, line)
		}
	}
	return lines.Err()
}

// ended judges one package by the exit code of its tests and by what they ran.
func (v *verdict) ended(pkg, code string) {
	var err error
	switch {
	case code != "0":
		err = fmt.Errorf("%s: tests failed with exit code %s", pkg, code)
		if !v.verbose {
			fmt.Fprint(v.out, v.held.String())
		}
	case v.tiers == 0:
		err = fmt.Errorf("%s: passed, but no test of the tier avx512 has run", pkg)
	}
	if err != nil {
		fmt.Fprintf(v.out, "FAIL %s after %v\n", pkg, v.elapsed())
		v.failure = append(v.failure, err)
	} else {
		fmt.Fprintf(v.out, "ok   %s after %v, %d passed tests of the tier avx512\n", pkg, v.elapsed(), v.tiers)
	}
	if v.passed == nil {
		v.passed = map[string]bool{}
	}
	v.passed[pkg] = err == nil
	v.held.Reset()
}

func (v *verdict) elapsed() time.Duration { return time.Since(v.start).Round(time.Second) }

// err is nil if every suite has ended well. A suite that was not heard of to
// its end has failed, and what was heard last says why.
func (v *verdict) err(suites []suite) error {
	failure := v.failure
	for _, s := range suites {
		if _, heard := v.passed[s.pkg]; !heard {
			failure = append(failure, fmt.Errorf("%s: its tests have not ended", s.pkg))
		}
	}
	if len(v.passed) < len(suites) && !v.verbose {
		fmt.Fprint(v.out, v.held.String())
	}
	return errors.Join(failure...)
}
