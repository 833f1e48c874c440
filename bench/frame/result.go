package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// The two kinds of legs.
const (
	withOpus = "opus"
	onTape   = "recorded"
)

// results is what one run of the command measured.
type results struct {
	Machine machine `json:"machine"`
	Floor   floor   `json:"floor"`  // of a whole run
	Rounds  int     `json:"rounds"` // of which Runs are the medians
	Runs    []run   `json:"runs"`
}

// run is one number of legs. Times are in microseconds, shares in per cent.
type run struct {
	Legs     int    `json:"legs"`
	Codec    string `json:"codec"`
	RealTime bool   `json:"real_time"` // priority, and processors awake if Floor has Awake

	Seconds float64 `json:"seconds"`
	Frames  int     `json:"frames"`         // each way, that counted
	Stolen  float64 `json:"stolen_percent"` // of the processors' time, by the host

	LegCPU   float64 `json:"leg_cpu_percent"` // of one processor
	FrameCPU float64 `json:"frame_cpu_us"`    // all that a frame costs, both ways
	BareCPU  float64 `json:"bare_cpu_us"`     // codec and sockets alone, each leg every 20 ms
	Pressed  float64 `json:"pressed_cpu_us"`  // and without a pause
	Opus     float64 `json:"bare_codec_us"`
	Sockets  float64 `json:"bare_sockets_us"`
	LegCodec float64 `json:"leg_codec_us"` // encoding and decoding in the legs, by the clock
	Over     float64 `json:"over_percent"` // how much more a frame costs than BareCPU

	Allocations  uint64  `json:"allocations"`
	Collections  uint32  `json:"collections"`
	LongestPause float64 `json:"longest_pause_us"`
	Missed       missed  `json:"missed"`
	MissedInAll  uint64  `json:"missed_in_all"` // rounds together
	Memory       memory  `json:"memory"`

	Lateness distribution `json:"lateness"`
	Own      distribution `json:"own"`
	Steps    []stepTime   `json:"steps"`
}

func (r run) String() string { return title(r.Legs, r.Codec, r.RealTime) }

// priority is a word for it.
func (r run) priority() string {
	if r.RealTime {
		return "real-time"
	}
	return "normal"
}

// stepTime is the time to a stage from the one before.
type stepTime struct {
	To   string       `json:"to"`
	Time distribution `json:"time"`
}

// missed is frames that were not what they should have been.
type missed struct {
	Skipped   uint64 `json:"skipped"` // not sent
	Late      uint64 `json:"late"`    // sent in another frame's turn
	Lost      uint64 `json:"lost"`
	TooLate   uint64 `json:"too_late"` // to be played
	Concealed uint64 `json:"concealed"`
}

func (m missed) minus(o missed) missed {
	return missed{m.Skipped - o.Skipped, m.Late - o.Late, m.Lost - o.Lost, m.TooLate - o.TooLate, m.Concealed - o.Concealed}
}

func (m missed) sum() uint64 { return m.Skipped + m.Late + m.Lost + m.TooLate + m.Concealed }

// compare enters what was measured without an engine, before and after.
func (r *run) compare(before, after bareCost) {
	mean := func(a, b time.Duration) float64 { return microseconds(a+b) / 2 }
	r.BareCPU, r.Opus, r.Sockets = mean(before.cpu, after.cpu), mean(before.opus, after.opus), mean(before.sockets, after.sockets)
	r.Pressed = mean(before.pressed, after.pressed)
	r.Over = (r.FrameCPU/r.BareCPU - 1) * 100
}

// quantiles are what a distribution keeps; 1 is the greatest.
var quantiles = []float64{0, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1}

// distribution has microseconds by quantiles.
type distribution struct {
	Count int       `json:"count"`
	US    []float64 `json:"us"` // one for each of quantiles; none if Count is 0
}

func newDistribution(all []time.Duration) distribution {
	d := distribution{Count: len(all)}
	if len(all) == 0 {
		return d
	}
	slices.Sort(all)
	for _, q := range quantiles {
		i := int(math.Ceil(q*float64(len(all)))) - 1 // so many are not greater
		d.US = append(d.US, microseconds(all[max(i, 0)]))
	}
	return d
}

// at is one of the quantiles.
func (d distribution) at(q float64) float64 {
	i := slices.Index(quantiles, q)
	if i < 0 || i >= len(d.US) {
		return math.NaN()
	}
	return d.US[i]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// find is the run of so many legs at real-time priority, or nil.
func (r results) find(legs int, codec string) *run {
	for i := range r.Runs {
		if r.Runs[i].Legs == legs && r.Runs[i].Codec == codec && r.Runs[i].RealTime {
			return &r.Runs[i]
		}
	}
	return nil
}

// write prints JSON with a run a line.
func (r results) write(w io.Writer) error {
	machine, err := json.Marshal(r.Machine)
	if err != nil {
		return err
	}
	var lines []string
	for _, run := range r.Runs {
		line, err := json.Marshal(run)
		if err != nil {
			return err
		}
		lines = append(lines, string(line))
	}
	floor, err := json.Marshal(r.Floor)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "{\"machine\": %s,\n\"floor\": %s,\n\"rounds\": %d,\n\"runs\": [\n%s\n]}\n", machine, floor, r.Rounds, strings.Join(lines, ",\n"))
	return err
}

// parseResults reads what write has written of a whole run.
func parseResults(text []byte) (results, error) {
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return results{}, err
	}
	if len(r.Runs) != len(scenarios) || r.Rounds == 0 {
		return results{}, fmt.Errorf("not of a whole run: %d runs of %d rounds", len(r.Runs), r.Rounds)
	}
	for i, s := range scenarios {
		run := r.Runs[i]
		if run.String() != s.String() || len(run.Own.US) != len(quantiles) || len(run.Lateness.US) != len(quantiles) || len(run.Steps) != stages-1 {
			return results{}, fmt.Errorf("not of a whole run: %s", s)
		}
	}
	if r.Floor.Loop <= 0 || r.Floor.Turns <= 0 || r.Floor.Cold <= 0 || r.Floor.Warm <= 0 || r.Floor.Sleeper.Count == 0 {
		return results{}, errors.New("not of a whole run: what the machine costs is missing")
	}
	return r, nil
}

// csv writes all distributions, a quantile a line.
func (r results) csv(w io.Writer) error {
	if _, err := fmt.Fprintln(w, "legs,codec,priority,what,quantile,us"); err != nil {
		return err
	}
	for _, run := range r.Runs {
		series := append([]stepTime{{"lateness", run.Lateness}, {"own", run.Own}}, run.Steps...)
		for _, s := range series {
			for i, us := range s.Time.US {
				if _, err := fmt.Fprintf(w, "%d,%s,%s,%s,%g,%.3f\n", run.Legs, run.Codec, run.priority(), s.To, quantiles[i], us); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
