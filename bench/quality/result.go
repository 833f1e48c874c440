package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"sotto/internal/processor"
)

// The buffers, as the rows name them.
const (
	ours     = "ours"
	heldBack = "ours, slower"
	netEQ    = "NetEq"
	speexDSP = "speexdsp"
	fixed    = "fixed"
)

var buffers = []string{ours, heldBack, netEQ, speexDSP, fixed}

// What is asked for.
const (
	// wanted is on how many of the counted traces ours is not to be worse than NetEq.
	wanted = 4
	// Equal is what differs by no more than these: 2 of 3,000 frames, and the
	// 10 ms that NetEq makes at a time, by up to which its delay is understated,
	// because it ends when a packet is decoded.
	equalShare = 0.07 // per cent of the time
	equalDelay = 10   // ms
	// recognised is the similarity agreed: the distance of what is heard from what
	// was said may be a third of that of other speech.
	recognised = 1.0 / 3
	// click is how steep the steepest step of what is heard may be, against the
	// steepest of the speech itself.
	click = 1.25
	// heavy is the trace that both are asked of.
	heavy = "loss 30 %"
)

// row is what one buffer made of one trace. Delays are what is added to the
// quickest packet of the trace, in milliseconds; shares are per cent of time.
type row struct {
	Trace     string  `json:"trace"`
	Seed      uint64  `json:"seed"`
	Buffer    string  `json:"buffer"`
	MeanMS    float64 `json:"added_delay_mean_ms"`
	P95MS     float64 `json:"added_delay_p95_ms"`
	Lost      float64 `json:"network_lost_percent"`
	MadeUp    float64 `json:"made_up_percent"`
	Missing   float64 `json:"missing_percent"`
	Concealed float64 `json:"concealed_percent"`
	Recovered float64 `json:"recovered_percent"`
	Changed   float64 `json:"time_scaled_percent"`
	Distance  float64 `json:"spectral_distance_db"`
	Damaged   float64 `json:"damaged_percent"`
	Step      float64 `json:"steepest_step_ratio"`
}

// conceal counts the same way for all buffers. What is made up is heard and comes
// from no packet. What is missing was said and is heard neither from its own packet
// nor from the one after it. A buffer that is out of packets makes up without that
// anything is missing; one that cuts a loss short misses more than it makes up. What
// it conceals is the larger of the two.
func (r *row) conceal(madeUp, missing float64) {
	r.MadeUp, r.Missing, r.Concealed = madeUp, missing, max(madeUp, missing)
}

// results is a whole run.
type results struct {
	Taken     string  `json:"taken"`
	Processor string  `json:"processor"`
	System    string  `json:"system"`
	Go        string  `json:"go"`
	Seconds   int     `json:"seconds"`
	Seeds     int     `json:"seeds"`
	Control   float64 `json:"other_speech_distance_db"`
	Rows      []row   `json:"rows"`
}

// thisMachine says where the numbers come from.
func thisMachine() results {
	return results{
		Taken:     time.Now().UTC().Format(time.DateOnly),
		Processor: processor.Name(processor.CPUInfo),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:        runtime.Version(),
	}
}

