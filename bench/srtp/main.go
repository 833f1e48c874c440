// Command srtp measures what it costs to protect and to unprotect one SRTP
// packet: ours under each set of instructions that this processor has, one
// packet at a time and 32 at once, beside pion/srtp, libsrtp, and what the
// processor needs for the cryptography alone.
//
//	go run ./bench/srtp
//	go run ./bench/srtp -json
//	go run ./bench/srtp -report   # writes README.md and srtp.svg from results.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"sotto/bench/internal/report"
)

// leastRounds makes a median worth the name.
const leastRounds = 7

// options are the flags.
type options struct {
	rounds   int
	json     bool
	report   bool
	profiles string
	worker   string
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 15, fmt.Sprintf("rounds to take medians of, at least %d", leastRounds))
	flag.BoolVar(&o.json, "json", false, "one JSON object with the machine and all rows, instead of a table")
	flag.BoolVar(&o.report, "report", false, "measure nothing: write README.md and srtp.svg from "+resultsFile)
	flag.StringVar(&o.profiles, "profiles", strings.Join(profiles, ","), "profiles to measure, by their IANA names")
	flag.StringVar(&o.worker, "worker", "", "what the processes are called that this one starts: ours or pion")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fail(fmt.Errorf("no arguments are known, only flags: %q", flag.Args()))
	}
	if err := o.run(); err != nil {
		fail(err)
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, `Usage: go run ./bench/srtp [flags]

Measures protecting and unprotecting of SRTP packets: ours under each set of
instructions that this processor has (SOTTO_SRTP_TIER), beside pion/srtp and
libsrtp. Progress goes to standard error, the table or the JSON to standard
output. Wants a quiet machine; "taskset -c 1" before the command keeps
everything on one core.`)
	fmt.Fprintln(os.Stderr)
	flag.PrintDefaults()
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "srtp:", err)
	os.Exit(1)
}

func (o options) run() error {
	switch {
	case o.worker != "":
		return work(o.worker, os.Stdin, os.Stdout)
	case o.report:
		return report.Write(resultsFile, files)
	case o.rounds < leastRounds:
		return fmt.Errorf("-rounds %d: a median of fewer than %d is none", o.rounds, leastRounds)
	}
	chosen := strings.Split(o.profiles, ",")
	for _, p := range chosen {
		if !slices.Contains(profiles, p) {
			return fmt.Errorf("-profiles: there is no %q; there are %s", p, strings.Join(profiles, ", "))
		}
	}
	b, err := newBench(o.rounds)
	if err != nil {
		return err
	}
	rows, err := b.measure(chosen)
	if err := errors.Join(err, b.close()); err != nil {
		return err
	}
	all := results{Machine: b.machine, Rows: rows}
	if o.json {
		return all.write(os.Stdout)
	}
	return all.table(os.Stdout)
}

// write prints JSON with a row a line.
func (r results) write(w *os.File) error {
	machine, err := json.MarshalIndent(r.Machine, "", "  ")
	if err != nil {
		return err
	}
	var lines []string
	for _, row := range r.Rows {
		line, err := json.Marshal(row)
		if err != nil {
			return err
		}
		lines = append(lines, string(line))
	}
	_, err = fmt.Fprintf(w, "{\"machine\": %s,\n\"rows\": [\n%s\n]}\n", machine, strings.Join(lines, ",\n"))
	return err
}
