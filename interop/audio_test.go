//go:build interop

package interop

import (
	"bytes"
	"errors"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// utterance is what one side says in a call: a second and a half of one tone,
// three seconds of speech, and silence that outlasts the call, because sotto
// hangs up when its file ends and linphonec begins again.
type utterance struct {
	Hz   float64
	Clip []int16
	Path string        // WAV file, 48 kHz mono
	Lead time.Duration // of silence before it
}

// utterances makes what the two sides of a call say: different tones and
// different speech, so that nobody can hear himself and pass.
func utterances(t *testing.T) (ours, theirs utterance) {
	t.Helper()
	dir := t.TempDir()
	ours = utterance{Hz: 440, Clip: clipOf(t, speech.Caller()), Path: filepath.Join(dir, "ours.wav")}
	theirs = utterance{Hz: 880, Clip: clipOf(t, speech.Callee()), Path: filepath.Join(dir, "theirs.wav")}
	for _, u := range []utterance{ours, theirs} {
		u.write(t)
	}
	return ours, theirs
}

func clipOf(t *testing.T, wav []byte) []int16 {
	t.Helper()
	return pcmOf(t, wav)[:3*audio.SampleRate]
}

func (u utterance) write(t *testing.T) {
	t.Helper()
	w, err := audio.CreateWAV(u.Path)
	if err != nil {
		t.Fatal(err)
	}
	tone, clip := audio.NewTone(u.Hz, 0.4), audio.NewClip(u.Clip, false)
	frame := make([]int16, audio.FrameSamples)
	lead := int(u.Lead / (20 * time.Millisecond))
	for i := -lead; i < 600; i++ {
		var from audio.Source
		switch {
		case i < 0:
			from = audio.Silence{}
		case i < 75:
			from = tone
		case i < 225:
			from = clip
		default:
			from = audio.Silence{}
		}
		if err := errors.Join(from.ReadFrame(frame), w.WriteFrame(frame)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// pcmOf decodes a whole WAV file to 48 kHz mono.
func pcmOf(t *testing.T, wav []byte) []int16 {
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

// recording is what one side heard.
type recording struct {
	Who string
	PCM []int16
}

// checkHeard fails the test unless heard holds the tone and the speech of said,
// and doesn't hold the speech of the other side.
//
// Everything is judged by the quarter of a second: Linphone has gaps when the
// machine is too busy for its file player, whoever it talks to. In a good call
// the tone is found with 1.0 and speech with 0.9, in one with gaps with 0.85 and
// 0.7; 0.3 to 0.4 is what any other speech gives.
func checkHeard(t *testing.T, heard recording, said, unsaid utterance) {
	t.Helper()
	tone, clip, own := heard.tone(said.Hz), heard.speech(said.Clip), heard.speech(unsaid.Clip)
	who := heard.Who
	t.Logf("%s heard %.1f s: tone %.3f, speech %.3f, speech of its own %.3f",
		who, float64(len(heard.PCM))/audio.SampleRate, tone, clip, own)
	if tone < toneHeard {
		t.Errorf("%s: the %v Hz tone is not in the recording: share of energy %.3f", who, said.Hz, tone)
	}
	if clip < 0.6 {
		t.Errorf("%s: the speech is not in the recording: correlation %.3f", who, clip)
	}
	if own > 0.55 {
		t.Errorf("%s hears its own speech: correlation %.3f", who, own)
	}
}

// toneHeard is the share of energy from which on a tone counts as heard.
const toneHeard = 0.7

const piece = audio.SampleRate / 4

// tone is the largest share of energy that the tone has in any piece.
func (r recording) tone(hz float64) float64 {
	var best float64
	for i := 0; i+piece <= len(r.PCM); i += piece / 5 {
		best = max(best, audio.ToneLevel(r.PCM[i:i+piece], hz))
	}
	return best
}

// speech says how well pieces of clip, every other one, are found: the median.
func (r recording) speech(clip []int16) float64 {
	var found []float64
	for i := 0; i+piece <= len(clip); i += 2 * piece {
		found = append(found, audio.Compare(clip[i:i+piece], r.PCM).Correlation)
	}
	slices.Sort(found)
	return found[len(found)/2]
}
