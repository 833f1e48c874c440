package media_test

import (
	"bytes"
	"math"
	"testing"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
)

const noiseType = 13

// quietFar is a peer that speaks PCMU and pauses, to a Receiver that takes
// comfort noise.
func quietFar(t testing.TB) (*media.Receiver, *far, *tape) {
	t.Helper()
	sink := &tape{}
	c := receiverConfig(t, sink)
	c.Secure = false
	c.Payloads = map[uint8]codecs.Codec{0: codec(t, "PCMU"), noiseType: codecs.ComfortNoise}
	r := newReceiver(t, c)
	must(t, r.ReleaseClear())
	f := newFar(t, nil)
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 160, 160
	return r, f, sink
}

// pause lets n ticks pass without packets.
func pause(t testing.TB, r *media.Receiver, f *far, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		f.ts += f.step
		play(t, r, at(i))
	}
}

// volume is in dB against a square wave of all that there is.
func volume(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10*math.Log10(sum/float64(len(pcm))) - 20*math.Log10(math.MaxInt16)
}

// leap is the longest way from one sample to the next.
func leap(pcm []int16) (most int) {
	for i := 1; i < len(pcm); i++ {
		most = max(most, abs(int(pcm[i])-int(pcm[i-1])))
	}
	return most
}

// While a peer pauses, noise of the level that it named is heard, and nothing
// counts as missing.
func TestComfortNoise(t *testing.T) {
	r, f, sink := quietFar(t)
	run(t, r, f, 0, 50)
	for i := 50; i < 150; i += 50 { // it says so once a second
		r.HandleRTP(at(i), f.packet(noiseType, []byte{42, 150, 100}))
		play(t, r, at(i))
		pause(t, r, f, i+1, 49)
	}
	run(t, r, f, 150, 50)
	wantTone(t, sink.pcm[10*audio.FrameSamples:50*audio.FrameSamples], 440, 0.97)
	wantTone(t, sink.pcm[155*audio.FrameSamples:], 440, 0.97)
	for _, from := range []int{55, 105} {
		if got := volume(sink.pcm[from*audio.FrameSamples:][:40*audio.FrameSamples]); math.Abs(got+42) > 1.5 {
			t.Errorf("noise from frame %d on: %.1f dBov, want -42", from, got)
		}
	}
	// The tone itself goes 470 from sample to sample.
	if n := leap(sink.pcm[5*audio.FrameSamples:]); n > 700 {
		t.Errorf("a jump of %d", n)
	}
	if s := r.Stats(); s.Concealed+s.Lost+s.Late+s.Skipped+s.Undecodable != 0 || s.Streams != 1 || s.Discarded != (media.Discarded{}) {
		t.Errorf("%+v", s)
	}
}

// Whatever a packet of comfort noise says, it does not get loud; what is none is
// silence.
func TestComfortNoiseIsNeverLoud(t *testing.T) {
	for name, c := range map[string]struct {
		payload     []byte
		undecodable uint64
	}{
		"full level":          {payload: []byte{0}},
		"reserved bit":        {payload: []byte{0x80}},
		"edge of the filter":  {payload: []byte{0, 0, 254, 0}},
		"too long":            {payload: bytes.Repeat([]byte{100}, 34), undecodable: 1},
		"coefficient of none": {payload: []byte{20, 255}, undecodable: 1},
	} {
		t.Run(name, func(t *testing.T) {
			r, f, sink := quietFar(t)
			run(t, r, f, 0, 20)
			r.HandleRTP(at(20), f.packet(noiseType, c.payload))
			play(t, r, at(20))
			pause(t, r, f, 21, 30)
			got := volume(sink.pcm[30*audio.FrameSamples:])
			if got > -17 || c.undecodable > 0 && got > -80 {
				t.Errorf("%.1f dBov", got)
			}
			if s := r.Stats(); s.Undecodable != c.undecodable {
				t.Errorf("%+v", s)
			}
		})
	}
}
