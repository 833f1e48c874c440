package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"

	"sotto/bench/internal/report"
)

// Where the report lies, below the repository's root.
const (
	resultsFile = "bench/frame/results.json"
	readmeFile  = "bench/frame/README.md"
	plotFile    = "bench/frame/frame.svg"
	csvFile     = "bench/frame/frame.csv"
)

//go:embed README.tmpl
var reportText string

// files are the page, the plot and the CSV of results in JSON.
func files(text []byte) (map[string][]byte, error) {
	r, err := parseResults(text)
	if err != nil {
		return nil, err
	}
	return r.files()
}

// files are the report's.
func (r results) files() (map[string][]byte, error) {
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	var csv bytes.Buffer
	if err := r.csv(&csv); err != nil {
		return nil, err
	}
	return map[string][]byte{readmeFile: page, plotFile: r.plot(), csvFile: csv.Bytes()}, nil
}

// page is the README.
func (r results) page() ([]byte, error) {
	outcomes, reached := r.outcomes()
	return report.Page(reportText, map[string]any{
		"Machine": r.Machine, "Sleeper": strings.Join(r.Floor.Sleeper.cells(), " | "), "Awake": strings.Join(r.Floor.Awake.cells(), " | "), "StayedAwake": r.Floor.stayedAwake(), "Floor": r.Floor, "Outcomes": outcomes, "Reached": reached,
		"Rounds": r.Rounds, "Seconds": r.Runs[0].Seconds / float64(r.Rounds), "Costs": r.costTable(), "Series": r.seriesTables(),
	})
}

// costTable has a column for each run.
func (r results) costTable() string {
	var b strings.Builder
	b.WriteString("| |")
	for _, run := range r.Runs {
		fmt.Fprintf(&b, " %s |", run)
	}
	b.WriteString("\n|" + strings.Repeat(" --- |", len(r.Runs)+1) + "\n")
	for i, row := range r.Runs[0].costs() {
		fmt.Fprintf(&b, "| %s |", row[0])
		for _, run := range r.Runs {
			fmt.Fprintf(&b, " %s |", run.costs()[i][1])
		}
		b.WriteString("\n")
	}
	return b.String()
}

// seriesTables has a table for each run.
func (r results) seriesTables() string {
	var b strings.Builder
	for i, run := range r.Runs {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "| %s: µs | p50 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- |\n", run)
		for _, s := range run.series() {
			fmt.Fprintf(&b, "| %s | %s |\n", s.To, strings.Join(s.Time.cells(), " | "))
		}
	}
	return b.String()
}
