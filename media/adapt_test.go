package media

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is expected after each report.
func TestAdaptation(t *testing.T) {
	for name, c := range map[string]struct {
		lost []float64
		want []int
	}{
		"no loss":           {[]float64{0, 0, 0, 0}, []int{10, 10, 5, 5}},
		"much at once":      {[]float64{0, 0, 0, 0.3, 0.3}, []int{10, 10, 5, 10, 10}},
		"all":               {[]float64{1}, []int{10}},
		"a bad moment":      {[]float64{0, 0, 0.2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []int{10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 5, 5, 5, 5}},
		"little, for ever":  {slices.Repeat([]float64{0.016}, 8), []int{10, 10, 5, 5, 5, 5, 5, 5}},
		"more, for ever":    {slices.Repeat([]float64{0.025}, 8), []int{10, 10, 10, 10, 10, 10, 10, 10}},
		"one in three lost": {[]float64{0.05, 0, 0, 0.05, 0, 0, 0.05, 0, 0}, slices.Repeat([]int{10}, 9)},
	} {
		a := adaptation{step: firstStep}
		var got []int
		for _, lost := range c.lost {
			got = append(got, a.report(lost))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// A network whose losses waver does not move it to and fro: at each steady
// share of losses, an hour of reports of 250 packets changes it but a few times.
func TestAdaptationIsSteady(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for percent := range 40 {
		a := adaptation{step: firstStep}
		changes, before := 0, lossSteps[firstStep].expect
		for range 720 {
			lost := 0
			for range 250 {
				if rng.IntN(100) < percent {
					lost++
				}
			}
			if now := a.report(float64(lost) / 250); now != before {
				changes, before = changes+1, now
			}
		}
		if changes > 12 {
			t.Errorf("%d %% lost: %d changes in an hour", percent, changes)
		}
	}
}
