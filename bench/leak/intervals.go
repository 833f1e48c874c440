package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sotto/engine"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// interval is what the times between packets tell.
type interval struct {
	What     string  `json:"what"`
	Leaks    bool    `json:"has_to_leak"`
	Packets  int     `json:"packets"`
	MeanMS   float64 `json:"mean_ms"`
	SpreadUS float64 `json:"p99_from_20_ms_us"` // how far intervals are from 20 ms
	Bits     float64 `json:"interval_energy_bits"`
	Shuffled float64 `json:"interval_energy_bits_shuffled"`
}

// departures notes when packets have left and how loud it was since the one
// before. It is a Source, which sees the frames, and a Tracer, which sees them
// leave: both in the goroutine that captures.
type departures struct {
	source audio.Source
	enough chan struct{} // closed after that time
	until  time.Duration
	over   bool

	loud   []float64 // of the frames since the last that has left
	times  []time.Time
	energy []float64
}

func newDepartures(pcm []int16, length time.Duration) *departures {
	return &departures{source: &pcmSource{pcm}, enough: make(chan struct{}), until: length}
}

func (d *departures) ReadFrame(pcm []int16) error {
	err := d.source.ReadFrame(pcm)
	d.loud = append(d.loud, energy(pcm))
	return err
}

// Stamp notes a frame that has left.
func (d *departures) Stamp(stage media.Stage, _ uint32) {
	if stage != media.StageSent {
		return
	}
	now := time.Now()
	if d.over {
		return
	}
	d.times, d.energy = append(d.times, now), append(d.energy, percentile(d.loud, 0.5))
	d.loud = d.loud[:0]
	if now.Sub(d.times[0]) >= d.until {
		d.over = true
		close(d.enough)
	}
}

// pause is what is put behind each sentence: who talks listens, too.
const pause = 2 * time.Second

// measureIntervals has an engine's call in secure mode and a sender that leaves
// pauses out send the same speech, both with the engine's pacing.
func measureIntervals(utterances []utterance, length time.Duration) ([]interval, error) {
	var pcm []int16
	for i := 0; len(pcm) < int(length.Seconds()+2)*audio.SampleRate; i++ {
		pcm = append(pcm, utterances[i*7%len(utterances)].pcm...) // of all languages
		pcm = append(pcm, make([]int16, int(pause.Seconds()*audio.SampleRate))...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*length+30*time.Second)
	defer cancel()
	secure, dtx := newDepartures(pcm, length), newDepartures(pcm, length)
	// One after the other: two streams of the same speech would be in each
	// other's way when it is loud.
	if err := secure.call(ctx); err != nil {
		return nil, err
	}
	if err := dtx.send(ctx, modes[len(modes)-1]); err != nil {
		return nil, err
	}
	return []interval{secure.tell(modes[0].name, false), dtx.tell(modes[len(modes)-1].name, true)}, nil
}

// call is a secure call of two engines over loopback.
func (d *departures) call(ctx context.Context) error {
	here, err := engine.New(engine.Config{
		Tracer: d,
		OpenAudio: func(context.Context) (engine.Audio, error) {
			return engine.Audio{Source: d, Sink: audio.Discard{}, Routes: []route.Route{{Class: route.Internal, Device: "speech"}}}, nil
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = here.Close() }()
	there, err := engine.New(engine.Config{})
	if err != nil {
		return err
	}
	defer func() { _ = there.Close() }()
	call, err := here.Dial(ctx, "sip:bob@"+there.Addr().String())
	if err != nil {
		return err
	}
	taken, err := there.Accept(ctx)
	if err != nil {
		return err
	}
	if err := taken.Answer(); err != nil {
		return err
	}
	select {
	case <-d.enough:
	case <-ctx.Done():
		return fmt.Errorf("the call has not sent enough: level %v", call.Level())
	}
	return call.Close()
}

// send has a sender of mode m send with the engine's pacing, to nobody.
func (d *departures) send(ctx context.Context, m mode) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sender, err := m.newSender(d, func([]byte) error {
		d.Stamp(media.StageSent, 0)
		return nil
	})
	if err != nil {
		return err
	}
	place, err := realtime.NewPhases().Take()
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- realtime.Capture(ctx, place, sender) }()
	select {
	case <-d.enough:
		cancel()
		return <-ended
	case err := <-ended:
		return errors.Join(err, errors.New("the control has not sent enough"))
	}
}

// missing is the interval in ms from which on a packet is missing: a kind of its
// own beside the quantiles.
const missing = 30

// tell compares each interval with how loud it was in it, in the median of its
// frames.
func (d *departures) tell(what string, leaks bool) interval {
	var intervals, off []float64
	for i := 1; i < len(d.times); i++ {
		v := float64(d.times[i].Sub(d.times[i-1]).Nanoseconds()) / 1e6
		intervals = append(intervals, v)
		off = append(off, max(v-20, 20-v)*1000)
	}
	x, y := quantiles(intervals), quantiles(d.energy[1:])
	for i, v := range intervals {
		if v > missing {
			x[i] = levels
		}
	}
	total := d.times[len(d.times)-1].Sub(d.times[0])
	return interval{
		What: what, Leaks: leaks, Packets: len(d.times),
		MeanMS:   total.Seconds() * 1000 / float64(len(intervals)),
		SpreadUS: percentile(off, 0.99),
		Bits:     information(x, y), Shuffled: control(x, y, turned),
	}
}
