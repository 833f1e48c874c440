// Command flood measures what a flood of Hellos does: how much memory the
// Sessions that it opens half hold, and whether a live call in the same process
// loses a frame. It exits 1 above 40 MB or when a frame is lost.
//
//	go run ./bench/flood -rate 2000 -seconds 12 -json
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"
)

// mostMB is what 10,000 half-open Sessions may hold.
const mostMB = 40

// alone is how long the call is watched before the flood: what it suffers then
// is the machine's.
const alone = 3 * time.Second

// result is what was measured while the flood lasted.
type result struct {
	Seconds     float64 `json:"seconds"`
	HalfOpen    int     `json:"half_open"` // at a time, when memory was measured
	MemoryMB    float64 `json:"memory_mb"`
	HellosPerS  float64 `json:"hellos_per_s"`
	RepliesPerS float64 `json:"replies_per_s"` // packets, repetitions included
	TimedOut    int     `json:"timed_out"`     // Sessions, which the next Hello replaces
	Alone       frames  `json:"call_before"`   // in 3 s
	Beside      frames  `json:"call_beside"`
	Missing     int64   `json:"call_missing"` // frames of the whole call that have not arrived
}

func main() {
	sessions := flag.Int("sessions", 10_000, "Sessions to open half")
	rate := flag.Int("rate", 2000, "Hellos a second")
	seconds := flag.Int("seconds", 12, "how long the flood lasts")
	asJSON := flag.Bool("json", false, "one JSON object")
	flag.Parse()
	r, err := measure(*sessions, *rate, time.Duration(*seconds)*time.Second)
	if err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
	if *asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r) // stdout is gone: nobody reads
	} else {
		fmt.Print(r)
	}
	if err := r.check(*sessions); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// measure brings up a call, floods Sessions beside it and counts what the call
// had meanwhile.
func measure(sessions, rate int, d time.Duration) (r result, err error) {
	c, err := newCall()
	if err != nil {
		return r, err
	}
	defer c.close()
	f, err := newFlood(sessions)
	if err != nil {
		return r, err
	}
	defer f.close()
	first := c.count()
	time.Sleep(alone)
	before := c.count()
	if err := f.run(rate, d, &r); err != nil {
		return r, err
	}
	r.Missing = c.missing()
	r.Alone, r.Beside = before.since(first), c.count().since(before)
	return r, nil
}

func (r result) String() string {
	return fmt.Sprintf("%d half-open Sessions: %.1f MB\nflood, %.1f s: %.0f Hellos/s in, %.0f packets/s out, %d Sessions timed out\n"+
		"live call beside it: %s\nlive call before, %v: %s\n",
		r.HalfOpen, r.MemoryMB, r.Seconds, r.HellosPerS, r.RepliesPerS, r.TimedOut, r.Beside, alone, r.Alone)
}

func (r result) check(sessions int) error {
	switch {
	case r.HalfOpen < sessions:
		return fmt.Errorf("the machine is too busy: only %d Sessions were half-open at a time", r.HalfOpen)
	case r.MemoryMB >= mostMB:
		return fmt.Errorf("%.1f MB are held, %d are allowed", r.MemoryMB, mostMB)
	case r.Beside.Lost > 0 || r.Beside.Sent == 0 || r.Missing > 0:
		return fmt.Errorf("the live call: %s; %d missing", r.Beside, r.Missing)
	}
	return nil
}
