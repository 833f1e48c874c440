package audio

import (
	"errors"
	"math"
	"path/filepath"
	"testing"
)

func TestWAVSinkFull(t *testing.T) {
	sink, err := CreateWAV(filepath.Join(t.TempDir(), "out.wav"))
	if err != nil {
		t.Fatal(err)
	}
	defer sink.file.Close()
	sink.bytes = math.MaxUint32 - wavHeaderBytes - 2*FrameSamples
	var frame [FrameSamples]int16
	if err := sink.WriteFrame(frame[:]); err != nil {
		t.Errorf("the last frame that fits: %v", err)
	}
	if err := sink.WriteFrame(frame[:]); !errors.Is(err, ErrWAVFull) {
		t.Errorf("one frame more: %v", err)
	}
}
