//go:build interop

package routes

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

// figures are how long something took, each time.
type figures []time.Duration

// quantile is the time within which a part q of all took.
func (f figures) quantile(q float64) time.Duration {
	if len(f) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(f))
	return sorted[int(math.Ceil(q*float64(len(f))))-1]
}

func (f figures) String() string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%d times: p50 %.1f ms, p99 %.1f ms, longest %.1f ms", len(f), ms(f.quantile(0.5)), ms(f.quantile(0.99)), ms(f.quantile(1)))
}

// within prints the figures, of which the 99th percentile is to be within the
// limit. On a machine shared with others one in a hundred is the machine's: what
// fails a run is the 90th percentile, or a 99th of five times the limit.
func (f figures) within(t *testing.T, what string, limit time.Duration) {
	t.Helper()
	figure(t, "%s, %v (at most %v)", what, f, limit)
	if !f.keep(limit) {
		t.Errorf("%s: p90 %v, p99 %v, want %v at most", what, f.quantile(0.9), f.quantile(0.99), limit)
	}
}

// keep reports whether f are within the limit.
func (f figures) keep(limit time.Duration) bool {
	return f.quantile(0.9) <= limit && f.quantile(0.99) <= 5*limit
}

// rounds is how often a scene is measured until its figures are within their limits:
// others may take the machine for all of one.
const rounds = 3

// inTime does something that takes no longer than a limit. On a machine that stands
// still now and then it may do so again; what takes too long each time is our fault.
func inTime(t *testing.T, what string, limit time.Duration, do func() time.Duration) {
	t.Helper()
	var took figures
	for range rounds {
		if took = append(took, do()); took[len(took)-1] <= limit {
			return
		}
	}
	t.Errorf("%s after more than %v each time: %v", what, limit, took)
}

// tenths is d in tenths of a millisecond.
func tenths(d time.Duration) time.Duration { return d.Round(time.Millisecond / 10) }

// figure prints what a scene has measured; scripts/gotest shows it.
func figure(t *testing.T, format string, args ...any) {
	t.Helper()
	t.Logf("figure: %s: %s", t.Name(), fmt.Sprintf(format, args...))
}
