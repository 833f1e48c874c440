package audio

import "math"

// Similarity is how like the reference a recording is. Only the telephone band
// up to 3.4 kHz counts, so that narrow and wide paths measure alike.
type Similarity struct {
	// LagSamples is how much later the recording is, in samples of 48 kHz,
	// where the two are most alike.
	LagSamples int
	// Correlation is from 0 to 1: the mean over the fifths of a second of the
	// reference, weighted by energy, each sought near where it is expected.
	// The same speech is above 0.85 even through a codec, with a few frames
	// concealed and some words longer than they were; other speech is below 0.35.
	Correlation float64
	// SegSNR is the mean over the 20 ms frames of the reference that are not
	// silence of the signal-to-noise ratio in dB, each from -10 to 35. Gain
	// does not count as noise, but an encoder's shaping of the voice does: Opus
	// at 32 kbit/s is at about 8, G.711 above 30, other speech below 0.
	SegSNR float64
}

const (
	coarseRate = 8000
	coarse     = SampleRate / coarseRate
	segment    = SampleRate / 5
	// drift is how far a segment may be from where the one before it was: a
	// jitter buffer makes sound longer and shorter. In a pause, where none is
	// found, it goes on doing so.
	drift    = 60 * coarseRate / 1000
	maxDrift = 5 * drift
	// alike is the correlation from which on a segment counts as found.
	alike = 0.6

	minSNR, maxSNR = -10.0, 35.0
	// quiet frames, by energy below the loudest, do not count (40 dB).
	quiet = 1e-4
)

// Compare measures how like ref the recording got is. The recording may be
// later or earlier, louder or softer, may have gone through a codec, and may
// have frames concealed or its delay changed on the way. What of ref is not in
// got counts as unlike; what else is in got does not count.
func Compare(ref, got []int16) Similarity {
	a, b := newTrack(ref), newTrack(got)
	m := measure{floor: quiet * loudest(a.fine)}
	if m.floor == 0 || len(got) == 0 {
		return Similarity{SegSNR: minSNR}
	}
	near := place{bestLag(a.coarse, b.coarse), drift}
	var shifted [segment + segment/2]float32
	for start, end := 0, 0; start < len(a.fine); start = end {
		if end = start + segment; end+segment/2 > len(a.fine) {
			end = len(a.fine) // little by itself would be like anything
		}
		lag, part := b.align(a, start, end, near)
		found := shifted[:end-start]
		b.shift(found, start+lag, part)
		if m.add(a.fine[start:end], found, lag+int(part+0.5)) > alike {
			near = place{lag / coarse, drift}
		} else {
			near.reach = min(near.reach+drift, maxDrift)
		}
	}
	return m.result()
}

// place is how much later than in the reference a segment is sought, and how far
// around that, in samples of coarseRate.
type place struct{ lag, reach int }

// track is the telephone band of a signal at two rates.
type track struct {
	coarse, fine []float32
}

// newTrack filters pcm; the delay of the filters is the same for all tracks.
func newTrack(pcm []int16) track {
	down, err := NewResampler(SampleRate, coarseRate)
	if err != nil {
		panic("audio: " + err.Error()) // both rates are constants
	}
	up, err := NewResampler(coarseRate, SampleRate)
	if err != nil {
		panic("audio: " + err.Error())
	}
	narrow := make([]int16, down.MaxOutput(len(pcm)))
	narrow = narrow[:down.Process(narrow, pcm)]
	wide := make([]int16, up.MaxOutput(len(narrow)))
	wide = wide[:up.Process(wide, narrow)]
	return track{floats(narrow), floats(wide)}
}

func floats(pcm []int16) []float32 {
	f := make([]float32, len(pcm))
	for i, v := range pcm {
		f[i] = float32(v)
	}
	return f
}

// align finds where the reference's segment from start to end is in t: the lag
// in whole samples and the part of a sample beyond it, from 0 to 1.
func (t track) align(ref track, start, end int, near place) (lag int, part float64) {
	low := ref.coarse[start/coarse : min(end/coarse, len(ref.coarse))]
	best, _ := peak(low, t.coarse, start/coarse+near.lag-near.reach, start/coarse+near.lag+near.reach)
	best *= coarse
	at, scores := peak(ref.fine[start:end], t.fine, best-coarse, best+coarse)
	// A parabola through the peak and its neighbours tells the part.
	if d := scores[0] - 2*scores[1] + scores[2]; d < 0 {
		part = (scores[0] - scores[2]) / (2 * d)
	}
	if part < 0 {
		at, part = at-1, part+1
	}
	return at - start, part
}

