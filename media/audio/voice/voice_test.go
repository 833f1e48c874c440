//go:build speexdsp

package voice_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"sotto/media/audio"
	"sotto/media/audio/speech"
	"sotto/media/audio/voice"
)

const (
	frame = audio.FrameSamples
	ms    = audio.SampleRate / 1000
)

// clip is speech at our rate.
func clip(t testing.TB, wav []byte) []int16 {
	t.Helper()
	source, err := audio.NewWAVSource(bytes.NewReader(wav))
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := audio.ReadAll(source)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// room is the way from a loudspeaker to the microphone beside it: a delay, then
// what the walls throw back, which falls by 60 dB within the tail.
type room struct {
	delay, tail int     // samples
	gain        float64 // how loud the echo is against what is played
	seed        uint64
}

// rooms are a small one, an office, and a hall with slow devices.
var rooms = map[string]room{
	"near":   {20 * ms, 64 * ms, 0.3, 1},
	"office": {40 * ms, 96 * ms, 0.5, 2},
	"hall":   {70 * ms, 128 * ms, 0.5, 3},
}

// hear is what the microphone has of pcm, with a little noise of its own, and of
// somebody who speaks into it.
func (r room) hear(pcm, near []int16) []int16 {
	random := rand.New(rand.NewPCG(r.seed, 1))
	var response [250]float64
	var after [250]int
	energy := 0.0
	for i := range response {
		after[i] = random.IntN(r.tail)
		response[i] = random.NormFloat64() * math.Pow(10, -3*float64(after[i])/float64(r.tail))
		energy += response[i] * response[i]
	}
	heard := make([]float64, len(pcm))
	for i, h := range response {
		h *= r.gain / math.Sqrt(energy)
		for j, v := range pcm[:len(pcm)-r.delay-after[i]] {
			heard[r.delay+after[i]+j] += h * float64(v)
		}
	}
	out := make([]int16, len(pcm))
	for i := range out {
		if heard[i] += 3 * random.NormFloat64(); i < len(near) {
			heard[i] += float64(near[i])
		}
		out[i] = int16(min(max(heard[i], math.MinInt16), math.MaxInt16))
	}
	return out
}

// process sends all of mic through a Processor.
func process(t *testing.T, o voice.Options, mic, far []int16) []int16 {
	t.Helper()
	p, err := voice.New(o)
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Clone(mic)
	for i := 0; i+frame <= len(out); i += frame {
		p.Process(out[i:i+frame], far[i:i+frame])
	}
	return out
}

// decibels is how much more energy a has than b.
func decibels(a, b []int16) float64 {
	var ea, eb float64
	for i := range a {
		ea += float64(a[i]) * float64(a[i])
		eb += float64(b[i]) * float64(b[i])
	}
	return 10 * math.Log10((ea+1)/(eb+1))
}

// TestEcho: two seconds after somebody begins to speak at the far end, what of
// it comes back is more than 25 dB softer than what the microphone hears, at a
// time when nobody speaks into it.
func TestEcho(t *testing.T) {
	far := clip(t, speech.Caller())
	for name, r := range rooms {
		mic := r.hear(far, nil)
		out := process(t, voice.Options{Echo: true}, mic, far)
		const after = 2 * audio.SampleRate
		enhancement := decibels(mic[after:], out[after:])
		t.Logf("%s: %.1f dB", name, enhancement)
		if enhancement < 25 {
			t.Errorf("%s: echo return loss enhancement %.1f dB", name, enhancement)
		}
		off := process(t, voice.Options{}, mic, far)
		if d := decibels(mic[after:], off[after:]); math.Abs(d) > 1 {
			t.Errorf("%s: switched off, it changes the echo by %.1f dB", name, d)
		}
	}
}

// TestDoubleTalk: somebody who speaks into the microphone while the other side
// does is heard, as loud as before and never cut off, and no worse than a codec
// would leave him.
func TestDoubleTalk(t *testing.T) {
	far := clip(t, speech.Caller())
	far = append(far, far...)
	near := clip(t, speech.Callee())
	const begin = 5 * audio.SampleRate
	late := append(make([]int16, begin), near...)
	for name, r := range rooms {
		out := process(t, voice.Options{Echo: true}, r.hear(far, late), far)[begin:]
		alike, cut := audio.Compare(near, out), softest(near, out[frame:])
		t.Logf("%s: correlation %.3f, at worst %.1f dB softer", name, alike.Correlation, cut)
		if alike.Correlation < 0.92 || cut > 6 {
			t.Errorf("%s: correlation %.3f, at worst %.1f dB softer", name, alike.Correlation, cut)
		}
	}
}

// softest is by how many dB the fifth of a second is softer in got that has lost
// most, of those that are not pauses.
func softest(ref, got []int16) (worst float64) {
	const part = audio.SampleRate / 5
	silence := make([]int16, part)
	for i := 0; i+part <= min(len(ref), len(got)); i += part {
		if decibels(ref[i:i+part], silence) > decibels(ref, make([]int16, len(ref)))-10 {
			worst = max(worst, decibels(ref[i:i+part], got[i:i+part]))
		}
	}
	return worst
}

// TestNothingFar: while the other side is silent, whoever speaks is heard.
func TestNothingFar(t *testing.T) {
	near := clip(t, speech.Callee())
	out := process(t, voice.Options{Echo: true}, near, make([]int16, len(near)))
	if s, cut := audio.Compare(near, out), softest(near, out[frame:]); s.Correlation < 0.94 || s.LagSamples > frame || cut > 3 {
		t.Errorf("%+v, at worst %.1f dB softer", s, cut)
	}
}

// TestNoise: steady noise becomes softer by 10 dB, and speech in it does not.
func TestNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	near := clip(t, speech.Callee())
	noisy := append(make([]int16, 3*audio.SampleRate), near...)
	for i := range noisy {
		noisy[i] += int16(random.NormFloat64() * 100)
	}
	out := process(t, voice.Options{Noise: true}, noisy, make([]int16, len(noisy)))
	second := noisy[2*audio.SampleRate : 3*audio.SampleRate]
	if d := decibels(second, out[2*audio.SampleRate:]); d < 10 {
		t.Errorf("noise is softer by %.1f dB", d)
	}
	if cut := softest(near, out[3*audio.SampleRate+frame:]); cut > 3 {
		t.Errorf("speech is softer by %.1f dB", cut)
	}
}

