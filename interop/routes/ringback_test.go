//go:build interop

package routes

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"sync/atomic"
	"testing"

	"sotto/engine"
	"sotto/engine/devices"
	"sotto/media/audio"
	"sotto/media/route"
)

// The loudspeaker rings until the other side has answered, and then speaks with its
// voice, opened once. A machine that stands still for longer than a device may be
// silent has it opened anew, and may do so in a call or two; what is wrong each time is
// our fault.
func TestRingback(t *testing.T) {
	inEach(t, func(t *testing.T, _ *world) {
		var wrong []string
		for range 3 {
			what := ringback(t)
			if what == "" {
				return
			}
			figure(t, "once more, as %s", what)
			wrong = append(wrong, what)
		}
		t.Errorf("wrong each time: %q", wrong)
	})
}

// ringback is one such call. It returns what has gone wrong if the machine may be why.
func ringback(t *testing.T) (wrong string) {
	const ring, voice = 425, 880 // Hz
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	heard, stop := listen(ctx, t)
	defer stop()
	var opens atomic.Int64
	a := phoneWith(t, func(ctx context.Context) (engine.Audio, error) {
		opens.Add(1)
		return devices.Choice{}.Open(ctx)
	})
	defer hangUp(t, a)
	b := phoneWith(t, func(context.Context) (engine.Audio, error) {
		return engine.Audio{Source: audio.NewTone(voice, 0.5), Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal}}}, nil
	})
	defer hangUp(t, b)
	if _, err := a.Dial(ctx, "sip:bob@"+b.Addr().String()); err != nil {
		t.Fatal(err)
	}
	far, err := b.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !heard(ring, 100) {
		return fmt.Sprintf("it did not ring in the loudspeaker, which was opened %d times", opens.Load())
	}
	if err := far.Answer(); err != nil {
		t.Fatal(err)
	}
	if !heard(voice, 100) {
		return fmt.Sprintf("the other side was not heard in the loudspeaker, which was opened %d times", opens.Load())
	}
	if heard(ring, 20) {
		t.Fatal("it rings on")
	}
	if ctx.Err() != nil {
		return "it took too long to hear whether it rings on"
	}
	if n := opens.Load(); n != 1 {
		return fmt.Sprintf("the devices were opened %d times", n)
	}
	return ""
}

// phoneWith is an engine on that audio.
func phoneWith(t *testing.T, open func(context.Context) (engine.Audio, error)) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{OpenAudio: open})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func hangUp(t *testing.T, e *engine.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// listen records what the loudspeaker plays until ctx ends. heard hears so many tenths
// of a second more at most, and reports whether one of them was a tone of so many Hz.
func listen(ctx context.Context, t *testing.T) (heard func(hz float64, tenths int) bool, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	c := exec.CommandContext(ctx, "parec", "--device="+speaker+".monitor", "--rate=48000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var raw [audio.SampleRate / 10 * 2]byte
	pcm := make([]int16, len(raw)/2)
	heard = func(hz float64, tenths int) bool {
		for range tenths {
			if _, err := io.ReadFull(out, raw[:]); err != nil {
				t.Logf("parec has ended: %v", err)
				return false
			}
			for i := range pcm {
				pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
			}
			if audio.ToneLevel(pcm, hz) > 0.9 {
				return true
			}
		}
		return false
	}
	return heard, func() { cancel(); _ = c.Wait() } // killed
}
