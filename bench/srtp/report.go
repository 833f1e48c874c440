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
	resultsFile = "bench/srtp/results.json"
	readmeFile  = "bench/srtp/README.md"
	plotFile    = "bench/srtp/srtp.svg"
)

//go:embed README.tmpl
var reportText string

// files are the page and the plot of results in JSON.
func files(text []byte) (map[string][]byte, error) {
	r, err := parseResults(text)
	if err != nil {
		return nil, err
	}
	page, err := r.page()
	return map[string][]byte{readmeFile: page, plotFile: r.plot()}, err
}

// parseResults reads the JSON, which has to be of a whole run.
func parseResults(text []byte) (results, error) {
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return results{}, err
	}
	if len(r.Machine.Tiers) == 0 {
		return results{}, errors.New("no tiers")
	}
	for _, profile := range profiles {
		for _, c := range cells(profile, contexts) {
			if err := r.whole(c); err != nil {
				return results{}, err
			}
		}
	}
	return r, nil
}

// whole says whether every tier was measured in a cell.
func (r results) whole(c cell) error {
	for _, tier := range r.Machine.Tiers {
		for _, mode := range []string{single, batch} {
			if r.find(c, mode, tier) == nil {
				return fmt.Errorf("not of a whole run: %s, %d bytes, %s, %d contexts, tier %s, %s is missing",
					c.profile, c.size, c.op, c.contexts, tier, mode)
			}
		}
	}
	return nil
}

// page is the README.
func (r results) page() ([]byte, error) {
	return report.Page(reportText, map[string]any{
		"Machine":   r.Machine,
		"Features":  strings.Join(r.Machine.Features, ", "),
		"Tiers":     strings.Join(r.Machine.Tiers, ", "),
		"Best":      r.Machine.best(),
		"AVX512":    r.Machine.best() == "avx512",
		"Outcomes":  r.outcomes(),
		"Hot":       r.pairs(1, 32),
		"Cold":      r.pairs(2000, 2000),
		"Ceiling":   r.ceiling(),
		"TierTable": r.tiers(),
	})
}

// pairs is a table with one line for each profile and size: protecting and
// unprotecting in one cell, packet by packet over so many contexts and in
// batches over as many as manys says.
func (r results) pairs(ones, manys int) string {
	var b strings.Builder
	best := r.Machine.best()
	for _, p := range profiles {
		for _, size := range sizes {
			one := func(op string) *row { return r.find(cell{p, size, op, ones}, single, best) }
			many := func(op string) *row { return r.find(cell{p, size, op, manys}, batch, best) }
			fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s |\n", p, size,
				both("%.0f", one, func(k *row) *float64 { return &k.OursNS }),
				both("%.0f", many, func(k *row) *float64 { return &k.OursNS }),
				both("%.0f", one, func(k *row) *float64 { return k.PionNS }),
				both("%.0f", one, func(k *row) *float64 { return k.LibsrtpNS }),
				both("%.2f", one, func(k *row) *float64 { return k.RatioPion }),
				both("%.2f", many, func(k *row) *float64 { return k.RatioPion }))
		}
	}
	return b.String()
}

// ceiling is the least ratio that batches over 2,000 contexts would have if ours
// were as fast there as over 32.
func (r results) ceiling() string {
	var least *float64
	for _, p := range profiles {
		for _, cold := range cells(p, contexts[2:]) {
			hot := cold
			hot.contexts = 32
			ours, theirs := r.find(hot, batch, r.Machine.best()), r.find(cold, batch, r.Machine.best())
			if ours == nil || theirs == nil || theirs.PionNS == nil {
				continue
			}
			if ratio := *theirs.PionNS / ours.OursNS; least == nil || ratio < *least {
				least = &ratio
			}
		}
	}
	return figure("%.2f", least)
}

// both puts protecting before unprotecting.
func both(format string, find func(op string) *row, of func(*row) *float64) string {
	var parts []string
	for _, op := range ops {
		var f *float64
		if k := find(op); k != nil {
			f = of(k)
		}
		parts = append(parts, figure(format, f))
	}
	if parts[0] == parts[1] && parts[0] == "–" {
		return "–"
	}
	return strings.Join(parts, " / ")
}

// tiers is a table of what each tier needs for voice.
func (r results) tiers() string {
	var b strings.Builder
	for _, p := range []string{"AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"} {
		for _, size := range []int{80, 160} {
			for _, tier := range r.Machine.Tiers {
				one := func(op string) *row { return r.find(cell{p, size, op, 1}, single, tier) }
				many := func(op string) *row { return r.find(cell{p, size, op, 32}, batch, tier) }
				fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s |\n", p, size, tier,
					both("%.0f", one, func(k *row) *float64 { return &k.OursNS }),
					both("%.0f", many, func(k *row) *float64 { return &k.OursNS }),
					both("%.2f", one, func(k *row) *float64 { return k.RatioPion }),
					both("%.2f", many, func(k *row) *float64 { return k.RatioPion }))
			}
		}
	}
	return b.String()
}
