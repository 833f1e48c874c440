//go:build !speexdsp

package voice_test

import (
	"errors"
	"testing"

	"sotto/media/audio/voice"
)

// A build without speexdsp says what to do.
func TestNotBuilt(t *testing.T) {
	if p, err := voice.New(voice.Options{Echo: true}); p != nil || !errors.Is(err, voice.ErrNotBuilt) {
		t.Errorf("%v, %v", p, err)
	}
}
