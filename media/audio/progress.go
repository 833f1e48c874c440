package audio

import (
	"math"
	"strings"
)

// Progress is what a caller is told by a tone while there is no voice.
type Progress uint8

// The tones.
const (
	Ringback   Progress = iota // the other side's phone rings
	Busy                       // the other side is talking to somebody else
	Congestion                 // the network cannot make the call
	progresses
)

// tone is one or two frequencies in Hz, perhaps swelling as often a second as
// says swell, and for how many ms by turns they are there and not.
type tone struct {
	hz      []float64
	swell   float64
	cadence []int
}

// tones are those of the national networks, from "Various tones used in national
// networks", the annex of ITU's Operational Bulletin to ITU-T E.180 (its
// Supplement 2 before). The empty country has what E.180 recommends, from the
// middle of its limits: 425 Hz, a ringing tone of 0.67 to 1.5 s every 3.67 to
// 6.5 s, and a congestion tone that is quicker than the busy tone. Japan has no
// congestion tone of its own.
var tones = map[string][progresses]tone{
	"":   {Ringback: keyed(425, 1000, 4000), Busy: keyed(425, 500, 500), Congestion: keyed(425, 250, 250)},
	"DE": {Ringback: keyed(425, 1000, 4000), Busy: keyed(425, 480, 480), Congestion: keyed(425, 240, 240)},
	"FR": {Ringback: keyed(440, 1500, 3500), Busy: keyed(440, 500, 500), Congestion: keyed(440, 250, 250)},
	"GB": {
		Ringback:   {hz: []float64{400, 450}, cadence: []int{400, 200, 400, 2000}},
		Busy:       keyed(400, 375, 375),
		Congestion: keyed(400, 400, 350, 225, 525),
	},
	"JP": {
		Ringback: {hz: []float64{400}, swell: 16, cadence: []int{1000, 2000}},
		Busy:     keyed(400, 500, 500), Congestion: keyed(400, 500, 500),
	},
	"US": {
		Ringback:   {hz: []float64{440, 480}, cadence: []int{2000, 4000}},
		Busy:       {hz: []float64{480, 620}, cadence: []int{500, 500}},
		Congestion: {hz: []float64{480, 620}, cadence: []int{250, 250}},
	},
}

func keyed(hz float64, cadence ...int) tone { return tone{hz: []float64{hz}, cadence: cadence} }

const (
	// progressLevel is the peak of a single frequency at -10 dBm0, the level that
	// E.180 wants: 13.14 dB below a full-scale sine.
	progressLevel = 0.2203 * math.MaxInt16
	// keying is how long a tone takes to come and to go, 2.5 ms, so that it does
	// not click. It belongs to the time that the tone is there.
	keying = FrameSamples / 8
)

// ProgressTone is a source without end of a tone that tells how a call goes.
type ProgressTone struct {
	tone tone
	peak float64
	at   int // samples since the cadence began
	part int // of the cadence; the even ones are heard
	left int // samples of the part
	all  int // samples of the part
}

// NewProgressTone makes a tone as the telephones of a country have it. That is
// its code in ISO 3166: DE, FR, GB, JP or US. Any other has what ITU-T E.180
// recommends.
func NewProgressTone(p Progress, country string) *ProgressTone {
	national, ok := tones[strings.ToUpper(country)]
	if !ok {
		national = tones[""]
	}
	t := &ProgressTone{tone: national[min(p, progresses-1)], part: -1}
	t.peak = progressLevel / math.Sqrt(float64(len(t.tone.hz)))
	return t
}

// ReadFrame continues the tone into pcm.
func (t *ProgressTone) ReadFrame(pcm []int16) error {
	for i := range pcm {
		if t.left == 0 {
			if t.part = (t.part + 1) % len(t.tone.cadence); t.part == 0 {
				t.at = 0
			}
			t.all = t.tone.cadence[t.part] * SampleRate / 1000
			t.left = t.all
		}
		pcm[i] = 0
		if t.part%2 == 0 {
			pcm[i] = clip(float32(t.wave() * t.key()))
		}
		t.left--
		t.at++
	}
	return nil
}

// wave is the tone at the present sample.
func (t *ProgressTone) wave() (v float64) {
	turn := 2 * math.Pi * float64(t.at) / SampleRate
	for _, hz := range t.tone.hz {
		v += math.Sin(turn * hz)
	}
	if t.tone.swell != 0 {
		// All of the carrier, up and down, at the same power as without.
		v *= (1 - math.Cos(turn*t.tone.swell)) / math.Sqrt(1.5)
	}
	return v * t.peak
}

// key is how much of the tone is there, from 0 to 1, near the ends of its part.
func (t *ProgressTone) key() float64 {
	return min(1, float64(t.all-t.left)/keying, float64(t.left-1)/keying)
}
