package timescale

import (
	"encoding/binary"
	"testing"

	"sotto/media/audio/speech"
)

// speechClip is some seconds of speech, brought from 8 to 48 kHz by straight
// lines: what lies above 4 kHz does not matter here.
func speechClip(t testing.TB) []int16 {
	t.Helper()
	const header = 44
	wav := speech.Caller()[header:]
	var pcm []int16
	for ; len(wav) >= 4; wav = wav[2:] {
		a, b := int(int16(binary.LittleEndian.Uint16(wav))), int(int16(binary.LittleEndian.Uint16(wav[2:])))
		for k := range coarse {
			pcm = append(pcm, int16((a*(coarse-k)+b*k)/coarse))
		}
	}
	if len(pcm) < 7*SampleRate {
		t.Fatalf("%d samples of speech", len(pcm))
	}
	return pcm
}
