package main

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"sotto/bench/internal/report"
)

// Where the report lies, below the repository's root.
const (
	resultsFile = "bench/leak/results.json"
	readmeFile  = "bench/leak/README.md"
)

//go:embed README.tmpl
var reportText string

// files is the page of results in JSON.
func files(text []byte) (map[string][]byte, error) {
	page, err := page(text)
	return map[string][]byte{readmeFile: page}, err
}

// page is the README of results in JSON.
func page(text []byte) ([]byte, error) {
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, err
	}
	if len(r.Sizes) != len(modes) || len(r.Intervals) != 2 {
		return nil, errors.New("not of a whole run")
	}
	outcome := "Nothing failed."
	if err := r.verdict(); err != nil {
		outcome = "Failed: " + err.Error()
	}
	return report.Page(reportText, map[string]any{
		"Results": r, "Languages": strings.Join(r.Languages, ", "), "Tables": r.tables(), "Outcome": outcome,
		"Sentences": len(languages[0].sentences), "Speakers": len(variants), "Shuffles": shuffles,
	})
}

// tables are what was measured, for people.
func (r results) tables() string {
	var b strings.Builder
	b.WriteString("| sizes | packets | distinct sizes | size and energy, bits | shuffled, bits | language identified | 95 % | chance |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- |\n")
	for _, s := range r.Sizes {
		fmt.Fprintf(&b, "| %s | %d | %d | %.4f | %.4f | %.3f | %.3f to %.3f | %.3f |\n",
			s.Mode, s.Packets, s.Distinct, s.Bits, s.Shuffled, s.Identified, s.Low, s.High, s.Chance)
	}
	b.WriteString("\n| intervals | packets | mean, ms | p99 from 20 ms, µs | interval and energy, bits | shuffled, bits |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- |\n")
	for _, i := range r.Intervals {
		fmt.Fprintf(&b, "| %s | %d | %.4f | %.0f | %.4f | %.4f |\n", i.What, i.Packets, i.MeanMS, i.SpreadUS, i.Bits, i.Shuffled)
	}
	return b.String()
}

// verdict is nil if secure mode gives nothing away and the controls do.
func (r results) verdict() error {
	var off []error
	wrong := func(format string, args ...any) { off = append(off, fmt.Errorf(format, args...)) }
	for _, s := range r.Sizes {
		switch {
		case s.Leaks && (s.Bits <= s.Shuffled || s.Low <= s.Chance || s.Distinct < 2):
			wrong("%s gives nothing away: what was measured here means nothing", s.Mode)
		case s.Leaks:
		case s.Distinct != 1:
			wrong("%s has packets of %d sizes", s.Mode, s.Distinct)
		case s.Bits != 0:
			wrong("%s: sizes tell %.4f bits of energy", s.Mode, s.Bits)
		case s.Low > s.Chance || s.High < s.Chance:
			wrong("%s: languages are told in %.3f of cases, which is not chance", s.Mode, s.Identified)
		}
	}
	for _, i := range r.Intervals {
		switch {
		case i.Leaks && i.Bits <= i.Shuffled:
			wrong("intervals of %s tell nothing: what was measured here means nothing", i.What)
		case !i.Leaks && i.Bits > i.Shuffled:
			wrong("%s: intervals tell %.4f bits of energy, and %.4f when shuffled", i.What, i.Bits, i.Shuffled)
		}
	}
	return errors.Join(off...)
}
