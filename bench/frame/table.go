package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// shown are the quantiles of the tables.
var shown = []float64{0.5, 0.99, 0.999, 1}

// cells are d at the quantiles that are shown.
func (d distribution) cells() []string {
	var cells []string
	for _, q := range shown {
		if d.Count == 0 {
			cells = append(cells, "–")
			continue
		}
		cells = append(cells, decimals(d.at(q)))
	}
	return cells
}

// decimals has three figures or so.
func decimals(us float64) string {
	switch {
	case us < 10:
		return fmt.Sprintf("%.2f", us)
	case us < 100:
		return fmt.Sprintf("%.1f", us)
	}
	return fmt.Sprintf("%.0f", us)
}

// series are the rows of a run's distributions.
func (r run) series() []stepTime {
	all := []stepTime{{"lateness of departure", r.Lateness}, {"the engine's own share", r.Own}}
	from := "captured"
	for _, s := range r.Steps {
		all = append(all, stepTime{from + " → " + s.To, s.Time})
		from = s.To
	}
	return all
}

// costs are what a run has besides distributions: name and text.
func (r run) costs() [][2]string {
	f := func(format string, args ...any) string { return fmt.Sprintf(format, args...) }
	return [][2]string{
		{"frames, each way", f("%d in %.0f s", r.Frames, r.Seconds)},
		{"processor time of a leg", f("%.2f %% of one", r.LegCPU)},
		{"of a frame, both ways, µs", f("%.1f", r.FrameCPU)},
		{"codec and sockets alone, µs", f("%.1f", r.BareCPU)},
		{"of which codec, sockets, µs", f("%.1f, %.1f", r.Opus, r.Sockets)},
		{"the codec in the legs, µs", f("%.1f", r.LegCodec)},
		{"more than codec and sockets", f("%.1f µs, %.1f %%", r.FrameCPU-r.BareCPU, r.Over)},
		{"codec and sockets without a pause, µs", f("%.1f", r.Pressed)},
		{"more than those", f("%.1f µs, %.1f %%", r.FrameCPU-r.Pressed, (r.FrameCPU/r.Pressed-1)*100)},
		{"allocations", f("%d", r.Allocations)},
		{"collections, longest pause, µs", f("%d, %.0f", r.Collections, r.LongestPause)},
		{"missed, and in all rounds", f("%d, %d", r.Missed.sum(), r.MissedInAll)},
		{"memory of a leg: heap, stacks, KB", f("%.0f, %.0f", float64(r.Memory.Heap)/1024, float64(r.Memory.Stack)/1024)},
		{"taken by the host", f("%.1f %%", r.Stolen)},
	}
}

// table prints everything as text; bars only of a whole run.
func (r results) table(w io.Writer, whole bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, run := range r.Runs {
		fmt.Fprintln(t, run)
		fmt.Fprintf(t, "  µs\tp50\tp99\tp99.9\tmax\n") // errors stay in t
		for _, s := range run.series() {
			fmt.Fprintf(t, "  %s\t%s\n", s.To, strings.Join(s.Time.cells(), "\t"))
		}
		for _, c := range run.costs() {
			fmt.Fprintf(t, "  %s\t%s\n", c[0], c[1])
		}
	}
	if whole {
		f := r.Floor
		fmt.Fprintf(t, "own share without a pause, 1 leg, 100 legs\t%.2f µs\t%.2f µs\n", f.Loop, f.Turns)
		fmt.Fprintf(t, "a line of memory, warm, after 20 ms asleep, awake\t%.1f ns\t%.0f ns\t%.0f ns\n", f.Warm, f.Cold, f.Taken)
		fmt.Fprintf(t, "a thread that only sleeps, late by µs\t%s\n", strings.Join(f.Sleeper.cells(), "\t"))
		if f.stayedAwake() {
			fmt.Fprintf(t, "  with processors that stay awake\t%s\n", strings.Join(f.Awake.cells(), "\t"))
		} else {
			fmt.Fprintln(t, "  processors can't be kept awake here: they may sleep in all runs")
		}
		all, _ := r.outcomes()
		for _, o := range all {
			fmt.Fprintf(t, "%s\tasked: %s\tmeasured: %s\treached: %s\n", o.What, o.Asked, o.Measured, o.Reached)
		}
	}
	return t.Flush()
}
