//go:build speexdsp

package voice

/*
#cgo LDFLAGS: -lspeexdsp
#include <speex/speex_echo.h>
#include <speex/speex_preprocess.h>

static void preprocess_set(SpeexPreprocessState *p, int request, spx_int32_t value) {
	speex_preprocess_ctl(p, request, &value);
}

static void preprocess_echo(SpeexPreprocessState *p, SpeexEchoState *echo) {
	speex_preprocess_ctl(p, SPEEX_PREPROCESS_SET_ECHO_STATE, echo);
}

static void echo_rate(SpeexEchoState *echo, spx_int32_t rate) {
	speex_echo_ctl(echo, SPEEX_ECHO_SET_SAMPLING_RATE, &rate);
}
*/
import "C"

import (
	"errors"
	"runtime"

	"sotto/media/audio"
)

// Processor works on the frames of one microphone. It allocates nothing after
// construction, and gives its memory back when nobody holds it. Not safe for
// concurrent use.
type Processor struct {
	echo       *C.SpeexEchoState // nil without Options.Echo
	preprocess *C.SpeexPreprocessState
	clean      [audio.FrameSamples]int16
}

// New makes one.
func New(o Options) (*Processor, error) {
	p := &Processor{preprocess: C.speex_preprocess_state_init(audio.FrameSamples, audio.SampleRate)}
	if p.preprocess == nil {
		return nil, errors.New("voice: out of memory")
	}
	runtime.AddCleanup(p, func(s *C.SpeexPreprocessState) { C.speex_preprocess_state_destroy(s) }, p.preprocess)
	// What is left of an echo is suppressed only where noise is, so that is always
	// on, by nothing at all if it is not wanted.
	C.preprocess_set(p.preprocess, C.SPEEX_PREPROCESS_SET_DENOISE, 1)
	if !o.Noise {
		C.preprocess_set(p.preprocess, C.SPEEX_PREPROCESS_SET_NOISE_SUPPRESS, 0)
	}
	C.preprocess_set(p.preprocess, C.SPEEX_PREPROCESS_SET_AGC, number(o.Gain))
	if !o.Echo {
		return p, nil
	}
	p.echo = C.speex_echo_state_init(audio.FrameSamples, C.int(Tail.Seconds()*audio.SampleRate))
	if p.echo == nil {
		return nil, errors.New("voice: out of memory")
	}
	runtime.AddCleanup(p, func(s *C.SpeexEchoState) { C.speex_echo_state_destroy(s) }, p.echo)
	C.echo_rate(p.echo, audio.SampleRate)
	C.preprocess_echo(p.preprocess, p.echo)
	return p, nil
}

func number(on bool) C.spx_int32_t {
	if on {
		return 1
	}
	return 0
}

// Process works on a frame of the microphone, in place. far is the frame that
// was handed to the loudspeaker in the same 20 ms. It becomes 20 ms later.
func (p *Processor) Process(near, far []int16) {
	near, far = near[:audio.FrameSamples], far[:audio.FrameSamples]
	if p.echo != nil {
		C.speex_echo_cancellation(p.echo, samples(near), samples(far), samples(p.clean[:]))
		copy(near, p.clean[:])
	}
	C.speex_preprocess_run(p.preprocess, samples(near))
	runtime.KeepAlive(p)
}

func samples(pcm []int16) *C.spx_int16_t { return (*C.spx_int16_t)(&pcm[0]) }
