package device

import (
	"io"
	"testing"

	"sotto/media/audio"
)

// Neither a frame nor a block of the card allocates.
func TestAllocates(t *testing.T) {
	var mic, speaker card
	open := func(_ string, d Direction, c card) (io.Closer, error) {
		if mic = c; d == Playback {
			speaker = c
		}
		return make(closer), nil
	}
	sink, err := openSink(t.Context(), "speaker", open)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	source, err := openSource(t.Context(), "mic", open)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	pcm, block := make([]int16, audio.FrameSamples), make([]int16, 480)
	n := testing.AllocsPerRun(200, func() {
		for range 2 {
			mic.exchange(block)
			speaker.exchange(block)
		}
		_ = source.ReadFrame(pcm) // it fails only after Close
		_ = sink.WriteFrame(pcm)
		source.Level()
		sink.Mute(false)
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
