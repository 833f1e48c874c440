package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// secureRow is the time to secure of one role over one link, in milliseconds
// from the start of both sides.
type secureRow struct {
	Suite         string   `json:"suite"`
	RoundTripMS   int64    `json:"round_trip_ms"`
	LossPercent   float64  `json:"loss_percent"`
	Role          string   `json:"role"`
	Calls         int      `json:"calls"`
	OursP50MS     float64  `json:"ours_p50_ms"`
	OursP95MS     float64  `json:"ours_p95_ms"`
	OursInsecure  int      `json:"ours_insecure"` // calls that never were secure
	BzrtpP50MS    *float64 `json:"bzrtp_p50_ms"`  // null: not measured
	BzrtpP95MS    *float64 `json:"bzrtp_p95_ms"`
	BzrtpInsecure int      `json:"bzrtp_insecure"`
	limitMS       float64  // for ours, 95 % of the calls; 0: libbzrtp's
}

// links are those of a distant call: nothing lost, and every fifth packet.
var links = [...]link{{0, 100 * time.Millisecond}, {200, 100 * time.Millisecond}}

// secureSuites: a lattice key is larger, and libbzrtp 5.1 has none.
var secureSuites = [...]suite{
	{"X255", "S256", "AES1", 0, true},
	{"X3M3", "S512", "AES3", 0, false},
}

// measureSecure has ours and libbzrtp make the same calls.
func measureSecure(calls int, theirs *rival) (rows []secureRow, err error) {
	for _, s := range secureSuites {
		for _, l := range links {
			var ours, rivals []times
			for seed := range calls {
				t, err := l.call(s, seed)
				if err != nil {
					return nil, fmt.Errorf("%s, seed %d: %w", s, seed, err)
				}
				ours = append(ours, t)
			}
			if theirs != nil && s.rival {
				if rivals, err = theirs.calls(s, l, calls); err != nil {
					return nil, fmt.Errorf("%s: %w", s, err)
				}
			}
			rows = append(rows, secureRows(s, l, ours, rivals)...)
		}
	}
	return rows, nil
}

// secureRows makes the row of each role.
func secureRows(s suite, l link, ours, theirs []times) []secureRow {
	var rows []secureRow
	for _, role := range []struct {
		name       string
		of         func(times) time.Duration
		roundTrips float64 // that it takes when nothing is lost
	}{
		{"initiator", func(t times) time.Duration { return t.initiator }, 3.5},
		{"responder", func(t times) time.Duration { return t.responder }, 3},
	} {
		roundTrip := 2 * l.oneWay.Milliseconds()
		r := secureRow{
			Suite: s.String(), RoundTripMS: roundTrip, LossPercent: float64(l.perMille) / 10, Role: role.name, Calls: len(ours),
		}
		r.OursP50MS, r.OursP95MS, r.OursInsecure = quantiles(ours, role.of)
		if l.perMille == 0 {
			r.limitMS = role.roundTrips*float64(roundTrip) + 10
		}
		if len(theirs) > 0 {
			p50, p95, insecure := quantiles(theirs, role.of)
			r.BzrtpP50MS, r.BzrtpP95MS, r.BzrtpInsecure = &p50, &p95, insecure
		}
		rows = append(rows, r)
	}
	return rows
}

func quantiles(all []times, of func(times) time.Duration) (p50, p95 float64, insecure int) {
	var sorted []time.Duration
	for _, t := range all {
		sorted = append(sorted, of(t))
		if of(t) == patience {
			insecure++
		}
	}
	slices.Sort(sorted)
	at := func(q int) float64 { return float64(sorted[(len(sorted)*q+99)/100-1]) / 1e6 }
	return at(50), at(95), insecure
}

// late is what took longer than it may.
func late(rows []secureRow) error {
	var all []error
	for _, r := range rows {
		switch {
		case r.limitMS > 0 && r.OursP95MS > r.limitMS:
			all = append(all, fmt.Errorf("%s, %s: %.0f ms without loss, at most %.0f", r.Suite, r.Role, r.OursP95MS, r.limitMS))
		case r.limitMS == 0 && r.BzrtpP95MS != nil && r.OursP95MS >= *r.BzrtpP95MS:
			all = append(all, fmt.Errorf("%s, %s: libbzrtp is as fast with loss", r.Suite, r.Role))
		}
	}
	return errors.Join(all...)
}

func secureTable(rows []secureRow) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "round trip\tloss\tsuite\trole\tcalls\tours p50 ms\tp95\tinsecure\tlibbzrtp p50 ms\tp95\tinsecure\t") // Flush reports
	for _, r := range rows {
		insecure := "–"
		if r.BzrtpP50MS != nil {
			insecure = fmt.Sprint(r.BzrtpInsecure)
		}
		_, _ = fmt.Fprintf(w, "%d ms\t%.0f %%\t%s\t%s\t%d\t%.0f\t%.0f\t%d\t%s\t%s\t%s\t\n", r.RoundTripMS, r.LossPercent, r.Suite,
			r.Role, r.Calls, r.OursP50MS, r.OursP95MS, r.OursInsecure, figure("%.0f", r.BzrtpP50MS), figure("%.0f", r.BzrtpP95MS), insecure)
	}
	return w.Flush()
}