// peak finds the offset from first to last at which t is most like ref, by
// correlation over the energy of t, and the scores before, at and after it.
func peak(ref, t []float32, first, last int) (at int, scores [3]float64) {
	energy := 0.0
	for i := range ref {
		energy += square(t, first-1+i)
	}
	scores[1] = math.Inf(-1)
	var before, score float64
	for i := first - 1; i <= last+1; i++ {
		next := overlap(ref, t, i) / math.Sqrt(max(energy, 1))
		if i > first && score > scores[1] {
			at, scores = i-1, [3]float64{before, score, next}
		}
		before, score = score, next
		energy += square(t, i+len(ref)) - square(t, i)
	}
	return at, scores
}

// overlap is the product of ref and t from offset on, and of t's silence beyond
// its ends.
func overlap(ref, t []float32, offset int) float64 {
	ref = ref[min(max(0, -offset), len(ref)):]
	t = t[min(max(0, offset), len(t)):]
	n := min(len(ref), len(t))
	return float64(dot(ref[:n], t))
}

func square(t []float32, i int) float64 {
	if i < 0 || i >= len(t) {
		return 0
	}
	return float64(t[i]) * float64(t[i])
}

// shift copies t from offset and part on into dst, and silence beyond its
// ends. In this band the straight line between two samples is true to -29 dB
// at the upper edge, and far better below.
func (t track) shift(dst []float32, offset int, part float64) {
	sample := func(i int) float32 {
		if i < 0 || i >= len(t.fine) {
			return 0
		}
		return t.fine[i]
	}
	p := float32(part)
	for i := range dst {
		dst[i] = (1-p)*sample(offset+i) + p*sample(offset+i+1)
	}
}

// measure sums up the segments.
type measure struct {
	floor float64 // energy below which a frame is silence

	lag            int
	best           float64
	energy, shared float64
	frames         int
	snr            float64
}

// add takes a segment and what was found in its place, and returns their
// correlation.
func (m *measure) add(ref, got []float32, lag int) float64 {
	energy, gotEnergy, cross := energyOf(ref), energyOf(got), float64(dot(ref, got))
	if energy == 0 {
		return 0
	}
	m.energy += energy
	c := 0.0
	if cross > 0 && gotEnergy > 0 {
		c = cross / math.Sqrt(energy*gotEnergy)
	}
	m.shared += c * energy
	if c*energy > m.best {
		m.best, m.lag = c*energy, lag
	}
	gain := max(0, cross/energy)
	for start := 0; start+FrameSamples <= len(ref); start += FrameSamples {
		m.addFrame(ref[start:start+FrameSamples], got[start:start+FrameSamples], gain)
	}
	return c
}

func (m *measure) addFrame(ref, got []float32, gain float64) {
	energy := energyOf(ref)
	if energy <= m.floor {
		return
	}
	var noise float64
	for i, v := range ref {
		d := float64(got[i]) - gain*float64(v)
		noise += d * d
	}
	snr := minSNR
	if gain > 0 {
		snr = 10 * math.Log10(gain*gain*energy/(noise+1))
	}
	m.frames++
	m.snr += min(max(snr, minSNR), maxSNR)
}

func (m *measure) result() Similarity {
	return Similarity{
		LagSamples:  m.lag,
		Correlation: m.shared / max(m.energy, 1),
		SegSNR:      m.snr / float64(max(m.frames, 1)),
	}
}

func energyOf(x []float32) float64 { return float64(dot(x, x)) }

func loudest(x []float32) float64 {
	top := 0.0
	for start := 0; start+FrameSamples <= len(x); start += FrameSamples {
		top = max(top, energyOf(x[start:start+FrameSamples]))
	}
	return top
}

// toneBlock is 100 ms: long enough to tell tones 10 Hz apart, short enough
// that a concealed frame spoils little.
const toneBlock = SampleRate / 10

// ToneLevel is the share of the energy of pcm, from 0 to 1, that is a tone of
// hz. Silence has none.
func ToneLevel(pcm []int16, hz float64) float64 {
	var tone, all float64
	coeff := 2 * math.Cos(2*math.Pi*hz/SampleRate)
	for ; len(pcm) >= toneBlock; pcm = pcm[toneBlock:] {
		var s1, s2 float64 // Goertzel's recurrence
		for _, v := range pcm[:toneBlock] {
			x := float64(v)
			s1, s2 = x+coeff*s1-s2, s1
			all += x * x
		}
		tone += (s1*s1 + s2*s2 - coeff*s1*s2) * 2 / toneBlock
	}
	if all == 0 {
		return 0
	}
	return min(tone/all, 1)
}
