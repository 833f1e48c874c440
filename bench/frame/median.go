package main

import "slices"

// median is what turns of one run come to: sums of what was counted, the longest
// pause, and of all else the middle one. Of a distribution that is one at each
// quantile.
func median(turns []run) run {
	m := turns[0]
	figure := func(of func(*run) *float64) {
		*of(&m) = middle(turns, func(r run) float64 { return *of(&r) })
	}
	for _, of := range []func(*run) *float64{
		func(r *run) *float64 { return &r.Stolen }, func(r *run) *float64 { return &r.LegCPU },
		func(r *run) *float64 { return &r.FrameCPU }, func(r *run) *float64 { return &r.BareCPU }, func(r *run) *float64 { return &r.Pressed },
		func(r *run) *float64 { return &r.Opus }, func(r *run) *float64 { return &r.Sockets },
		func(r *run) *float64 { return &r.LegCodec }, func(r *run) *float64 { return &r.Over },
	} {
		figure(of)
	}
	m.Seconds, m.Frames, m.Allocations, m.Collections, m.LongestPause, m.MissedInAll = 0, 0, 0, 0, 0, 0
	for _, r := range turns {
		m.Seconds += r.Seconds
		m.Frames += r.Frames
		m.Allocations += r.Allocations
		m.Collections += r.Collections
		m.LongestPause = max(m.LongestPause, r.LongestPause)
		m.MissedInAll += r.Missed.sum()
	}
	missed := func(r run) float64 { return float64(r.Missed.sum()) }
	m.Missed = turns[slices.IndexFunc(turns, func(r run) bool { return missed(r) == middle(turns, missed) })].Missed
	each := func(of func(run) distribution) distribution {
		var all []distribution
		for _, r := range turns {
			all = append(all, of(r))
		}
		return medians(all)
	}
	m.Lateness = each(func(r run) distribution { return r.Lateness })
	m.Own = each(func(r run) distribution { return r.Own })
	m.Steps = slices.Clone(m.Steps)
	for i := range m.Steps {
		m.Steps[i].Time = each(func(r run) distribution { return r.Steps[i].Time })
	}
	return m
}

// medians is the distribution of all turns in which something was measured; its
// count is that of all.
func medians(turns []distribution) (d distribution) {
	turns = slices.DeleteFunc(turns, func(d distribution) bool { return d.Count == 0 })
	for _, t := range turns {
		d.Count += t.Count
	}
	if d.Count == 0 {
		return d
	}
	for i := range turns[0].US {
		d.US = append(d.US, middle(turns, func(t distribution) float64 { return t.US[i] }))
	}
	return d
}

// middle is the median of a figure; of an even number of turns, the greater one of
// two.
func middle[T any](turns []T, figure func(T) float64) float64 {
	var all []float64
	for _, r := range turns {
		all = append(all, figure(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
