// Command quality replays arrival traces into the Receiver, with its adaptive
// jitter buffer, into speexdsp's adaptive one and into fixed buffers, all in
// virtual time, and into NetEq in real time: how much delay each adds, how much
// it conceals, and how like the speech that was sent its output is.
//
//	npm install --prefix out/wrtc @roamhq/wrtc@0.10.0
//	go run ./bench/quality -neteq out/wrtc
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"
)

// row is what one buffer made of one trace. Delays are what is added to the
// quickest packet of the trace, in milliseconds; shares are per cent of time.
type row struct {
	Trace     string  `json:"trace"`
	Buffer    string  `json:"buffer"`
	MeanMS    float64 `json:"added_delay_mean_ms"`
	P95MS     float64 `json:"added_delay_p95_ms"`
	Lost      float64 `json:"network_lost_percent"`
	Concealed float64 `json:"concealed_percent"`
	Recovered float64 `json:"recovered_percent"`
	Changed   float64 `json:"time_scaled_percent"`
	Distance  float64 `json:"spectral_distance_db"`
	Control   float64 `json:"other_speech_distance_db"`
}

func main() {
	seconds := flag.Int("seconds", 60, "length of each trace")
	seed := flag.Uint64("seed", 1, "of the traces")
	modules := flag.String("neteq", "", "directory in which npm has installed @roamhq/wrtc: replay into its NetEq, too, which takes as long as the traces do")
	lanes := flag.Int("lanes", 3, "traces that NetEq hears at once")
	asJSON := flag.Bool("json", false, "one JSON object a line")
	codec := flag.Bool("codec", false, "instead, what Opus costs and how it sounds at each complexity, at four bit rates, with and without VBR and FEC; -seconds of speech")
	rounds := flag.Int("rounds", 3, "times that -codec measures each, to take the least")
	flag.Parse()
	if *codec {
		if err := codecTable(time.Duration(*seconds)*time.Second, *rounds, *seed, *asJSON); err != nil {
			fmt.Fprintln(os.Stderr, "quality:", err)
			os.Exit(1)
		}
		return
	}
	var n *neteq
	if *modules != "" {
		n = &neteq{*modules, make(chan struct{}, max(*lanes, 1))}
	}
	if err := run(time.Duration(*seconds)*time.Second, *seed, n, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

func run(length time.Duration, seed uint64, n *neteq, asJSON bool) error {
	if length < 10*time.Second || length > time.Hour {
		return fmt.Errorf("traces of %v are not from 10 s to an hour", length)
	}
	t, err := newTalk(int(length / frame))
	if err != nil {
		return err
	}
	r, err := buildRival()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quality: WITHOUT SPEEXDSP:", err)
	}
	defer r.remove()
	traces := make([]trace, len(shapes))
	theirs := make([]func() (row, error), len(shapes))
	for i, s := range shapes {
		traces[i] = s.make(int(length/frame), seed)
		if n != nil {
			theirs[i] = later(func() (row, error) { return n.replay(t, traces[i]) })
		}
	}
	if !asJSON {
		fmt.Printf("%-11s %-13s %9s %9s %7s %10s %10s %8s %9s\n",
			"trace", "buffer", "mean ms", "p95 ms", "lost %", "concealed", "recovered", "scaled", "distance")
	}
	for i, tr := range traces {
		rows, err := t.compare(tr, r)
		if err != nil {
			return err
		}
		if n != nil {
			row, err := theirs[i]()
			if err != nil {
				return err
			}
			rows = slices.Insert(rows, 1, row)
		}
		for _, r := range rows {
			r.print(asJSON)
		}
	}
	if !asJSON {
		fmt.Printf("Distance of other speech: %.2f dB.\n", t.control)
	}
	return nil
}

// later begins f, and returns what waits for it.
func later(f func() (row, error)) func() (row, error) {
	var r row
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = f()
	}()
	return func() (row, error) { <-done; return r, err }
}

func (r row) print(asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(r) // stdout is gone: nobody reads
		return
	}
	fmt.Printf("%-11s %-13s %9.1f %9.1f %7.2f %9.2f%% %9.2f%% %7.2f%% %6.2f dB\n",
		r.Trace, r.Buffer, r.MeanMS, r.P95MS, r.Lost, r.Concealed, r.Recovered, r.Changed, r.Distance)
}

// compare replays a trace into ours, into the rival if there is one, and into
// fixed buffers: one of the same mean delay, to the next frame, and the shortest
// that conceals no more.
func (t *talk) compare(tr trace, r *rival) ([]row, error) {
	ours, h, err := t.adaptive(tr)
	if err != nil {
		return nil, err
	}
	ours.Distance = distance(t.clean, newFeatures(h.pcm))
	rows := []row{ours}
	if r != nil {
		theirs, h, err := t.speexdsp(tr, r)
		if err != nil {
			return nil, err
		}
		theirs.Distance = distance(t.clean, newFeatures(h.pcm))
		rows = append(rows, theirs)
	}
	least := (time.Duration(ours.MeanMS*float64(time.Millisecond)) + frame - 1) / frame * frame
	for delay := least; delay <= 500*time.Millisecond; delay += frame {
		r, h, err := t.fixed(tr, delay)
		if err != nil {
			return nil, err
		}
		enough := r.Concealed <= ours.Concealed
		if enough || delay == least {
			r.Distance = distance(t.clean, newFeatures(h.pcm))
			rows = append(rows, r)
		}
		if enough {
			break
		}
	}
	return rows, nil
}
