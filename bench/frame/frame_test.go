package main

import (
	"bytes"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/media"
)

// What is committed is of the results beside it.
func TestReportIsOfTheResults(t *testing.T) {
	text, err := os.ReadFile(filepath.Base(resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parseResults(text)
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.files()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile(filepath.Base(name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs from what go run ./bench/frame -report makes of results.json (%v)", name, err)
		}
	}
	var again bytes.Buffer
	if err := r.write(&again); err != nil || !bytes.Equal(again.Bytes(), text) {
		t.Errorf("results.json is not as it is written (%v)", err)
	}
	r.Runs = r.Runs[1:]
	var part bytes.Buffer
	if err := r.write(&part); err != nil {
		t.Fatal(err)
	}
	if _, err := parseResults(part.Bytes()); err == nil {
		t.Error("a part of a run was taken for all of it")
	}
}

func TestDistribution(t *testing.T) {
	var all []time.Duration
	for i := 1000; i > 0; i-- {
		all = append(all, time.Duration(i)*time.Microsecond)
	}
	d := newDistribution(all)
	for q, want := range map[float64]float64{0: 1, 0.5: 500, 0.99: 990, 0.999: 999, 1: 1000} {
		if got := d.at(q); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
	if d.Count != 1000 || newDistribution(nil).Count != 0 {
		t.Error("miscounted")
	}
}

// fake is a whole run in which every bar is reached.
func fake() results {
	flat := func(us float64) distribution {
		return distribution{Count: 10, US: slices.Repeat([]float64{us}, len(quantiles))}
	}
	r := results{Machine: machine{StampNS: 40}, Rounds: 1}
	for _, s := range scenarios {
		run := run{Legs: s.legs, Codec: s.codec(), RealTime: s.realTime, Frames: 1e6, Over: 9.9, Lateness: flat(1999), Own: flat(2.9)}
		for range stages - 1 {
			run.Steps = append(run.Steps, stepTime{Time: flat(1)})
		}
		r.Runs = append(r.Runs, run)
	}
	return r
}

// Of three turns the middle one counts, for each figure and quantile by itself;
// what was counted adds up.
func TestMedian(t *testing.T) {
	turn := func(us float64, missed uint64) run {
		d := distribution{Count: 5, US: []float64{us, 10 - us}}
		return run{
			Frames: 7, Allocations: 1, LongestPause: us, FrameCPU: us, Over: -us, Missed: missedOf(missed),
			Lateness: d, Own: d, Steps: []stepTime{{"sent", d}},
		}
	}
	m := median([]run{turn(3, 0), turn(1, 90), turn(2, 1)})
	d := distribution{Count: 15, US: []float64{2, 8}}
	want := run{
		Frames: 21, Allocations: 3, LongestPause: 3, FrameCPU: 2, Over: -2, Missed: missedOf(1), MissedInAll: 91,
		Lateness: d, Own: d, Steps: []stepTime{{"sent", d}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("%+v, want %+v", m, want)
	}
}

func missedOf(n uint64) missed { return missed{Lost: n} }

// Each bar is missed by what it is about, and by nothing else.
func TestBars(t *testing.T) {
	if all, reached := fake().outcomes(); !reached {
		t.Fatalf("%+v", all)
	}
	hundred, fifty, fourHundred := 3, 2, 4
	for i, spoil := range []func(r *results){
		func(r *results) { r.Runs[hundred].Own.US[slices.Index(quantiles, 0.5)] = 3 },
		func(r *results) { r.Runs[hundred].Own.US[slices.Index(quantiles, 0.999)] = 50 },
		func(r *results) { r.Runs[fifty].Over = 10 },
		func(r *results) { r.Runs[fifty].Lateness.US[slices.Index(quantiles, 0.999)] = 2000 },
		func(r *results) { r.Runs[fourHundred].Lateness.US[slices.Index(quantiles, 0.999)] = 2000 },
		func(r *results) { r.Runs[fifty].Missed.Concealed = 1 },
		func(r *results) { r.Runs[fourHundred].Missed.Late = 1 },
		func(r *results) { r.Runs[0].Allocations = 7e3 },
		func(r *results) { r.Machine.StampNS = 50 },
	} {
		r := fake()
		spoil(&r)
		all, reached := r.outcomes()
		if reached {
			t.Errorf("nothing is missed by spoiling %d", i)
		}
		for k, o := range all {
			if (o.Reached == "no") != (k == i) {
				t.Errorf("spoiling %d: %+v", i, o)
			}
		}
	}
	if len(bars) != 9 {
		t.Errorf("%d bars, and 9 tests", len(bars))
	}
}

// A short run measures everything, whatever the figures are.
func TestMeasure(t *testing.T) {
	m, err := newMaterial()
	if err != nil {
		t.Fatal(err)
	}
	p := plan{
		warm: 200 * time.Millisecond, count: 500 * time.Millisecond, trace: 300 * time.Millisecond,
		bare: 10 * time.Millisecond, report: io.Discard,
	}
	for _, taped := range []bool{false, true} {
		r, err := p.measure(scenario{legs: 2, taped: taped}, m)
		if err != nil {
			t.Fatal(err)
		}
		if r.Frames < 20 || r.Lateness.Count == 0 || r.Own.Count == 0 || r.Lateness.at(0) < 0 || r.Own.at(0) <= 0 {
			t.Errorf("%+v", r)
		}
		for _, s := range r.Steps {
			if s.Time.Count == 0 || s.Time.at(0) < 0 && s.To != "received" { // which may be before the write returns
				t.Errorf("to %s: %+v", s.To, s.Time)
			}
		}
		if r.Steps[2].To != "sent" || r.Steps[2].Time.at(0.5) > 20000 || r.BareCPU <= 0 || r.Pressed <= 0 || r.Sockets <= 0 || r.Memory.Heap <= 0 {
			t.Errorf("%+v", r)
		}
		var text, csv bytes.Buffer
		all := results{Runs: []run{r}}
		if err := all.table(&text, false); err != nil || !strings.Contains(text.String(), "decoded → played") {
			t.Errorf("%s (%v)", text.String(), err)
		}
		if err := all.csv(&csv); err != nil || strings.Count(csv.String(), "\n") != 1+(stages+1)*len(quantiles) {
			t.Errorf("%s (%v)", csv.String(), err)
		}
	}
}

// Legs in turn have a share of their own, without a clock that is looked at; a line
// that is far takes longer.
func TestFloor(t *testing.T) {
	m, err := newMaterial()
	if err != nil {
		t.Fatal(err)
	}
	share := func(look time.Duration) float64 {
		us, err := plan{look: look}.loop(2, m)
		if err != nil || math.IsNaN(us) {
			t.Fatalf("%v µs, %v", us, err)
		}
		return us
	}
	if us := share(0); us <= 0 || us > 1000 {
		t.Errorf("own share of %v µs", us)
	}
	if us := share(time.Millisecond); us > -7000 {
		t.Errorf("eight looks of 1 ms are not taken off: %v µs", us)
	}
	if d := sleeper(20 * time.Millisecond); d.Count < 2 || d.at(0) < 0 {
		t.Errorf("a sleeper is late by %+v", d)
	}
	if cold, warm := lines(3); cold <= 0 || warm <= 0 {
		t.Errorf("lines of %v and %v ns", cold, warm)
	}
}

// A stage that a frame did not pass has no time, and the order of stamps does
// not matter.
func TestSteps(t *testing.T) {
	s := newStream(1, 10, 10)
	s.Stamp(0, 1)
	s.tracing.Store(true)
	for _, timestamp := range []uint32{960, 1920} {
		for stage := range stages {
			if timestamp != 1920 || stage != 4 {
				s.Stamp(media.Stage(stage), timestamp)
			}
		}
	}
	for stage, d := range s.steps() {
		want := 2
		switch stage {
		case 0:
			want = 0
		case 4, 5:
			want = 1
		}
		if len(d) != want {
			t.Errorf("%d times to stage %d, want %d", len(d), stage, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []options{{}, {seconds: -1}, {seconds: 1, legs: -1}, {seconds: 1, rounds: 1, recorded: true}, {seconds: 1, rounds: 1, realTime: true}, {seconds: 1, rounds: 2}, {seconds: 1}} {
		if err := o.run(io.Discard); err == nil {
			t.Errorf("%+v runs", o)
		}
	}
}
