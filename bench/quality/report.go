package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	"sotto/bench/internal/report"
)

// Where the report lies, below the repository's root.
const (
	resultsFile = "bench/quality/results.json"
	readmeFile  = "bench/quality/README.md"
)

//go:embed README.tmpl
var reportText string

// files is the page of results in JSON.
func files(text []byte) (map[string][]byte, error) {
	r, err := parseResults(text)
	if err != nil {
		return nil, err
	}
	page, err := r.page()
	return map[string][]byte{readmeFile: page}, err
}

// parseResults reads the JSON, which has to be of a whole run.
func parseResults(text []byte) (r results, err error) {
	if err = json.Unmarshal(text, &r); err != nil {
		return results{}, err
	}
	for _, s := range shapes {
		for _, buffer := range buffers {
			if _, ok := r.typical(s.name, buffer); !ok && (s.counted || buffer != netEQ && buffer != heldBack) {
				return results{}, fmt.Errorf("not of a whole run: %s, %s is missing", s.name, buffer)
			}
		}
	}
	return r, nil
}

// page is the README.
func (r results) page() ([]byte, error) {
	outcomes, _ := r.outcomes()
	return report.Page(reportText, map[string]any{
		"Run": r, "Outcomes": outcomes, "Table": r.table(),
		"EqualShare": equalShare, "EqualDelay": equalDelay, "Punctual": punctual, "Lanes": lanes, "Balanced": balanced,
	})
}

// table has a line for each trace and buffer.
func (r results) table() string {
	var b strings.Builder
	r.each(func(k row) {
		fmt.Fprintf(&b, "| %s | %s | %.1f | %.1f | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f dB | %.2f |\n",
			k.Trace, k.Buffer, k.MeanMS, k.P95MS, k.Lost, k.MadeUp, k.Missing, k.Concealed, k.Recovered, k.Changed, k.Damaged, k.Distance, k.Step)
	})
	return b.String()
}
