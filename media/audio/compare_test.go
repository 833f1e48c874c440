package audio_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// resample is a whole signal at another rate, without the filter's delay.
func resample(t testing.TB, pcm []int16, from, to int) []int16 {
	t.Helper()
	r, err := audio.NewResampler(from, to)
	if err != nil {
		t.Fatal(err)
	}
	flush := (r.Delay() + 2) * from / to
	pcm = append(append([]int16(nil), pcm...), make([]int16, flush)...)
	out := make([]int16, r.MaxOutput(len(pcm)))
	return out[r.Delay():r.Process(out, pcm)]
}

// through sends pcm through a codec; every lossEvery-th packet is lost and
// concealed or, with fec, recovered from the next.
func through(t testing.TB, pcm []int16, name string, lossEvery int, fec bool) []int16 {
	t.Helper()
	c, ok := codecs.Lookup(name)
	if !ok {
		t.Fatalf("no codec %s", name)
	}
	if c.SampleRate != audio.SampleRate {
		pcm = resample(t, pcm, audio.SampleRate, c.SampleRate)
	}
	enc, err := c.NewEncoder(codecs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := c.NewDecoder()
	if err != nil {
		t.Fatal(err)
	}
	size := c.PacketSamples(codecs.Options{})
	var packets [][]byte
	for ; len(pcm) >= size; pcm = pcm[size:] {
		pkt := make([]byte, 1500)
		n, err := enc.Encode(pkt, pcm[:size])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, pkt[:n])
	}
	var out []int16
	frame := make([]int16, size)
	for i, pkt := range packets {
		switch lost := lossEvery > 0 && i%lossEvery == lossEvery-1; {
		case lost && fec && i+1 < len(packets):
			_, err = dec.DecodeFEC(frame, packets[i+1])
		case lost:
			_, err = dec.Conceal(frame)
		default:
			_, err = dec.Decode(frame, pkt)
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, frame...)
	}
	if c.SampleRate != audio.SampleRate {
		out = resample(t, out, c.SampleRate, audio.SampleRate)
	}
	return out
}

// start is the first three seconds, which is enough and quicker.
func start(pcm []int16) []int16 { return pcm[:3*audio.SampleRate] }

func gain(pcm []int16, g float64) []int16 {
	out := make([]int16, len(pcm))
	for i, v := range pcm {
		out[i] = int16(min(max(g*float64(v), math.MinInt16), math.MaxInt16))
	}
	return out
}

func delayed(pcm []int16, samples int) []int16 {
	return append(make([]int16, samples), pcm...)
}

// stretched leaves out one frame of pcm and doubles another, as a jitter buffer
// does that changes its delay.
func stretched(pcm []int16, leaveOut, double int) []int16 {
	var out []int16
	for i := 0; (i+1)*audio.FrameSamples <= len(pcm); i++ {
		f := pcm[i*audio.FrameSamples : (i+1)*audio.FrameSamples]
		if i != leaveOut {
			out = append(out, f...)
		}
		if i == double {
			out = append(out, f...)
		}
	}
	return out
}

// slowed doubles the n quietest frames of each second of pcm.
func slowed(pcm []int16, n int) []int16 {
	var out []int16
	for ; len(pcm) >= audio.SampleRate; pcm = pcm[audio.SampleRate:] {
		second := pcm[:audio.SampleRate]
		var loud [audio.SampleRate / audio.FrameSamples]float64
		for i := range loud {
			for _, v := range second[i*audio.FrameSamples : (i+1)*audio.FrameSamples] {
				loud[i] += float64(v) * float64(v)
			}
		}
		longest := slices.Sorted(slices.Values(loud[:]))[n-1]
		for i, l := range loud {
			f := second[i*audio.FrameSamples : (i+1)*audio.FrameSamples]
			out = append(out, f...)
			if l <= longest {
				out = append(out, f...)
			}
		}
	}
	return out
}

func noise(n int) []int16 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]int16, n)
	for i := range out {
		out[i] = int16(3000 * r.NormFloat64())
	}
	return out
}

func mixed(a, b []int16) []int16 {
	out := append([]int16(nil), a...)
	for i := range min(len(a), len(b)) {
		out[i] = a[i]/2 + b[i]/2
	}
	return out
}

