package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/route"
)

// arrival is how long a frame may take.
const arrival = 200 * time.Millisecond

// call is a secure one over loopback, a tone each way, between two engines.
type call struct {
	engines []*engine.Engine
	calls   []*engine.Call
	played  atomic.Uint64
}

// frames are those of both directions.
type frames struct {
	Sent      uint64 `json:"sent"`
	Received  uint64 `json:"received"`
	Lost      uint64 `json:"lost"`
	Late      uint64 `json:"late"`
	Concealed uint64 `json:"concealed"`
	Played    uint64 `json:"played"`
}

func (f frames) since(g frames) frames {
	return frames{
		f.Sent - g.Sent, f.Received - g.Received, f.Lost - g.Lost,
		f.Late - g.Late, f.Concealed - g.Concealed, f.Played - g.Played,
	}
}

func (f frames) String() string {
	return fmt.Sprintf("%d frames sent, %d received, %d lost, %d late, %d concealed, %d played",
		f.Sent, f.Received, f.Lost, f.Late, f.Concealed, f.Played)
}

// WriteFrame makes it the sink of both sides.
func (c *call) WriteFrame([]int16) error {
	c.played.Add(1)
	return nil
}

func newCall() (*call, error) {
	c := &call{}
	if err := c.bringUp(); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *call) bringUp() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 2 {
		e, err := engine.New(engine.Config{OpenAudio: func(context.Context) (engine.Audio, error) {
			return engine.Audio{
				Source: audio.NewTone(440, 0.5), Sink: c,
				Routes: []route.Route{{Class: route.Internal, Device: "tone"}},
			}, nil
		}})
		if err != nil {
			return err
		}
		c.engines = append(c.engines, e)
	}
	out, err := c.engines[0].Dial(ctx, "sip:bob@"+c.engines[1].Addr().String())
	if err != nil {
		return err
	}
	c.calls = append(c.calls, out)
	in, err := c.engines[1].Accept(ctx)
	if err != nil {
		return err
	}
	c.calls = append(c.calls, in)
	if err := in.Answer(); err != nil {
		return err
	}
	return errors.Join(secured(ctx, out), secured(ctx, in))
}

// secured waits until the call is.
func secured(ctx context.Context, c *engine.Call) error {
	for {
		event, err := c.Next(ctx)
		if err != nil {
			return err
		}
		switch event := event.(type) {
		case engine.Secured:
			return nil
		case engine.Ended:
			return fmt.Errorf("the call ended: %s", event.Reason.Text)
		}
	}
}

func (c *call) count() (n frames) {
	for _, side := range c.calls {
		s := side.Stats()
		n.Sent += s.PacketsSent
		n.Received += s.PacketsReceived
		n.Lost += s.Lost
		n.Late += s.Late
		n.Concealed += s.Concealed
	}
	n.Played = c.played.Load()
	return n
}

// missing is how many frames fewer have arrived, a little later, than are sent
// until now: it shows a stream that has stopped, whose frames nobody counts as
// lost. Both sides can't be counted at one moment.
func (c *call) missing() int64 {
	sent := c.count().Sent
	time.Sleep(arrival)
	return max(int64(sent)-int64(c.count().Received), 0)
}

func (c *call) close() {
	for _, side := range c.calls {
		_ = side.Close() // always nil
	}
	for _, e := range c.engines {
		_ = e.Close() // measured is measured
	}
}
