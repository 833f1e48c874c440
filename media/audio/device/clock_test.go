package device

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/audio"
)

// drifting is a card whose clock is off, and which asks for blocks of any size
// at times that are late by chance. It never stops.
type drifting struct {
	ppm   float64
	block int
}

// late is how much later than it should something happens: rarely much.
func late(r *rand.Rand) time.Duration {
	return min(time.Duration(r.ExpFloat64()*float64(500*time.Microsecond)), 3*time.Millisecond)
}

// sound is what a test hears or plays: a tone without end, sample by sample.
type sound struct{ at float64 }

const (
	soundHz   = 440
	soundPeak = 16000
)

func (s *sound) fill(pcm []int16) {
	for i := range pcm {
		pcm[i] = int16(math.Round(soundPeak * math.Sin(2*math.Pi*soundHz/audio.SampleRate*s.at)))
		s.at++
	}
}

// smooth holds what is heard against what a tone can do: how much the slope
// changes from sample to sample. A sample too many or too few shows at once.
type smooth struct {
	a, b    float64
	n       int
	settled int // samples before which nothing counts
	worst   float64
}

func (s *smooth) hear(pcm []int16) {
	for _, v := range pcm {
		c := float64(v)
		if s.n++; s.n > s.settled {
			s.worst = max(s.worst, math.Abs(c-2*s.b+s.a))
		}
		s.a, s.b = s.b, c
	}
}

// bend is the greatest change of slope of the tone, with what rounding and the
// filter add.
func bend() float64 {
	w := 2 * math.Pi * soundHz / audio.SampleRate
	return soundPeak*w*w + 4
}

// run is the card's thread until done is closed.
func (d drifting) run(c card, done <-chan struct{}, each func(pcm []int16)) {
	r := rand.New(rand.NewPCG(5, uint64(d.block)))
	block, began := make([]int16, d.block), time.Now()
	period := float64(time.Second) * float64(d.block) / audio.SampleRate / (1 + d.ppm/1e6)
	for n := 1.0; ; n++ {
		select {
		case <-done:
			return
		case <-time.After(time.Until(began.Add(time.Duration(n*period) + late(r)))):
		}
		each(block)
		c.exchange(block)
	}
}

// closer closes by closing a channel.
type closer chan struct{}

func (c closer) Close() error { close(c); return nil }

// TestDrift: between a card and a call whose clocks differ nothing clicks, and
// the delay stays what it is. The level of the ring is looked at by the call,
// before a frame is written and after one is read.
func TestDrift(t *testing.T) {
	duration := 10 * time.Second
	if os.Getenv("SOTTO_LONG") != "" {
		duration = time.Hour
	}
	for _, ppm := range []float64{0, 300, -300} {
		for _, block := range []int{120, 480, 1024} {
			d := drifting{ppm, block}
			t.Run(fmt.Sprintf("source/%v/%d", ppm, block), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { d.source(t, duration) })
			})
			t.Run(fmt.Sprintf("sink/%v/%d", ppm, block), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { d.sink(t, duration) })
			})
		}
	}
}

func (d drifting) source(t *testing.T, duration time.Duration) {
	var in sound
	out := smooth{settled: audio.SampleRate / 2}
	s, err := openSource(t.Context(), "mic", func(_ string, _ Direction, c card) (io.Closer, error) {
		done := make(closer)
		go d.run(c, done, in.fill)
		return done, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var pcm [audio.FrameSamples]int16
	d.call(t, duration, &s.common, func() error {
		err := s.ReadFrame(pcm[:])
		out.hear(pcm[:])
		return err
	})
	if out.worst > bend() {
		t.Errorf("the slope changes by %.0f within a sample, a tone's by %.0f", out.worst, bend())
	}
}

func (d drifting) sink(t *testing.T, duration time.Duration) {
	var in sound
	out := smooth{settled: audio.SampleRate / 2}
	s, err := openSink(t.Context(), "speaker", func(_ string, _ Direction, c card) (io.Closer, error) {
		done := make(closer)
		go d.run(c, done, out.hear) // the block before this one
		return done, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var pcm [audio.FrameSamples]int16
	d.call(t, duration, &s.common, func() error {
		in.fill(pcm[:])
		return s.WriteFrame(pcm[:])
	})
	if out.worst > bend() {
		t.Errorf("the slope changes by %.0f within a sample, a tone's by %.0f", out.worst, bend())
	}
}

// call does a frame each 20 ms, and closes the device.
func (d drifting) call(t *testing.T, duration time.Duration, c *common, frame func() error) {
	r := rand.New(rand.NewPCG(7, uint64(d.block)))
	highest, dry := 0, uint64(0)
	for began := time.Now(); time.Since(began) < duration; {
		if err := frame(); err != nil {
			t.Fatal(err)
		}
		switch now := time.Since(began); {
		case now < time.Second:
			dry = c.Starved()
		default:
			highest = max(highest, c.outlet.ring.level())
		}
		next := time.Since(began)/(20*time.Millisecond) + 1
		time.Sleep(time.Until(began.Add(next*20*time.Millisecond + late(r))))
	}
	if n := c.Starved() - dry; n > 0 {
		t.Errorf("starved %d times", n)
	}
	t.Logf("highest level %.1f ms", float64(highest)/48)
	if limit := d.block + 2*audio.FrameSamples + 2*leastReserve; highest > limit {
		t.Errorf("up to %d samples wait, more than %d", highest, limit)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if len(c.Events()) != 0 {
		t.Errorf("event: %+v", <-c.Events())
	}
}
