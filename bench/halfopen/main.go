// Command halfopen measures what strangers can do to a call that goes on beside
// them: 10,000 of them say Hello, make us commit and repeat ourselves, and never
// answer, while two engines in the same process talk to each other.
//
//	go run ./bench/halfopen -strangers 10000 -rate 2000 -json
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sotto/engine"
)

// row is what the call counted in one span of time.
type row struct {
	Phase     string  `json:"phase"`
	Seconds   float64 `json:"seconds"`
	Sent      uint64  `json:"packets_sent"` // by both sides
	Received  uint64  `json:"packets_received"`
	Lost      uint64  `json:"lost"`
	Late      uint64  `json:"late"`
	Concealed uint64  `json:"concealed"`
	HalfOpen  int     `json:"half_open"` // Sessions that wait, at the end
	MemoryMB  float64 `json:"memory_mb"` // of all objects in the process, at the end
	Replies   uint64  `json:"replies"`   // packets that the strangers have been sent
}

func main() {
	strangers := flag.Int("strangers", 10_000, "half-open handshakes")
	rate := flag.Int("rate", 2000, "Hellos a second")
	asJSON := flag.Bool("json", false, "one JSON object a line")
	flag.Parse()
	rows, err := run(*strangers, max(*rate, 100))
	for _, r := range rows {
		if *asJSON {
			_ = json.NewEncoder(os.Stdout).Encode(r) // stdout is gone: nobody reads
			continue
		}
		fmt.Printf("%-7s %5.1f s: %d packets sent, %d received, %d lost, %d late, %d concealed; %d half-open Sessions, %d replies to them, %.1f MB in all\n",
			r.Phase, r.Seconds, r.Sent, r.Received, r.Lost, r.Late, r.Concealed, r.HalfOpen, r.Replies, r.MemoryMB)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "halfopen:", err)
		os.Exit(1)
	}
}

// run measures the call alone, then while the strangers come, then while all of
// them are waited for, which is for 9.45 s each.
func run(strangers, rate int) ([]row, error) {
	c, err := newCall()
	if err != nil {
		return nil, err
	}
	defer c.close()
	crowd, err := newCrowd(strangers, rate)
	if err != nil {
		return nil, err
	}
	flood := time.Duration(strangers) * time.Second / time.Duration(rate)
	rows := []row{c.during("alone", 5*time.Second)}
	crowd.start()
	rows = append(rows, c.during("flood", flood))
	crowd.describe(&rows[1])
	rows = append(rows, c.during("waiting", 3*time.Second))
	crowd.describe(&rows[2])
	if err := crowd.close(); err != nil {
		return rows, err
	}
	if rows[1].HalfOpen < strangers*95/100 {
		return rows, fmt.Errorf("only %d of %d Sessions are half-open", rows[1].HalfOpen, strangers)
	}
	if lost := rows[1].Lost + rows[2].Lost; lost > 0 {
		return rows, fmt.Errorf("the call has lost %d packets", lost)
	}
	return rows, nil
}

// call is two engines that talk.
type call struct {
	engines [2]*engine.Engine
	ends    [2]*engine.Call
}

func newCall() (c *call, err error) {
	c = &call{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	for i := range c.engines {
		if c.engines[i], err = engine.New(engine.Config{}); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if c.ends[0], err = c.engines[0].Dial(ctx, "sip:bob@"+c.engines[1].Addr().String()); err != nil {
		return nil, err
	}
	if c.ends[1], err = c.engines[1].Accept(ctx); err != nil {
		return nil, err
	}
	if err = c.ends[1].Answer(); err != nil {
		return nil, err
	}
	for _, end := range c.ends {
		if err = secured(ctx, end); err != nil {
			return nil, err
		}
	}
	return c, nil
}

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
			return errors.New("the call ended: " + event.Reason.Text)
		}
	}
}

// during counts for so long what both sides send and play.
func (c *call) during(phase string, span time.Duration) row {
	start, before := time.Now(), c.counted()
	time.Sleep(span)
	r := c.counted()
	r.Phase, r.Seconds = phase, time.Since(start).Seconds()
	r.Sent -= before.Sent
	r.Received -= before.Received
	r.Lost -= before.Lost
	r.Late -= before.Late
	r.Concealed -= before.Concealed
	return r
}

func (c *call) counted() (r row) {
	for _, end := range c.ends {
		s := end.Stats()
		r.Sent += s.PacketsSent
		r.Received += s.PacketsReceived
		r.Lost += s.Lost
		r.Late += s.Late
		r.Concealed += s.Concealed
	}
	return r
}

func (c *call) close() {
	for i := range c.ends {
		if c.ends[i] != nil {
			_ = c.ends[i].Close()
		}
		if c.engines[i] != nil {
			_ = c.engines[i].Close()
		}
	}
}
