package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// whole has the same figures for everybody, on two seeds.
func whole() results {
	r := results{Seconds: 30, Seeds: 2, Control: 9}
	for _, s := range shapes {
		for _, buffer := range buffers {
			for seed := range uint64(2) {
				r.Rows = append(r.Rows, row{Trace: s.name, Seed: seed, Buffer: buffer, MeanMS: 50, Concealed: 1, Damaged: 1, Distance: 3, Step: 1.25})
			}
		}
	}
	return r
}

// set changes the figures of ours on a trace.
func (r results) set(trace string, change func(*row)) {
	for i := range r.Rows {
		if r.Rows[i].Buffer == ours && r.Rows[i].Trace == trace {
			change(&r.Rows[i])
		}
	}
}

// What is equal is not worse; on one counted trace ours may be, on two it may not;
// and the bars of heavy loss stand alone.
func TestOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(results)
		reached bool
	}{
		"equal":             {func(results) {}, true},
		"one conceals more": {func(r results) { r.set("LTE", func(k *row) { k.Concealed = 1.1 }) }, true},
		"two conceal more": {func(r results) {
			r.set("LTE", func(k *row) { k.Concealed = 1.1 })
			r.set("drift", func(k *row) { k.Concealed = 2 })
		}, false},
		"two take longer": {func(r results) {
			r.set("LTE", func(k *row) { k.MeanMS = 61 })
			r.set("drift", func(k *row) { k.MeanMS = 99 })
		}, false},
		"two are damaged": {func(r results) {
			r.set("LTE", func(k *row) { k.Damaged = 1.1 })
			r.set("drift", func(k *row) { k.Damaged = 2 })
		}, false},
		"two conceal more where they are as slow": {func(r results) {
			for i, k := range r.Rows {
				if k.Buffer == heldBack && (k.Trace == "LTE" || k.Trace == "drift") {
					r.Rows[i].Concealed = 1.1
				}
			}
		}, false},
		"others are worse": {func(r results) {
			r.set("steady", func(k *row) { k.Concealed = 9 })
			r.set("congestion", func(k *row) { k.MeanMS = 999 })
		}, true},
		"it is unrecognised": {func(r results) { r.set(heavy, func(k *row) { k.Distance = 3.01 }) }, false},
		"it clicks":          {func(r results) { r.set(heavy, func(k *row) { k.Step = 1.26 }) }, false},
		"it clicks, one seed": {func(r results) {
			r.Rows[len(r.Rows)-1].Step = 0
			r.set(heavy, func(k *row) { k.Step = 1 + 0.3*float64(k.Seed) })
		}, false},
	} {
		r := whole()
		c.change(r)
		if all, reached := r.outcomes(); reached != c.reached || len(all) != 20 {
			t.Errorf("%s: %v, %+v", name, reached, all)
		}
	}
}

// What is concealed is counted alike: what is made up, or missing, whichever is more.
func TestConceal(t *testing.T) {
	for _, c := range []struct{ madeUp, missing, want float64 }{{3, 1, 3}, {1, 3, 3}, {2, 2, 2}} {
		var r row
		if r.conceal(c.madeUp, c.missing); r.Concealed != c.want || r.MadeUp != c.madeUp || r.Missing != c.missing {
			t.Errorf("%+v", r)
		}
	}
}

// NetEq that stood still, and then made good what it had not played, was not heard.
func TestStalled(t *testing.T) {
	var all []inbound
	for i := range 20 {
		all = append(all, inbound{Timestamp: 1e12 + float64(i)*200, TotalSamplesReceived: float64(i) * 9600})
	}
	if got := stalled(all); got != 0 {
		t.Errorf("%v", got)
	}
	for i := range all[5:] {
		all[5+i].TotalSamplesReceived += 48 * 70
	}
	if got := stalled(all); got != 70*ms {
		t.Errorf("%v", got)
	}
}

// The page is what the tool makes of the results beside it, which are whole.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(filepath.Base(resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseResults(text)
	if err != nil {
		t.Fatal(err)
	}
	want, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Base(readmeFile)); err != nil || !bytes.Equal(got, want) {
		t.Errorf("README.md is not of these results (%v): go run ./bench/quality -report", err)
	}
	part := bytes.Replace(text, []byte(`"buffer":"NetEq"`), []byte(`"buffer":"other"`), -1)
	if _, err = parseResults(part); err == nil || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("without NetEq: %v", err)
	}
}
