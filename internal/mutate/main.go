// Mutate switches off the security checks of this module, one at a time, and
// demands that a test notices each. A check whose absence nobody notices is
// one that the next change may lose.
//
// It patches nothing: the changed file reaches the compiler as an overlay. Run
// it at the module's root; an argument is a regular expression, and only
// mutants whose line matches it are tried.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// workers is how many mutants are tried at once.
const workers = 2

// patience bounds one mutant's tests: a check may be what keeps them from
// hanging.
const patience = 2 * time.Minute

// mutant is a file of ours with one check less.
type mutant struct {
	file         string
	was, becomes string // was stands in the file exactly once
	tests        string // expression for the tests in the file's package, of which one must fail
}

// off is a mutant in which a condition is never true. Cond is what stands
// behind "if", an assignment before it included.
func off(file, cond, tests string) mutant {
	assignment, condition, found := strings.Cut(cond, "; ")
	if found {
		assignment += "; "
	} else {
		assignment, condition = "", cond
	}
	return mutant{file, "if " + cond + " {", "if " + assignment + "false && (" + condition + ") {", tests}
}

// without is a mutant in which a statement is not there.
func without(file, statement, tests string) mutant { return mutant{file, statement, "", tests} }

func (m mutant) String() string {
	line, _, _ := strings.Cut(strings.TrimSpace(m.was), "\n")
	return m.file + ": " + line
}

func main() {
	var only *regexp.Regexp
	if len(os.Args) > 1 {
		only = regexp.MustCompile(os.Args[1])
	}
	var all []mutant
	for _, m := range slices.Concat(zrtpMutants(), messageMutants(), engineMutants(), mediaMutants(), opusMutants(), protectMutants(), routeMutants(), sipMutants()) {
		if only == nil || only.MatchString(m.String()) {
			all = append(all, m)
		}
	}
	if err := run(all); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(all []mutant) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := control(all); err != nil {
		return err
	}
	var (
		mu     sync.Mutex
		faults int
		wait   sync.WaitGroup
		todo   = make(chan int)
	)
	for range workers {
		wait.Go(func() {
			for i := range todo {
				verdict, fine := all[i].try(filepath.Join(dir, fmt.Sprint(i)))
				mu.Lock()
				fmt.Printf("%-9s %s\n", verdict, all[i])
				if !fine {
					faults++
				}
				mu.Unlock()
			}
		})
	}
	for i := range all {
		todo <- i
	}
	close(todo)
	wait.Wait()
	fmt.Printf("%d mutants, %d not noticed\n", len(all), faults)
	if faults > 0 || len(all) == 0 {
		return fmt.Errorf("%d of %d mutants", faults, len(all))
	}
	return nil
}

// control runs the tests that are meant to fail on the code as it is.
func control(all []mutant) error {
	tests := map[string][]string{}
	for _, m := range all {
		if pkg := m.pkg(); !slices.Contains(tests[pkg], m.tests) {
			tests[pkg] = append(tests[pkg], m.tests)
		}
	}
	for pkg, list := range tests {
		if red, out := goTest(nil, pkg, strings.Join(list, "|")); red {
			return fmt.Errorf("%s fails without any mutant:\n%s", pkg, out)
		}
	}
	return nil
}

func (m mutant) pkg() string { return "./" + filepath.Dir(m.file) }

// try runs the tests with the mutant; fine: one of them fails.
func (m mutant) try(scratch string) (verdict string, fine bool) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return err.Error(), false
	}
	if n := strings.Count(string(text), m.was); n != 1 {
		return fmt.Sprintf("FOUND %d TIMES", n), false
	}
	overlay, err := m.overlay(scratch, strings.Replace(string(text), m.was, m.becomes, 1))
	if err != nil {
		return err.Error(), false
	}
	red, out := goTest([]string{"-overlay=" + overlay}, m.pkg(), m.tests)
	switch {
	case bytes.Contains(out, []byte("[build failed]")), bytes.Contains(out, []byte("[setup failed]")):
		return "DOES NOT COMPILE\n" + string(out), false
	case !red:
		return "SURVIVED", false
	}
	return "noticed", true
}

// overlay writes what the go command reads instead of the mutant's file.
func (m mutant) overlay(scratch, text string) (string, error) {
	path, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: scratch + ".go"}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(scratch+".go", []byte(text), 0o600); err != nil {
		return "", err
	}
	return scratch + ".json", os.WriteFile(scratch+".json", list, 0o600)
}

// goTest says whether a test fails, and what was printed.
func goTest(flags []string, pkg, tests string) (red bool, out []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args := slices.Concat([]string{"test", "-vet=off", "-ldflags=-w", "-count=1", "-failfast", "-timeout=60s", "-run=" + tests}, flags, []string{pkg})
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if bytes.Contains(out, []byte("no tests to run")) {
		return false, append(out, "no such test"...)
	}
	return err != nil, out
}
