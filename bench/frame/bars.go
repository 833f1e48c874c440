package main

import "fmt"

// bar is something that is asked of the engine.
type bar struct {
	what, asked string
	figure      func(r results) (text string, reached bool)
}

// outcome is how a bar stands.
type outcome struct {
	What, Asked, Measured, Reached string
}

var bars = []bar{
	{"the engine's own share of a frame, 100 legs, recorded, p50", "under 3 µs", func(r results) (string, bool) {
		us := r.find(100, onTape).Own.at(0.5)
		return fmt.Sprintf("%.2f µs", us), us < 3
	}},
	{"the same, p99.9", "under 50 µs", func(r results) (string, bool) {
		us := r.find(100, onTape).Own.at(0.999)
		return fmt.Sprintf("%.1f µs", us), us < 50
	}},
	{"processor time of a leg, over bare libopus and sockets at the same pace, 50 legs, Opus", "under 10 % more", func(r results) (string, bool) {
		over := r.find(50, withOpus).Over
		return fmt.Sprintf("%.1f %%", over), over < 10
	}},
	{"lateness of departures, 50 legs, Opus, p99.9", "under 2 ms", lateness(50, withOpus)},
	{"lateness of departures, 400 legs, recorded, p99.9", "under 2 ms", lateness(400, onTape)},
	{"missed frames, 50 legs, Opus", "0", missedFrames(50, withOpus)},
	{"missed frames, 400 legs, recorded", "0", missedFrames(400, onTape)},
	{"allocations for a frame, all runs", "under 0.001", func(r results) (string, bool) {
		var allocations, frames float64
		for _, run := range r.Runs {
			allocations += float64(run.Allocations)
			frames += float64(run.Frames)
		}
		return fmt.Sprintf("%.5f", allocations/frames), allocations/frames < 0.001
	}},
	{"a stamp of the trace", "under 50 ns", func(r results) (string, bool) {
		return fmt.Sprintf("%.0f ns", r.Machine.StampNS), r.Machine.StampNS < 50
	}},
}

func lateness(legs int, codec string) func(results) (string, bool) {
	return func(r results) (string, bool) {
		us := r.find(legs, codec).Lateness.at(0.999)
		return fmt.Sprintf("%.2f ms", us/1000), us < 2000
	}
}

func missedFrames(legs int, codec string) func(results) (string, bool) {
	return func(r results) (string, bool) {
		run := r.find(legs, codec)
		return fmt.Sprintf("%d, and %d in all rounds", run.Missed.sum(), run.MissedInAll), run.Missed.sum() == 0
	}
}

// outcomes holds the results, of a whole run, against the bars.
func (r results) outcomes() (all []outcome, reached bool) {
	reached = true
	for _, b := range bars {
		text, ok := b.figure(r)
		o := outcome{b.what, b.asked, text, "yes"}
		if !ok {
			o.Reached, reached = "no", false
		}
		all = append(all, o)
	}
	return all, reached
}
