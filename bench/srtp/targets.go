package main

import (
	"fmt"
	"slices"
	"strings"
)

// target is one thing that is asked of ours, over all rows that it is about.
type target struct {
	what string
	asks float64 // ratio_pion, at least; 0: no allocation
	of   func(row) bool
}

// targetsOf are those for a machine whose best tier this is.
func targetsOf(best string) []target {
	voice := func(r row) bool { return r.Size == 80 || r.Size == 160 }
	return []target{
		{"AES_CM_128_HMAC_SHA1_80, 80 and 160 bytes, one context, single", 1.9, func(r row) bool {
			return r.Tier == best && r.Profile == "AES_CM_128_HMAC_SHA1_80" && voice(r) && r.Contexts == 1 && r.Mode == single
		}},
		{"the same, a batch of 32 over 32 contexts", 5, func(r row) bool {
			return r.Tier == best && r.Profile == "AES_CM_128_HMAC_SHA1_80" && voice(r) && r.Contexts == 32 && r.Mode == batch
		}},
		{"AEAD_AES_128_GCM and AEAD_AES_256_GCM, 80 and 160 bytes, one context, single", 2.5, func(r row) bool {
			return r.Tier == best && isAEAD(r.Profile) && voice(r) && r.Contexts == 1 && r.Mode == single
		}},
		{"the same, a batch of 32 over 32 contexts", 3.5, func(r row) bool {
			return r.Tier == best && isAEAD(r.Profile) && voice(r) && r.Contexts == 32 && r.Mode == batch
		}},
		{"every profile, every size, 2,000 contexts, single", 1.9, func(r row) bool {
			return r.Tier == best && r.Contexts == 2000 && r.Mode == single
		}},
		{"the same, batch", 4, func(r row) bool { return r.Tier == best && r.Contexts == 2000 && r.Mode == batch }},
		{"the tier go, everywhere", 1, func(r row) bool { return r.Tier == "go" }},
		{"allocations, everywhere", 0, func(row) bool { return true }},
	}
}

func isAEAD(profile string) bool { return strings.HasPrefix(profile, "AEAD_") }

// outcome is how a target stands.
type outcome struct {
	What, Asked, Worst, Best string
	Where                    string // it is worst
	Reached                  string
}

// against compares rows with the target. Rows that pion has no figure for are
// not about ratios.
func (t target) against(rows []row) outcome {
	var all []row
	for _, r := range rows {
		if t.of(r) && (t.asks == 0 || r.RatioPion != nil) {
			all = append(all, r)
		}
	}
	o := outcome{What: t.what, Asked: fmt.Sprintf("at least %g times", t.asks), Reached: "not measured"}
	if t.asks == 0 {
		o.Asked = "none"
	}
	if len(all) == 0 {
		return o
	}
	value := func(r row) float64 {
		if t.asks == 0 {
			return -r.Allocs
		}
		return *r.RatioPion
	}
	order := func(a, b row) int {
		switch d := value(a) - value(b); {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	}
	worst, best := slices.MinFunc(all, order), slices.MaxFunc(all, order)
	if t.asks == 0 {
		o.Worst, o.Best = fmt.Sprintf("%g", worst.Allocs), fmt.Sprintf("%g", best.Allocs)
	} else {
		o.Worst, o.Best = fmt.Sprintf("%.2f", value(worst)), fmt.Sprintf("%.2f", value(best))
	}
	if o.Where = "the same everywhere"; value(worst) != value(best) {
		o.Where = fmt.Sprintf("%s, %d bytes, %s, contexts %d, %s", worst.Profile, worst.Size, worst.Op, worst.Contexts, worst.Mode)
	}
	o.Reached = "no"
	if value(worst) >= t.asks {
		o.Reached = "yes"
	}
	return o
}

// outcomes compares everything.
func (r results) outcomes() []outcome {
	var all []outcome
	for _, t := range targetsOf(r.Machine.best()) {
		all = append(all, t.against(r.Rows))
	}
	return all
}

// best is the tier that is used unless told otherwise.
func (m machine) best() string {
	if len(m.Tiers) == 0 {
		return ""
	}
	return m.Tiers[len(m.Tiers)-1]
}
