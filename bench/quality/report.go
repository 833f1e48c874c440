package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// Where the report lies, below the repository's root.
const (
	resultsFile = "bench/quality/results.json"
	readmeFile  = "bench/quality/README.md"
)

//go:embed README.tmpl
var reportText string

// report writes the page from the results.
func report() error {
	text, err := os.ReadFile(resultsFile)
	if err != nil {
		return fmt.Errorf("%w: run this at the repository's root, after a run with -json >%s", err, resultsFile)
	}
	r, err := parseResults(text)
	if err != nil {
		return fmt.Errorf("%s: %w", resultsFile, err)
	}
	page, err := r.page()
	if err != nil {
		return err
	}
	return os.WriteFile(readmeFile, page, 0o644)
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
	t, err := template.New("README.tmpl").Parse(reportText)
	if err != nil {
		return nil, err
	}
	outcomes, _ := r.outcomes()
	var page bytes.Buffer
	err = t.Execute(&page, map[string]any{
		"Run": r, "Outcomes": outcomes, "Table": r.table(),
		"EqualShare": equalShare, "EqualDelay": equalDelay, "Punctual": punctual, "Lanes": lanes, "Balanced": balanced,
	})
	return page.Bytes(), err
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
