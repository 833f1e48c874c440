// Command quality replays arrival traces into the Receiver, with its adaptive
// jitter buffer, into speexdsp's adaptive one and into fixed buffers, all in
// virtual time, and the same packets into NetEq, in real time: how much delay each
// adds, how much it conceals, and how like the speech that was sent its output is.
//
//	npm install --prefix out/wrtc @roamhq/wrtc@0.10.0
//	go run ./bench/quality -neteq out/wrtc
//	go run ./bench/quality -neteq out/wrtc -json
//	go run ./bench/quality -report   # writes README.md from results.json
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sotto/bench/internal/report"
)

// options are the flags.
type options struct {
	seconds int
	seed    uint64
	seeds   int
	modules string
	lanes   int
	json    bool
	report  bool
	codec   bool
	rounds  int
}

func main() {
	var o options
	flag.IntVar(&o.seconds, "seconds", 60, "length of each trace")
	flag.Uint64Var(&o.seed, "seed", 1, "of the traces, the first")
	flag.IntVar(&o.seeds, "seeds", 3, "how many of each trace there are, to take medians of")
	flag.StringVar(&o.modules, "neteq", "", "directory in which npm has installed @roamhq/wrtc: replay the counted traces into its NetEq, too, which takes as long as they do")
	flag.IntVar(&o.lanes, "lanes", lanes, "traces that NetEq hears at once")
	flag.BoolVar(&o.json, "json", false, "one JSON object with all rows; with -codec, one a line")
	flag.BoolVar(&o.report, "report", false, "measure nothing: write README.md from "+resultsFile)
	flag.BoolVar(&o.codec, "codec", false, "instead, what Opus costs and how it sounds at each complexity, at four bit rates, in packets of one size and of any, with and without FEC; -seconds of speech")
	flag.IntVar(&o.rounds, "rounds", 3, "times that -codec measures each, to take the least")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "quality:", err)
		os.Exit(1)
	}
}

// errBars is that something asked for is not reached. The table says what.
var errBars = errors.New("not all that is asked for is reached")

func (o options) run() error {
	length := time.Duration(o.seconds) * time.Second
	switch {
	case o.report:
		return report.Write(resultsFile, files)
	case o.codec:
		return codecTable(length, o.rounds, o.seed, o.json)
	case length < 10*time.Second || length > time.Hour:
		return fmt.Errorf("traces of %v are not from 10 s to an hour", length)
	case o.seeds < 1:
		return fmt.Errorf("%d traces of each shape", o.seeds)
	}
	r, err := o.measure(length)
	if err != nil {
		return err
	}
	if o.json {
		err = json.NewEncoder(os.Stdout).Encode(r)
	} else {
		_, err = fmt.Print(r.text())
	}
	if err != nil {
		return err
	}
	if _, reached := r.outcomes(); !reached {
		return errBars
	}
	return nil
}

// measure replays every trace into every buffer.
func (o options) measure(length time.Duration) (results, error) {
	t, err := newTalk(int(length / frame))
	if err != nil {
		return results{}, err
	}
	r := thisMachine()
	r.Seconds, r.Seeds, r.Control = o.seconds, o.seeds, t.control
	rival, err := buildRival()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quality: WITHOUT SPEEXDSP:", err)
	}
	defer rival.remove()
	var traces, real []*trace
	for _, s := range shapes {
		for i := range o.seeds {
			tr := s.make(int(length/frame), o.seed+uint64(i))
			if traces = append(traces, &tr); s.counted {
				real = append(real, &tr)
			}
		}
	}
	// In real time first: nothing else of ours is to run beside it.
	if o.modules != "" {
		n := &neteq{o.modules, max(o.lanes, 1)}
		if r.Rows, err = n.replayAll(t, real); err != nil {
			return results{}, err
		}
	}
	heard := r.Rows // by NetEq
	for _, tr := range traces {
		rows, err := t.compare(*tr, rival)
		if err != nil {
			return results{}, err
		}
		r.Rows = append(r.Rows, rows...)
		for _, theirs := range heard {
			if theirs.Trace != tr.name || theirs.Seed != tr.seed {
				continue
			}
			mine, err := t.slower(*tr, theirs.MeanMS)
			if err != nil {
				return results{}, err
			}
			r.Rows = append(r.Rows, mine)
		}
	}
	return r, nil
}

// compare replays a trace into ours, into the rival if there is one, and into a
// fixed buffer of the same mean delay, which knows the network beforehand.
func (t *talk) compare(tr trace, r *rival) ([]row, error) {
	mine, err := t.adaptive(tr)
	if err != nil {
		return nil, err
	}
	rows := []row{mine}
	if r != nil {
		theirs, err := t.speexdsp(tr, r)
		if err != nil {
			return nil, err
		}
		rows = append(rows, theirs)
	}
	// To the next hop of the score, or that would count as a distance.
	const grid = 5 * ms
	same, err := t.fixed(tr, max(tr.way()+time.Duration(mine.MeanMS*float64(ms))+grid-1, 0)/grid*grid)
	return append(rows, same), err
}
