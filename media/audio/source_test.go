package audio_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sotto/media/audio"
	"sotto/media/audio/speech"
)

func TestParseSource(t *testing.T) {
	wav := filepath.Join(t.TempDir(), "a.wav")
	if err := os.WriteFile(wav, speech.Caller(), 0o600); err != nil {
		t.Fatal(err)
	}
	pcm := make([]int16, 10*audio.FrameSamples)
	for _, test := range []struct {
		spec string
		hz   float64
	}{{"tone:440", 440}, {"tone:1000.5", 1000.5}} {
		s := parse(t, test.spec)
		for i := range 10 {
			if err := s.ReadFrame(pcm[i*audio.FrameSamples:][:audio.FrameSamples]); err != nil {
				t.Fatal(err)
			}
		}
		if level := audio.ToneLevel(pcm, test.hz); level < 0.999 {
			t.Errorf("%s: %.4f of it is the tone", test.spec, level)
		}
		if level := rms(pcm); level < -12.2 || level > -11.9 {
			t.Errorf("%s: %.2f dB", test.spec, level)
		}
	}
	if err := parse(t, "silence").ReadFrame(pcm[:audio.FrameSamples]); err != nil || slices.Max(pcm[:audio.FrameSamples]) != 0 {
		t.Errorf("silence: %v", err)
	}
	s := parse(t, wav)
	if got, err := audio.ReadAll(s); err != nil || !slices.Equal(got, decode(t, speech.Caller())) {
		t.Errorf("WAV file: %d samples, %v", len(got), err)
	}
	if err := s.(io.Closer).Close(); err != nil {
		t.Error(err)
	}
	for spec, says := range map[string]string{
		"":            "no source",
		"tone:":       "want a number",
		"tone:x":      "want a number",
		"tone:NaN":    "want a number",
		"tone:1":      "want a number",
		"tone:-440":   "want a number",
		"tone:1e9":    "want a number",
		"nowhere.wav": "nowhere.wav",
	} {
		if s, err := audio.ParseSource(spec); err == nil || s != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", spec, err, says)
		}
	}
}

func parse(t *testing.T, spec string) audio.Source {
	t.Helper()
	s, err := audio.ParseSource(spec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestClip(t *testing.T) {
	pcm := noise(2*audio.FrameSamples + 100)
	got, err := audio.ReadAll(audio.NewClip(pcm, false))
	if err != nil || len(got) != 3*audio.FrameSamples || !slices.Equal(got[:len(pcm)], pcm) || slices.Max(got[len(pcm):]) != 0 {
		t.Errorf("once: %d samples, %v", len(got), err)
	}
	again := audio.NewClip(pcm, true)
	var frame [audio.FrameSamples]int16
	for i := range 100 {
		if err := again.ReadFrame(frame[:]); err != nil {
			t.Fatal(err)
		}
		for k, v := range frame {
			if want := pcm[(i*audio.FrameSamples+k)%len(pcm)]; v != want {
				t.Fatalf("frame %d, sample %d is %d, want %d", i, k, v, want)
			}
		}
	}
	for _, loop := range []bool{false, true} {
		if err := audio.NewClip(nil, loop).ReadFrame(frame[:]); err != io.EOF {
			t.Errorf("empty clip: %v", err)
		}
	}
	short := audio.NewClip(pcm[:7], true)
	if err := short.ReadFrame(frame[:]); err != nil || frame[959] != pcm[959%7] {
		t.Errorf("clip shorter than a frame: %v", err)
	}
}

// TestNoAllocation: what runs once a frame allocates nothing.
func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	wav, err := audio.OpenWAV(writeLong(t))
	if err != nil {
		t.Fatal(err)
	}
	defer wav.Close()
	sink, err := audio.CreateWAV(filepath.Join(t.TempDir(), "out.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	up, down := newResampler(t, [2]int{8000, 48000}), newResampler(t, [2]int{48000, 8000})
	tone, clip := audio.NewTone(440, 0.5), audio.NewClip(noise(5000), true)
	frame, narrow := make([]int16, audio.FrameSamples), make([]int16, 200)
	for name, f := range map[string]func() error{
		"WAV source": func() error { return wav.ReadFrame(frame) },
		"WAV sink":   func() error { return sink.WriteFrame(frame) },
		"tone":       func() error { return tone.ReadFrame(frame) },
		"clip":       func() error { return clip.ReadFrame(frame) },
		"resamplers": func() error { up.Process(frame, narrow[:down.Process(narrow, frame)]); return nil },
	} {
		n := testing.AllocsPerRun(200, func() {
			if err := f(); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("%s: %v allocations a frame", name, n)
		}
	}
}

// writeLong makes a WAV file of 10 s.
func writeLong(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "in.wav")
	w := wavFile{encoding: 1, channels: 2, bits: 16, rate: 44100}
	if err := os.WriteFile(path, w.make(w.encode(noise(441000))), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
