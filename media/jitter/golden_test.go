package jitter

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata/traces.golden")

// traces are arrivals that a receiver has to cope with: ten seconds each, a
// packet each 20 ms, fate and lateness by number.
var traces = []struct {
	name string
	late func(r *rand.Rand, i int) (late time.Duration, lost bool)
}{
	{"steady", func(*rand.Rand, int) (time.Duration, bool) { return 3 * ms, false }},
	{"jitter to 30 ms", func(r *rand.Rand, _ int) (time.Duration, bool) { return upTo(r, 30*ms), false }},
	{"jitter to 100 ms", func(r *rand.Rand, _ int) (time.Duration, bool) { return upTo(r, 100*ms), false }},
	{"jitter comes and goes", func(r *rand.Rand, i int) (time.Duration, bool) {
		if i >= 100 && i < 250 {
			return upTo(r, 120*ms), false
		}
		return upTo(r, 5*ms), false
	}},
	{"loss of 5 %", func(r *rand.Rand, _ int) (time.Duration, bool) { return upTo(r, 10*ms), r.IntN(20) == 0 }},
	{"bursts of loss", func(_ *rand.Rand, i int) (time.Duration, bool) { return 0, i%50 >= 30 && i%50 < 30+i/50 }},
	{"a stall each second", func(_ *rand.Rand, i int) (time.Duration, bool) {
		return max(0, 160*ms-time.Duration(i%50)*20*ms), false
	}},
	{"the path grows by 80 ms", func(_ *rand.Rand, i int) (time.Duration, bool) {
		if i >= 200 {
			return 90 * ms, false
		}
		return 10 * ms, false
	}},
	{"the path shrinks by 80 ms", func(_ *rand.Rand, i int) (time.Duration, bool) {
		if i < 200 {
			return 90 * ms, false
		}
		return 10 * ms, false
	}},
	{"a second without", func(_ *rand.Rand, i int) (time.Duration, bool) { return 0, i >= 200 && i < 275 }},
	{"WLAN", func(r *rand.Rand, i int) (time.Duration, bool) {
		late := time.Duration(r.ExpFloat64() * float64(8*ms))
		if i%137 < 6 { // a scan of other channels
			late += max(0, 90*ms-time.Duration(i%137)*15*ms)
		}
		return late, r.IntN(100) == 0
	}},
}

const ms = time.Millisecond

func upTo(r *rand.Rand, d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }

// TestGoldenTraces pins every decision. When one changes on purpose, -update
// rewrites the file; the difference is then what is to be judged.
func TestGoldenTraces(t *testing.T) {
	const path = "testdata/traces.golden"
	var got strings.Builder
	for i, trace := range traces {
		s := newStream(t)
		r := rand.New(rand.NewPCG(uint64(i), 0))
		for k := range 500 {
			if late, lost := trace.late(r, k); !lost {
				s.send(k, late)
			}
		}
		s.run(10 * time.Second)
		s.playedInOrder()
		fmt.Fprintf(&got, "%s\n", trace.name)
		for second := range 10 {
			from := time.Duration(second) * time.Second
			fmt.Fprintf(&got, "  %s\n", s.letters(from, from+time.Second))
		}
		st := s.b.Stats()
		fmt.Fprintf(&got, "  received %d lost %d late %d played %d concealed %d recovered %d skipped %d, accelerated %v, expanded %v, delay %v, target %v, jitter %d\n\n",
			st.Received, st.Lost, st.Late, st.Played, st.Concealed, st.Recovered, st.Skipped, s.accelerated, s.expanded, st.Delay.Round(ms), st.Target, st.Jitter)
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("decisions changed; got\n%s", got.String())
	}
}

// letters is what was done: W(ait), P(lay), A(ccelerate), E(xpand), F(EC),
// C(onceal), N(oise).
func (s *stream) letters(from, to time.Duration) string {
	var b strings.Builder
	for _, r := range s.out {
		if r.at >= from && r.at < to {
			b.WriteByte("WLPAEFCN"[r.action.Kind])
		}
	}
	return b.String()
}
