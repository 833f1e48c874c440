// Package voice makes a microphone beside a loudspeaker usable: it takes the
// loudspeaker's sound out of the microphone's, suppresses noise, and evens out
// how loud people talk.
//
// The work is done by speexdsp, through cgo, where the build tag speexdsp is set;
// that needs Debian's libspeexdsp-dev. Without the tag [New] returns
// [ErrNotBuilt], and nothing else here is missing. Telephones and many sound
// servers do the same by themselves (a voice-communication stream of Android or
// iOS, PulseAudio's and PipeWire's echo-cancel modules); then leave it to them, by
// not using this package: an echo canceller behind another one hears an echo path
// that changes all the time.
package voice

import (
	"errors"
	"time"
)

// ErrNotBuilt is that this program was built without speexdsp.
var ErrNotBuilt = errors.New("voice: built without speexdsp: install libspeexdsp-dev and build with -tags speexdsp")

// Options says what is done to the microphone's sound. The zero value does
// nothing.
type Options struct {
	// Echo takes out what the loudspeaker plays. Off where the platform does it.
	Echo bool
	// Noise suppresses steady noise, by about 15 dB.
	Noise bool
	// Gain makes soft voices louder and loud ones softer.
	Gain bool
}

// Tail is how long after it was handed over a sound is still known as an echo:
// the delays of loudspeaker and microphone and the room count.
const Tail = 250 * time.Millisecond