func TestCompareSame(t *testing.T) {
	caller := start(decode(t, speech.Caller()))
	for name, test := range map[string]struct {
		got            []int16
		correlation    float64 // at least
		snr            float64 // at least
		lagFrom, lagTo int
	}{
		"itself":             {caller, 0.9999, 34, 0, 0},
		"delayed":            {delayed(caller, 12345), 0.9999, 34, 12345, 12345},
		"begun late":         {caller[500:], 0.99, 34, -500, -500},
		"soft":               {gain(caller, 0.05), 0.999, 30, 0, 0},
		"loud, clipped":      {gain(caller, 3), 0.97, 14, 0, 0},
		"narrow":             {resample(t, resample(t, caller, 48000, 8000), 8000, 48000), 0.999, 25, -2, 2},
		"16 kHz":             {resample(t, resample(t, caller, 48000, 16000), 16000, 48000), 0.999, 30, -2, 2},
		"44.1 kHz":           {resample(t, resample(t, caller, 48000, 44100), 44100, 48000), 0.999, 30, -2, 2},
		"opus":               {through(t, caller, "opus", 0, false), 0.93, 7, 200, 400},
		"opus, 2 % lost":     {through(t, caller, "opus", 50, false), 0.92, 6.5, 200, 400},
		"opus, 10 % by FEC":  {through(t, caller, "opus", 10, true), 0.9, 6, 200, 400},
		"opus, delay, soft":  {gain(delayed(through(t, caller, "opus", 0, false), 7777), 0.3), 0.93, 7, 7977, 8177},
		"G722":               {through(t, caller, "G722", 0, false), 0.98, 20, 60, 80},
		"PCMU":               {through(t, caller, "PCMU", 0, false), 0.99, 25, -2, 2},
		"PCMA, 2 % lost":     {through(t, caller, "PCMA", 50, false), 0.95, 20, -2, 2},
		"changes of delay":   {through(t, stretched(caller, 60, 110), "opus", 0, false), 0.85, 5, -800, 1400},
		"longer pauses":      {through(t, slowed(caller, 6), "opus", 0, false), 0.85, 5, 0, 30000},
		"under other speech": {mixed(caller, gain(start(decode(t, speech.Callee())), 0.3)), 0.8, 5, 0, 0},
	} {
		got := audio.Compare(caller, test.got)
		t.Logf("%-20s %+v", name, got)
		if got.Correlation < test.correlation || got.SegSNR < test.snr ||
			got.LagSamples < test.lagFrom || got.LagSamples > test.lagTo {
			t.Errorf("%s: %+v, want at least %v and %v dB, lag %d to %d",
				name, got, test.correlation, test.snr, test.lagFrom, test.lagTo)
		}
	}
}

func TestCompareOther(t *testing.T) {
	caller, callee := start(decode(t, speech.Caller())), start(decode(t, speech.Callee()))
	for name, pair := range map[string][2][]int16{
		"other speech":           {caller, callee},
		"the other way":          {callee, caller},
		"other speech by opus":   {caller, through(t, callee, "opus", 0, false)},
		"other speech, narrow":   {callee, through(t, caller, "PCMU", 0, false)},
		"noise":                  {caller, noise(len(caller))},
		"a tone":                 {caller, sine(200, 48000, len(caller), 8000)},
		"silence":                {caller, make([]int16, len(caller))},
		"nothing":                {caller, nil},
		"silence as reference":   {make([]int16, 48000), caller},
		"no reference":           {nil, caller},
		"a tenth of it":          {caller, caller[:len(caller)/10]},
		"one sample of anything": {caller, []int16{1}},
	} {
		got := audio.Compare(pair[0], pair[1])
		t.Logf("%-20s %+v", name, got)
		if !(got.Correlation <= 0.3) || !(got.SegSNR <= 0) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A quarter of a second is sought as a whole: its last twentieth would be like
// something somewhere.
func TestCompareShort(t *testing.T) {
	const piece = audio.SampleRate / 4
	caller, callee := start(decode(t, speech.Caller())), start(decode(t, speech.Callee()))
	for ; len(caller) >= piece; caller = caller[piece:] {
		if got := audio.Compare(caller[:piece], callee); got.Correlation > 0.6 {
			t.Errorf("other speech: %+v", got)
		}
	}
}

func TestToneLevel(t *testing.T) {
	tone := sine(440, 48000, 48000, 8000)
	for name, test := range map[string]struct {
		pcm      []int16
		hz       float64
		from, to float64
	}{
		"the tone":       {tone, 440, 0.99, 1},
		"through opus":   {through(t, tone, "opus", 0, false), 440, 0.95, 1},
		"through PCMA":   {through(t, tone, "PCMA", 0, false), 440, 0.95, 1},
		"with losses":    {through(t, tone, "opus", 50, false), 440, 0.9, 1},
		"another tone":   {tone, 1000, 0, 0.01},
		"a neighbour":    {tone, 460, 0, 0.05},
		"half noise":     {mixed(tone, noise(len(tone))), 440, 0.7, 0.85},
		"noise":          {noise(48000), 440, 0, 0.01},
		"speech":         {decode(t, speech.Caller()), 440, 0, 0.2},
		"silence":        {make([]int16, 48000), 440, 0, 0},
		"next to no pcm": {tone[:100], 440, 0, 0},
	} {
		if got := audio.ToneLevel(test.pcm, test.hz); got < test.from || got > test.to {
			t.Errorf("%s: %.3f, want %v to %v", name, got, test.from, test.to)
		}
	}
}
