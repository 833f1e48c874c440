package media

// lossSteps are what an encoder prepares for, in per cent of its packets, and up
// to what share of losses. Two are enough (bench/quality/codec.md): up to 5 libopus
// only leans less on packets before, from 6 on packets carry those before them,
// and more than 10 is better nowhere. By that score they need not until more than
// every twentieth packet is lost; but what is lost then is made up, and the score
// does not know a syllable from a pause.
var lossSteps = [...]struct {
	expect int
	upTo   float64
}{
	{5, 0.02}, {10, 1},
}

const (
	// firstStep is where a call begins, before its network is known.
	firstStep = 1
	// calmReports in a row that would do with less bring it one step down,
	// clearly less: half of what that step is for.
	calmReports = 3
	clearly     = 0.5
)

// adaptation follows how much the peer loses, by its reports alone: up as far as
// it takes, at once where it is bad, and down step by step.
type adaptation struct {
	step    int
	calm    int
	average float64 // over some reports
}

// report takes the share that was lost since the last report, and returns what
// the encoder is to expect from now on.
func (a *adaptation) report(lost float64) (percent int) {
	a.average += (lost - a.average) / 4
	lost = max(a.average, lost/2)
	switch {
	case lost > lossSteps[a.step].upTo:
		for lost > lossSteps[a.step].upTo {
			a.step++
		}
		a.calm = 0
	case a.step > 0 && lost <= clearly*lossSteps[a.step-1].upTo:
		if a.calm++; a.calm == calmReports {
			a.step--
			a.calm = 0
		}
	default:
		a.calm = 0
	}
	return lossSteps[a.step].expect
}
