// Command leak looks at what somebody on the wire sees of a call, the lengths
// and the times of its packets, and asks how much of the speech is in them: how
// many lengths there are, the mutual information of length and energy, and of
// interval and energy, and whether the language can be told. Secure mode has to
// give nothing away; beside it is Opus at a variable bit rate, which has to give
// away so much that it shows that the measures work.
//
//	go run ./bench/leak
//	go run ./bench/leak -json
//	go run ./bench/leak -report   # writes README.md from results.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"time"

	"sotto/bench/internal/report"
)

func main() {
	seconds := flag.Int("seconds", 60, "length of the call whose intervals are measured, in real time")
	asJSON := flag.Bool("json", false, "one JSON object, instead of a table")
	write := flag.Bool("report", false, "measure nothing: write README.md from "+resultsFile)
	flag.Parse()
	err := errors.New("no arguments are known, only flags")
	switch {
	case flag.NArg() > 0:
	case *write:
		err = report.Write(resultsFile, files)
	default:
		err = run(time.Duration(*seconds)*time.Second, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "leak:", err)
		os.Exit(1)
	}
}

// results is what one run has measured.
type results struct {
	Taken     string     `json:"taken"`
	Go        string     `json:"go"`
	Speech    string     `json:"speech"` // the synthesizer
	Languages []string   `json:"languages"`
	Sizes     []sizes    `json:"sizes"`
	Intervals []interval `json:"intervals"`
}

// run measures, prints, and says what is not as it has to be.
func run(length time.Duration, asJSON bool) error {
	if length < 10*time.Second || length > time.Hour {
		return fmt.Errorf("a call of %v is not from 10 s to an hour", length)
	}
	synth, err := newSynthesizer()
	if err != nil {
		return err
	}
	utterances, err := synth.speak()
	if err != nil {
		return err
	}
	r := results{Taken: time.Now().UTC().Format(time.DateOnly), Go: runtime.Version(), Speech: synth.version}
	for _, l := range languages {
		r.Languages = append(r.Languages, l.name)
	}
	fmt.Fprintf(os.Stderr, "leak: %d utterances\n", len(utterances))
	for _, m := range modes {
		s, err := m.measure(utterances)
		if err != nil {
			return err
		}
		r.Sizes = append(r.Sizes, s)
	}
	fmt.Fprintf(os.Stderr, "leak: a call of %v\n", length)
	if r.Intervals, err = measureIntervals(utterances, length); err != nil {
		return err
	}
	if asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		err = enc.Encode(r)
	} else {
		_, err = fmt.Print(r.tables())
	}
	return errors.Join(err, r.verdict())
}