// TestGain: a voice that is 20 dB too soft comes out nearer to one that is not.
func TestGain(t *testing.T) {
	loud := clip(t, speech.Callee())
	soft := make([]int16, len(loud))
	for i, v := range loud {
		soft[i] = v / 10
	}
	far := make([]int16, len(loud))
	a, b := process(t, voice.Options{Gain: true}, loud, far), process(t, voice.Options{Gain: true}, soft, far)
	const after = 4 * audio.SampleRate
	if before, now := decibels(loud[after:], soft[after:]), decibels(a[after:], b[after:]); now > before-10 {
		t.Errorf("%.1f dB apart, %.1f before", now, before)
	}
}

func TestAllocates(t *testing.T) {
	p, err := voice.New(voice.Options{Echo: true, Noise: true, Gain: true})
	if err != nil {
		t.Fatal(err)
	}
	near, far := make([]int16, frame), make([]int16, frame)
	if n := testing.AllocsPerRun(50, func() { p.Process(near, far) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// between is a device in a room: what is written to it comes back as an echo.
type between struct {
	heard   []int16
	played  int
	flushed int
	closed  int
}

func (b *between) ReadFrame(pcm []int16) error {
	copy(pcm, b.heard)
	b.heard = b.heard[frame:]
	return nil
}

func (b *between) WriteFrame([]int16) error { b.played++; return nil }
func (b *between) Flush()                   { b.flushed++ }
func (b *between) Close() error             { b.closed++; return nil }

// TestCouple: between a call and its devices, too, the echo goes.
func TestCouple(t *testing.T) {
	far := clip(t, speech.Caller())
	mic := rooms["office"].hear(far, nil)
	p, err := voice.New(voice.Options{Echo: true})
	if err != nil {
		t.Fatal(err)
	}
	device := &between{heard: mic}
	source, sink := voice.Couple(device, device, p)
	var out []int16
	for i := 0; i+frame <= len(far); i += frame {
		pcm := make([]int16, frame)
		if err := sink.WriteFrame(far[i : i+frame]); err != nil {
			t.Fatal(err)
		}
		if err := source.ReadFrame(pcm); err != nil {
			t.Fatal(err)
		}
		out = append(out, pcm...)
	}
	const after = 2 * audio.SampleRate
	if d := decibels(mic[after:len(out)], out[after:]); d < 25 || device.played != len(out)/frame {
		t.Errorf("echo return loss enhancement %.1f dB, %d frames played", d, device.played)
	}
	for i, end := range []any{sink, source} {
		if end.(audio.Flusher).Flush(); device.flushed != i+1 {
			t.Errorf("%T: flushed %d times", end, device.flushed)
		}
	}
	if err := errors.Join(source.(io.Closer).Close(), sink.(io.Closer).Close()); err != nil || device.closed != 2 {
		t.Errorf("%v, closed %d times", err, device.closed)
	}
}

// TestFlushForgets: what the microphone heard before a Flush is not read after it,
// although the processor holds a frame back.
func TestFlushForgets(t *testing.T) {
	near := clip(t, speech.Callee())[audio.SampleRate:]
	device := &between{heard: append(slices.Clone(near[:50*frame]), make([]int16, 10*frame)...)}
	p, err := voice.New(voice.Options{Echo: true, Noise: true})
	if err != nil {
		t.Fatal(err)
	}
	source, _ := voice.Couple(device, device, p)
	loudest := func(frames int) (level int) {
		pcm := make([]int16, frame)
		for range frames {
			if err := source.ReadFrame(pcm); err != nil {
				t.Fatal(err)
			}
			for _, v := range pcm {
				level = max(level, int(v), -int(v))
			}
		}
		return level
	}
	if before := loudest(50); before < 1000 {
		t.Fatalf("nothing louder than %d is heard", before)
	}
	source.(audio.Flusher).Flush()
	if after := loudest(10); after > 30 {
		t.Errorf("%d is heard after a flush", after)
	}
}
