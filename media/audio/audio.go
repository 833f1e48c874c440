// Package audio is where PCM comes from and goes to: WAV files, tones and
// silence behind [Source] and [Sink], what a caller hears while there is no voice
// ([ProgressTone]), a [Resampler], a [Meter], a [Gate] for muting, and measures
// that tell whether what was heard is what was said ([Compare], [ToneLevel]).
//
// All PCM is mono, 16-bit, 48 kHz, in frames of 20 ms. Nothing here starts a
// goroutine or waits for time to pass: whoever reads frames sets the pace.
package audio

const (
	// SampleRate of all PCM here, in Hz.
	SampleRate = 48000
	// FrameSamples is one frame, 20 ms.
	FrameSamples = SampleRate / 50
)

// Source yields PCM. A source may also be an [io.Closer]; who opened it closes
// it. One goroutine owns it.
type Source interface {
	// ReadFrame fills pcm, which holds [FrameSamples] samples. After the end
	// it returns [io.EOF]; the last frame is filled up with silence. On an
	// error the contents of pcm are undefined.
	ReadFrame(pcm []int16) error
}

// Sink takes PCM. A sink may also be an [io.Closer]; who opened it closes it.
// One goroutine owns it.
type Sink interface {
	// WriteFrame takes one frame of [FrameSamples] samples, or half of one and the
	// other half the next time, unless the call fell silent between; pcm stays the
	// caller's.
	WriteFrame(pcm []int16) error
}

// Flusher is a [Sink] that plays later what it takes, or a [Source] that keeps
// what it has heard until it is read.
type Flusher interface {
	// Flush forgets what was written and has not been played, or was heard and
	// has not been read, wherever it waits by then. Any goroutine may call it,
	// beside a WriteFrame or a ReadFrame too.
	Flush()
}
