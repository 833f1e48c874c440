package media

import (
	"math"
	"time"
)

// Quality is how people would judge what is heard, estimated by the E-model
// (ITU-T G.107 and its sisters for more bandwidth, G.107.1 and G.107.2). Each
// codec is judged by the model of its own bandwidth. The zero value: not known.
type Quality struct {
	R     float64 // transmission rating with delay, 0 to 100
	MOSLQ float64 // mean opinion score of listening, without delay, 1 to 4.5
	MOSCQ float64 // of a conversation, with delay
}

// Known reports whether there is an estimate.
func (q Quality) Known() bool { return q.MOSLQ != 0 }

// impairment is how one codec fares in the E-model.
type impairment struct {
	best      float64 // rating without codec and loss, on the scale of its model
	worst     float64 // to which loss can impair it, on the same scale
	codec     float64 // equipment impairment factor Ie
	robust    float64 // packet-loss robustness factor Bpl, packets of 20 ms
	lookahead time.Duration
}

var impairments = map[string]impairment{
	// G.107, with the factors of G.113 for G.711 with the concealment of its
	// Appendix I, which codecs/plc is akin to.
	"PCMU": {best: 93.36, worst: 95, codec: 0, robust: 25.1},
	"PCMA": {best: 93.36, worst: 95, codec: 0, robust: 25.1},
	// G.107.1, with Ie of G.113. The robustness with our concealment has not
	// been published: it is the default of G.107, that of none.
	"G722": {best: 129, worst: 95, codec: 13, robust: 4.3, lookahead: 1375 * time.Microsecond},
	// G.107.2, with the factors for 31 kbit/s CBR and random loss of Alahmadi,
	// Počta and Melvin, ACM TOMM 17(4), 2021, https://doi.org/10.1145/3458751.
	"opus": {best: 148, worst: 132, codec: 21.7, robust: 11.5, lookahead: 6500 * time.Microsecond},
}

// rate estimates the quality at the loss share from 0 to 1, whose runs are
// burst times as long as those of random loss, and with a delay from mouth to
// ear.
func (i impairment) rate(loss, burst float64, delay time.Duration) Quality {
	scale := max(i.best/100, 1) // to a scale that ends at 100, as the mapping to MOS has it
	percent := 100 * loss
	effective := i.codec + (i.worst-i.codec)*percent/(percent/burst+i.robust)
	listening := (i.best - effective) / scale
	r := min(max(listening-delayImpairment(delay), 0), 100)
	return Quality{R: r, MOSLQ: opinion(listening), MOSCQ: opinion(r)}
}

// opinion is the mean opinion score of a rating (G.107 Annex B).
func opinion(r float64) float64 {
	r = min(max(r, 0), 100)
	return max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1)
}

// delayImpairment is Id of G.107, the echo of a talker and of a listener and
// the delay itself, with the default values of its table 2 for all but the
// delay. All three models take it, on a scale to 100.
func delayImpairment(delay time.Duration) float64 {
	const (
		ro   = 94.77 // basic signal-to-noise ratio, of the defaults
		telr = 65    // talker echo loudness rating, dB
		wepl = 110   // weighted echo path loss, dB
	)
	ms := max(float64(delay)/float64(time.Millisecond), 0)

	terv := telr - 40*math.Log10((1+ms/10)/(1+ms/150)) + 6*math.Exp(-0.3*ms*ms)
	talker := (ro - (80 + 2.5*(terv-14))) / 2
	impairment := (talker + math.Sqrt(talker*talker+100) - 1) * (1 - math.Exp(-ms))

	listener := (ro - 10.5*(wepl+7)*math.Pow(2*ms+1, -0.25)) / 2
	impairment += listener + math.Sqrt(listener*listener+169)

	if ms > 100 {
		x := math.Log2(ms / 100)
		root := func(v float64) float64 { return math.Pow(1+math.Pow(v, 6), 1.0/6) }
		impairment += 25 * (root(x) - 3*root(x/3) + 2)
	}
	return impairment
}
