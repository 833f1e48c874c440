// Package device is the microphones and loudspeakers of this machine, behind
// [audio.Source] and [audio.Sink].
//
// A device is always opened by its ID, which [List] tells: the name under which
// PulseAudio, PipeWire or ALSA know it, and under which media/route classifies
// it. There is no default device here, because what the system calls its default
// may change during a call, to a headset on the air for instance. PulseAudio and
// PipeWire are told not to move our streams to another device.
//
// # Two clocks
//
// A sound card has a clock of its own and asks for samples, or brings them, when
// it likes, in blocks of its choice. A call has one clock, the engine's, which
// reads and writes a frame each 20 ms. Between the two lies a ring of samples.
// The card's thread is at one end of it, whoever calls ReadFrame or WriteFrame
// at the other; neither waits for the other, takes a lock or allocates. How full
// the ring is tells which clock is faster, and an [audio.Trimmer] takes the
// difference out of the sound. So ReadFrame and WriteFrame return at once, and
// everything above has one clock, echo cancellation too.
//
// # Loss and return
//
// A device may be pulled out, and a sound server may die. The stream then stays
// what it is, silent, and says so with an [Event] within 100 ms, and with another
// one if it is not back by itself in half a second. As long as nobody closes it,
// the same device is opened again when it is back.
package device

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Direction is which way the sound of a device goes.
type Direction uint8

// The directions.
const (
	Capture  Direction = iota + 1 // from a microphone
	Playback                      // to a loudspeaker
)

// String is the direction in a word.
func (d Direction) String() string {
	switch d {
	case Capture:
		return "capture"
	case Playback:
		return "playback"
	}
	return "no direction"
}

// Device is one way of one device.
type Device struct {
	// ID is the same whenever the device is there: the name of PulseAudio's or
	// PipeWire's source or sink, or ALSA's hw:PCH,0. media/route calls it the
	// name of a node and the device of a route.
	ID        string
	Name      string // for people
	Direction Direction
	// Default says that the system takes this device where no other is asked
	// for. It says nothing about what secure mode accepts.
	Default bool
}

// answers is how long a sound system may take to list or open a device. It is
// another process and may hang.
const answers = 3 * time.Second

// ErrNoSystem is that neither PulseAudio nor PipeWire answers, and ALSA has no
// card.
var ErrNoSystem = errors.New("device: no sound system: want PulseAudio, PipeWire or ALSA with its library (libpulse0 or libasound2)")

// ErrNoAnswer is that the sound system did not answer in time.
var ErrNoAnswer = errors.New("device: the sound system does not answer")

// List tells which devices there are, those of PulseAudio or PipeWire first and
// the cards of ALSA behind them, which the former may occupy. Monitors of
// playback devices are listed as capture devices. It takes 3 s at most.
func List(ctx context.Context) ([]Device, error) {
	return within(ctx, func() ([]Device, error) {
		served, err := listServed()
		cards, errALSA := listCards()
		if err != nil && len(cards) == 0 {
			return nil, fmt.Errorf("%w: %w", ErrNoSystem, errors.Join(err, errALSA))
		}
		return append(served, cards...), nil
	})
}

// within runs f for as long as a sound system may take, or ctx allows. What it
// brings later is dropped.
func within[T any](ctx context.Context, f func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answers, ErrNoAnswer)
	defer cancel()
	type result struct {
		value T
		err   error
	}
	results := make(chan result, 1)
	go func() {
		value, err := f()
		results <- result{value, err}
	}()
	select {
	case r := <-results:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// ofALSA reports whether an ID is of a card without a daemon. PulseAudio's
// names have no colon.
func ofALSA(id string) bool { return strings.HasPrefix(id, "hw:") }