// typical is the row of medians over the seeds; false if there is none.
func (r results) typical(trace, buffer string) (row, bool) {
	var rows []row
	for _, one := range r.Rows {
		if one.Trace == trace && one.Buffer == buffer {
			rows = append(rows, one)
		}
	}
	if len(rows) == 0 {
		return row{}, false
	}
	median := func(of func(row) float64) float64 {
		var all []float64
		for _, one := range rows {
			all = append(all, of(one))
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return row{
		Trace: trace, Buffer: buffer,
		MeanMS:    median(func(r row) float64 { return r.MeanMS }),
		P95MS:     median(func(r row) float64 { return r.P95MS }),
		Lost:      median(func(r row) float64 { return r.Lost }),
		MadeUp:    median(func(r row) float64 { return r.MadeUp }),
		Missing:   median(func(r row) float64 { return r.Missing }),
		Concealed: median(func(r row) float64 { return r.Concealed }),
		Recovered: median(func(r row) float64 { return r.Recovered }),
		Changed:   median(func(r row) float64 { return r.Changed }),
		Distance:  median(func(r row) float64 { return r.Distance }),
		Damaged:   median(func(r row) float64 { return r.Damaged }),
		Step:      median(func(r row) float64 { return r.Step }),
	}, true
}

// outcome is one thing that is asked for, and what is so.
type outcome struct {
	What, Ours, Theirs string
	Reached            bool
}

// Word is how a table says whether it is reached.
func (o outcome) Word() string {
	if o.Reached {
		return "yes"
	}
	return "**no**"
}

// outcomes compares with NetEq, trace by trace, and with the bars of heavy loss.
// reached says whether all is: where NetEq was not measured, the bars alone.
func (r results) outcomes() (all []outcome, reached bool) {
	concealed := func(r row) float64 { return r.Concealed }
	damaged := func(r row) float64 { return r.Damaged }
	all = slices.Concat(r.compared(ours, "concealed", concealed), r.compared(heldBack, "concealed, as slow", concealed),
		r.compared(ours, "damaged", damaged), r.bars())
	return all, !slices.ContainsFunc(all, func(o outcome) bool { return !o.Reached && o.Theirs == "" })
}

// compared is a share on every counted trace, and on how many ours is not worse
// than NetEq, whose share is as large or larger with as much delay or more.
func (r results) compared(buffer, what string, share func(row) float64) (all []outcome) {
	good := 0
	for _, s := range shapes {
		mine, _ := r.typical(s.name, buffer)
		theirs, ok := r.typical(s.name, netEQ)
		if !s.counted || !ok {
			continue
		}
		place := func(k row) string { return fmt.Sprintf("%.2f %% at %.0f ms", share(k), k.MeanMS) }
		o := outcome{
			What: s.name + ", " + what, Ours: place(mine), Theirs: place(theirs),
			Reached: share(mine) <= share(theirs)+equalShare && mine.MeanMS <= theirs.MeanMS+equalDelay,
		}
		if all = append(all, o); o.Reached {
			good++
		}
	}
	if len(all) == 0 {
		return nil
	}
	return append(all, outcome{
		What: fmt.Sprintf("of these, at least %d", wanted), Ours: fmt.Sprintf("%d of %d", good, len(all)), Reached: good >= wanted,
	})
}

// bars are those of heavy loss.
func (r results) bars() []outcome {
	worst, ok := r.worst(heavy)
	if !ok {
		return nil
	}
	return []outcome{{
		What: fmt.Sprintf("%s with FEC: distance at most %.0f %% of other speech's", heavy, 100*recognised),
		Ours: fmt.Sprintf("%.2f of %.2f dB", worst.Distance, r.Control), Reached: worst.Distance <= recognised*r.Control,
	}, {
		What: fmt.Sprintf("%s with FEC: no step above %.2f of the speech's steepest", heavy, click),
		Ours: fmt.Sprintf("%.2f", worst.Step), Reached: worst.Step <= click,
	}}
}

// worst is, of ours on all seeds of a trace, the greatest distance and step.
func (r results) worst(trace string) (worst row, ok bool) {
	for _, one := range r.Rows {
		if one.Trace == trace && one.Buffer == ours {
			worst.Distance, worst.Step, ok = max(worst.Distance, one.Distance), max(worst.Step, one.Step), true
		}
	}
	return worst, ok
}

// text is the results for a terminal.
func (r results) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-16s %-12s %8s %8s %7s %8s %8s %10s %10s %8s %8s %10s %6s\n",
		"trace", "buffer", "mean ms", "p95 ms", "lost %", "made up", "missing", "concealed", "recovered", "scaled", "damaged", "distance", "step")
	r.each(func(k row) {
		fmt.Fprintf(&b, "%-16s %-12s %8.1f %8.1f %7.2f %7.2f%% %7.2f%% %9.2f%% %9.2f%% %7.2f%% %7.2f%% %7.2f dB %6.2f\n",
			k.Trace, k.Buffer, k.MeanMS, k.P95MS, k.Lost, k.MadeUp, k.Missing, k.Concealed, k.Recovered, k.Changed, k.Damaged, k.Distance, k.Step)
	})
	fmt.Fprintf(&b, "Distance of other speech: %.2f dB. Medians of %d traces of each shape.\n\n", r.Control, r.Seeds)
	outcomes, _ := r.outcomes()
	for _, o := range outcomes {
		fmt.Fprintf(&b, "%-70s %-18s %-18s %s\n", o.What, o.Ours, o.Theirs, strings.Trim(o.Word(), "*"))
	}
	return b.String()
}

// each calls f for all medians, in the order of the table.
func (r results) each(f func(row)) {
	for _, s := range shapes {
		for _, buffer := range buffers {
			if k, ok := r.typical(s.name, buffer); ok {
				f(k)
			}
		}
	}
}
