package audio_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"sotto/media/audio"
)

// progressTones is each tone as frequencies/ms,0/ms, with x for "modulated by".
var progressTones = map[string]map[audio.Progress]string{
	"US":   {audio.Ringback: "440+480/2000,0/4000", audio.Busy: "480+620/500,0/500", audio.Congestion: "480+620/250,0/250"},
	"gb":   {audio.Ringback: "400+450/400,0/200,400+450/400,0/2000", audio.Busy: "400/375,0/375", audio.Congestion: "400/400,0/350,400/225,0/525"},
	"DE":   {audio.Ringback: "425/1000,0/4000", audio.Busy: "425/480,0/480", audio.Congestion: "425/240,0/240"},
	"FR":   {audio.Ringback: "440/1500,0/3500", audio.Busy: "440/500,0/500", audio.Congestion: "440/250,0/250"},
	"JP":   {audio.Ringback: "400x16/1000,0/2000", audio.Busy: "400/500,0/500", audio.Congestion: "400/500,0/500"},
	"":     {audio.Ringback: "425/1000,0/4000", audio.Busy: "425/500,0/500", audio.Congestion: "425/250,0/250"},
	"Oz":   {audio.Ringback: "425/1000,0/4000"},
	"none": {audio.Progress(9): "425/250,0/250"},
}

// TestProgressTones: each tone has its frequencies and no others, at -10 dBm0,
// begins and ends where it should to the sample, and does not click.
func TestProgressTones(t *testing.T) {
	for country, of := range progressTones {
		for progress, want := range of {
			source := audio.NewProgressTone(progress, country)
			var pcm []int16
			for len(pcm) < 13*audio.SampleRate {
				var frame [audio.FrameSamples]int16
				if err := source.ReadFrame(frame[:]); err != nil {
					t.Fatal(err)
				}
				pcm = append(pcm, frame[:]...)
			}
			name := fmt.Sprintf("%q %d", country, progress)
			all := strings.Split(want, ",")
			for part := range 2 * len(all) {
				tone, ms, _ := strings.Cut(all[part%len(all)], "/")
				n, _ := strconv.Atoi(ms)
				n *= audio.SampleRate / 1000
				checkPart(t, name, tone, pcm[:n])
				pcm = pcm[n:]
			}
		}
	}
}

func checkPart(t *testing.T, name, tone string, pcm []int16) {
	t.Helper()
	if tone == "0" {
		if l := audio.LevelOf(pcm); l.Peak != audio.SilenceLevel {
			t.Errorf("%s: a pause of %+v", name, l)
		}
		return
	}
	// It is there from the first millisecond to the last.
	for _, end := range [][]int16{pcm[:48], pcm[len(pcm)-48:]} {
		if l := audio.LevelOf(end); l.Peak == audio.SilenceLevel && !strings.Contains(tone, "x") {
			t.Errorf("%s: a tone begins too late or ends too early", name)
		}
	}
	carrier, swell, swells := strings.Cut(tone, "x")
	share, level := 0.0, -13.14-3.01
	for hz := range strings.SplitSeq(carrier, "+") {
		f, _ := strconv.ParseFloat(hz, 64)
		share += shareOf(pcm, f)
		if by, _ := strconv.ParseFloat(swell, 64); swells {
			share += shareOf(pcm, f-by) + shareOf(pcm, f+by)
		}
	}
	if share < 0.97 || share > 1.01 {
		t.Errorf("%s: %.3f of it is %s", name, share, tone)
	}
	if got := audio.LevelOf(pcm).RMS; math.Abs(got-level) > 0.3 {
		t.Errorf("%s: %.2f dBFS, want %.2f", name, got, level)
	}
	for i := 1; i < len(pcm); i++ {
		if d := math.Abs(float64(pcm[i]) - float64(pcm[i-1])); d > 1000 || i == 1 && math.Abs(float64(pcm[0])) > 100 {
			t.Fatalf("%s: a jump of %v at sample %d", name, d, i)
		}
	}
}

// shareOf is ToneLevel over the whole of pcm, which tells sidebands apart.
func shareOf(pcm []int16, hz float64) float64 {
	var re, im, all float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / audio.SampleRate)
		re, im, all = re+float64(v)*cos, im+float64(v)*sin, all+float64(v)*float64(v)
	}
	return 2 * (re*re + im*im) / (all * float64(len(pcm)))
}
