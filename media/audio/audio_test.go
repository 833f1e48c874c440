package audio_test

import (
	"bytes"
	"math"
	"testing"

	"sotto/media/audio"
)

// decode reads a whole WAV file.
func decode(t testing.TB, wav []byte) []int16 {
	t.Helper()
	s, err := audio.NewWAVSource(bytes.NewReader(wav))
	if err != nil {
		t.Fatal(err)
	}
	pcm, err := audio.ReadAll(s)
	if err != nil {
		t.Fatal(err)
	}
	return pcm
}

// sine is n samples of a tone at a rate.
func sine(hz float64, rate, n int, peak float64) []int16 {
	pcm := make([]int16, n)
	for i := range pcm {
		pcm[i] = int16(math.Round(peak * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))))
	}
	return pcm
}

// rms is the level of pcm in dB against a full-scale sine.
func rms(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/(math.MaxInt16*math.MaxInt16/2)+1e-20)
}
