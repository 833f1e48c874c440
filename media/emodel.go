package media

import (
	"math"
	"time"
)

// Quality is how people would judge what is heard, estimated by the E-model
// (ITU-T G.107 of 2015 and its sisters for more bandwidth, G.107.1 of 2019 with
// Corrigendum 1 and G.107.2 of 2019). Each codec is judged by the model of its
// own bandwidth. The zero value: not known.
type Quality struct {
	R     float64 // transmission rating with delay, 0 to 100
	MOSLQ float64 // mean opinion score of listening, without delay, 1 to 4.5
	MOSCQ float64 // of a conversation, with delay
}

// Known reports whether there is an estimate.
func (q Quality) Known() bool { return q.MOSLQ != 0 }

// impairment is how one codec fares in the E-model.
type impairment struct {
	model     *model
	codec     float64 // equipment impairment factor Ie
	robust    float64 // packet-loss robustness factor Bpl, packets of 20 ms
	lookahead time.Duration
}

// model is what the E-models of the three bandwidths differ in.
type model struct {
	best  float64 // rating without codec and loss, on the scale of the model
	worst float64 // to which loss can impair it, on the same scale
	scale float64 // of the rating: with 1 it ends at 100, as the mapping to MOS has it
	echo  bool    // whether what is heard of one's own voice impairs
}

var (
	// The defaults of G.107 give 93.2 with the 0.16 that their echo takes.
	narrowband = &model{best: 93.36, worst: 95, scale: 1, echo: true}
	// G.107.1 keeps the 95 (its equation 7-15) and has echo; that takes what it does in
	// G.107, on its own scale.
	wideband = &model{best: 129, worst: 95, scale: 1.29, echo: true}
	// G.107.2 has no impairment by echo (its clause 7.4), and 1.48 times that by delay.
	fullband = &model{best: 148, worst: 132, scale: 1.48}
)

var impairments = map[string]impairment{
	// G.113 Appendix I, Tables I.1 and I.3 (2002 to 2007; the edition of 2024 has
	// no Bpl for it): G.711 with the concealment of its own Appendix I, which
	// codecs/plc is akin to. Without it would be 4.3.
	"PCMU": {model: narrowband, codec: 0, robust: 25.1},
	"PCMA": {model: narrowband, codec: 0, robust: 25.1},
	// G.113 Appendix IV, at 64 kbit/s. The robustness with our concealment has not
	// been published: it is the default of G.107, that of none.
	"G722": {model: wideband, codec: 13, robust: 4.3, lookahead: 1375 * time.Microsecond},
	// The factors for 31 kbit/s CBR, superwideband, random loss of Alahmadi, Počta
	// and Melvin, ACM TOMM 17(4), 2021, https://doi.org/10.1145/3458751: 21.742 and
	// 11.51. The ITU has none for Opus.
	"opus": {model: fullband, codec: 21.7, robust: 11.5, lookahead: 6500 * time.Microsecond},
}

// rate estimates the quality at the loss share from 0 to 1, whose runs are
// burst times as long as those of random loss, and with a delay from mouth to
// ear.
func (i impairment) rate(loss, burst float64, delay time.Duration) Quality {
	percent := 100 * loss
	effective := i.codec + (i.model.worst-i.codec)*percent/(percent/burst+i.robust)
	listening := (i.model.best - effective) / i.model.scale
	impaired := delayImpairment(delay)
	if i.model.echo {
		impaired += echoImpairment(delay)
	}
	r := min(max(listening-impaired, 0), 100)
	return Quality{R: r, MOSLQ: opinion(listening), MOSCQ: opinion(r)}
}

// opinion is the mean opinion score of a rating (G.107 Annex B).
func opinion(r float64) float64 {
	r = min(max(r, 0), 100)
	return max(1+0.035*r+r*(r-60)*(100-r)*7e-6, 1)
}

// delayImpairment is Idd of G.107, that of the delay itself, for users of its
// default sensitivity. All three models have it, on a scale to 100.
func delayImpairment(delay time.Duration) float64 {
	const unnoticed = 100 * time.Millisecond
	if delay <= unnoticed {
		return 0
	}
	x := math.Log2(float64(delay) / float64(unnoticed))
	root := func(v float64) float64 { return math.Pow(1+math.Pow(v, 6), 1.0/6) }
	return 25 * (root(x) - 3*root(x/3) + 2)
}

// echoImpairment is Idte and Idle of G.107, the echo of a talker and of a
// listener, with the default values of its Table 2 for all but the delay.
func echoImpairment(delay time.Duration) float64 {
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
	return impairment + listener + math.Sqrt(listener*listener+169)
}
