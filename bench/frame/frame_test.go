package main

import (
	"bytes"
	"errors"
	"fmt"
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
	r.Floor = floor{Loop: 1, Turns: 1, Cold: 1, Warm: 1, Sleeper: flat(80), Awake: flat(41)}
	for _, s := range scenarios {
		run := run{Legs: s.legs, Codec: s.codec(), RealTime: s.realTime, Frames: 1e6, Over: 9.9, Lateness: flat(1999), Own: flat(2.9)}
		for range stages - 1 {
			run.Steps = append(run.Steps, stepTime{Time: flat(1)})
		}
		r.Runs = append(r.Runs, run)
	}
	return r
}

// closer counts.
type closer int

func (c *closer) Close() error { *c++; return nil }

// The processors are awake while something is done, and then no longer. Where the
// system has no way to that, it is done without; where it refuses, it is not done.
func TestWake(t *testing.T) {
	unsupported, refused, failed := fmt.Errorf("no driver: %w", errors.ErrUnsupported), errors.New("refused"), errors.New("failed")
	for _, c := range []struct {
		stay, do, want error
		done, told     bool
	}{
		{done: true},
		{do: failed, want: failed, done: true},
		{stay: unsupported, done: true, told: true},
		{stay: unsupported, do: failed, want: failed, done: true, told: true},
		{stay: refused, want: refused},
	} {
		var closed closer
		var report strings.Builder
		done := false
		late, err := plan{sleep: 5 * time.Millisecond, report: &report}.wake(
			func() (io.Closer, error) { return &closed, c.stay },
			func() error {
				done = true
				if closed > 0 {
					t.Error("they sleep again too soon")
				}
				return c.do
			})
		awake := c.stay == nil
		if !errors.Is(err, c.want) || done != c.done || (closed == 1) != awake || (late.Count > 0) != awake {
			t.Errorf("%+v: %v, done %t, closed %d times, late %+v", c, err, done, closed, late)
		}
		if told := strings.Contains(report.String(), "can't be kept awake"); told != c.told {
			t.Errorf("%+v: reported %q", c, report.String())
		}
	}
}

// Page, table and JSON say of processors that stay awake what was so.
func TestReportOfAwake(t *testing.T) {
	with, without := fake(), fake()
	without.Floor.Awake = distribution{}
	for _, r := range []results{with, without} {
		awake := r.Floor.stayedAwake()
		var text, table bytes.Buffer
		if err := errors.Join(r.write(&text), r.table(&table, true)); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text.Bytes(), []byte("awake")) != awake {
			t.Errorf("awake %t: %s", awake, text.Bytes())
		}
		again, err := parseResults(text.Bytes())
		if err != nil || !reflect.DeepEqual(again.Floor, r.Floor) {
			t.Errorf("awake %t: read again: %+v (%v)", awake, again.Floor, err)
		}
		page, err := r.page()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			text  []byte
			says  string
			awake bool
		}{
			{page, "and the processors do not sleep meanwhile", true},
			{page, "| woken late | 80.0 | 80.0 | 80.0 | 80.0 |\n| woken late, with processors that stay awake | 41.0 | 41.0 | 41.0 | 41.0 |\n\n", true},
			{page, "with priority, and awake\n", true},
			{page, "The processors may sleep in all of them", false},
			{page, "| woken late | 80.0 | 80.0 | 80.0 | 80.0 |\n\n", false},
			{page, "with priority\n", false},
			{table.Bytes(), "with processors that stay awake", true},
			{table.Bytes(), "may sleep in all runs", false},
		} {
			if bytes.Contains(c.text, []byte(c.says)) != (awake == c.awake) {
				t.Errorf("awake %t: says or lacks %q:\n%s", awake, c.says, c.text)
			}
		}
	}
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
	for name, wait := range map[string]func(time.Duration){"asleep": time.Sleep, "awake": spin} {
		waited := time.Duration(0)
		cold, warm := lines(3, func(d time.Duration) {
			began := time.Now()
			wait(d)
			waited += time.Since(began)
		})
		if cold <= 0 || warm <= 0 || waited < 3*media.FrameDuration {
			t.Errorf("%s: lines of %v and %v ns after %v", name, cold, warm, waited)
		}
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
