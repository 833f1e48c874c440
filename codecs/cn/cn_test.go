package cn

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// noise is a second of what a packet tells.
func noise(t testing.TB, pkt []byte) []int16 {
	t.Helper()
	d, pcm := NewDecoder(), make([]int16, SampleRate)
	if n, err := d.Decode(pcm, pkt); n != FrameSamples || err != nil {
		t.Fatal(n, err)
	}
	if n, err := d.Conceal(pcm[FrameSamples:]); n != len(pcm)-FrameSamples || err != nil {
		t.Fatal(n, err)
	}
	return pcm
}

// level is in dB against a square wave of all that there is.
func level(pcm []int16) float64 {
	var sum float64
	for _, v := range pcm {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(pcm))/math.MaxInt16/math.MaxInt16)
}

// The noise has the level that the packet names, with any spectrum, and is never
// loud.
func TestLevel(t *testing.T) {
	for _, spectrum := range [][]byte{nil, {127}, {200}, {20, 200}, {90, 180, 127, 60}, bytes.Repeat([]byte{150}, 32)} {
		for _, l := range []byte{0, 20, 30, 45, 60} {
			got, want := level(noise(t, append([]byte{l}, spectrum...))), -math.Max(float64(l), 30)
			if math.Abs(got-want) > 1 {
				t.Errorf("level %d, spectrum %v: %.1f dBov, want %.1f", l, spectrum, got, want)
			}
		}
	}
	for _, v := range noise(t, []byte{127}) {
		if v > 1 || v < -1 {
			t.Fatal("the least level can be heard")
		}
	}
}

// A positive first coefficient makes the noise bright, a negative one dull.
func TestSpectrum(t *testing.T) {
	slope := func(pcm []int16) (r float64) {
		var cross, energy float64
		for i := 1; i < len(pcm); i++ {
			cross += float64(pcm[i]) * float64(pcm[i-1])
			energy += float64(pcm[i]) * float64(pcm[i])
		}
		return cross / energy
	}
	for _, c := range []struct {
		n    byte
		want float64 // correlation of neighbours: -k
	}{{127, 0}, {191, -0.504}, {63, 0.504}, {254, -1}, {0, 1}} {
		if got := slope(noise(t, []byte{40, c.n})); math.Abs(got-c.want) > 0.06 {
			t.Errorf("coefficient %d: %.2f, want %.2f", c.n, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	d, pcm := NewDecoder(), make([]int16, FrameSamples)
	for _, c := range []struct {
		dst  []int16
		pkt  []byte
		want error
	}{
		{pcm, nil, ErrLength}, {pcm, make([]byte, 34), ErrLength}, {pcm[:159], []byte{40}, ErrBuffer}, {pcm, []byte{40, 127, 255}, ErrValue},
	} {
		if n, err := d.Decode(c.dst, c.pkt); n != 0 || !errors.Is(err, c.want) {
			t.Errorf("%v: %d, %v", c.pkt, n, err)
		}
	}
	if n, err := d.Conceal(pcm); n != len(pcm) || err != nil || level(pcm) > -100 {
		t.Errorf("what was refused is heard: %v, %v", n, err)
	}
}

// FuzzDecode: any packets in a row are refused, or heard as noise that stays
// within bounds.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0}, []byte{127})
	f.Add([]byte{30, 254, 0, 254, 0}, []byte{30, 0, 254})
	f.Add(bytes.Repeat([]byte{254}, 33), bytes.Repeat([]byte{0}, 33))
	f.Add([]byte{128, 255}, []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		d, pcm := NewDecoder(), make([]int16, 2000)
		for _, pkt := range [][]byte{a, b, a} {
			n, err := d.Decode(pcm, pkt)
			if (err == nil) != (n == FrameSamples) {
				t.Fatal(n, err)
			}
			_, _ = d.Conceal(pcm)
			if l := level(pcm); l > -15 || math.IsNaN(d.delayed[0]) {
				t.Fatalf("%.1f dBov of %v after %v", l, pkt, a)
			}
		}
	})
}
