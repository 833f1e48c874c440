//go:build interop

package routes

import (
	"context"
	"encoding/binary"
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
// voice, opened once.
func TestRingback(t *testing.T) {
	inEach(t, func(t *testing.T, _ *world) {
		var opens atomic.Int64
		listening := listen(t)
		a := phoneWith(t, func(ctx context.Context) (engine.Audio, error) {
			opens.Add(1)
			return devices.Choice{}.Open(ctx)
		})
		b := phoneWith(t, func(context.Context) (engine.Audio, error) {
			return engine.Audio{Source: audio.NewTone(880, 0.5), Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal}}}, nil
		})
		if _, err := a.Dial(t.Context(), "sip:bob@"+b.Addr().String()); err != nil {
			t.Fatal(err)
		}
		far, err := b.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "it rings in the loudspeaker", func() bool { return listening(425) })
		if err := far.Answer(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other side is heard", func() bool { return listening(880) })
		for range 20 {
			if listening(425) {
				t.Fatal("it rings on")
			}
		}
		if n := opens.Load(); n != 1 {
			t.Errorf("the devices were opened %d times", n)
		}
	})
}

// phoneWith is an engine on that audio.
func phoneWith(t *testing.T, open func(context.Context) (engine.Audio, error)) *engine.Engine {
	t.Helper()
	e, err := engine.New(engine.Config{OpenAudio: open})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// listen records what the loudspeaker plays. Each call of what it returns hears a
// tenth of a second more, and says whether that is a tone of so many Hz.
func listen(t *testing.T) (isTone func(hz float64) bool) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "parec", "--device="+speaker+".monitor", "--rate=48000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20")
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait() }) // killed by then
	var raw [audio.SampleRate / 10 * 2]byte
	return func(hz float64) bool {
		if _, err := io.ReadFull(out, raw[:]); err != nil {
			t.Fatal(err)
		}
		pcm := make([]int16, len(raw)/2)
		for i := range pcm {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		return audio.ToneLevel(pcm, hz) > 0.9
	}
}
