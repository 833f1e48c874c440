// Command frame measures the way of a voice frame through the engine: how long
// each stage takes, how late packets leave, what the engine costs beside the
// codec and the kernel. Legs that call each other over loopback run in this
// process, by media.Sender, media.Receiver and engine/realtime as a call does,
// with keys that are given to them.
//
//	go run ./bench/frame
//	go run ./bench/frame -json
//	go run ./bench/frame -report   # writes README.md, frame.csv and frame.svg from results.json
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"sotto/bench/internal/report"
	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// scenario is one run.
type scenario struct {
	legs     int
	taped    bool
	realTime bool // at real-time priority, with processors that stay awake if the system can have them so
}

func (s scenario) codec() string {
	if s.taped {
		return onTape
	}
	return withOpus
}

func (s scenario) String() string { return title(s.legs, s.codec(), s.realTime) }

// title names a run.
func title(legs int, codec string, realTime bool) string {
	text := fmt.Sprintf("%d legs, %s", legs, codec)
	if !realTime {
		text += ", normal priority"
	}
	return text
}

// scenarios are the runs of a whole measurement. libopus alone fills a processor
// at some 75 legs. Two are there to show what priority and waking do.
var scenarios = []scenario{
	{1, false, true}, {10, false, true}, {50, false, true}, {100, true, true}, {400, true, true},
	{50, false, false}, {400, true, false},
}

// options are the flags.
type options struct {
	json, csv, report bool
	legs              int
	recorded          bool
	realTime          bool
	seconds, rounds   int
}

// errBars says that something asked for is not so.
var errBars = errors.New("not every bar is reached")

func main() {
	var o options
	flag.BoolVar(&o.json, "json", false, "one JSON object with the machine and all runs, instead of tables")
	flag.BoolVar(&o.csv, "csv", false, "all distributions as CSV, instead of tables")
	flag.BoolVar(&o.report, "report", false, "measure nothing: write README.md, frame.csv and frame.svg from "+resultsFile)
	flag.IntVar(&o.legs, "legs", 0, "measure only this number of legs; the bars are not checked then")
	flag.BoolVar(&o.recorded, "recorded", false, "with -legs: frames that were encoded and decoded beforehand")
	flag.BoolVar(&o.realTime, "real-time", false, "with -legs: at real-time priority and, where the system can, with processors that stay awake, as in a whole measurement")
	flag.IntVar(&o.seconds, "seconds", 4, "seconds that count in each run; tracing, warming up and comparing take another 8")
	flag.IntVar(&o.rounds, "rounds", 5, "times that each run is made, to take medians of; an odd number")
	flag.Parse()
	if flag.NArg() > 0 {
		fail(fmt.Errorf("no arguments are known, only flags: %q", flag.Args()))
	}
	if err := o.run(os.Stdout); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "frame:", err)
	os.Exit(1)
}

func (o options) run(w io.Writer) error {
	switch {
	case o.report:
		return report.Write(resultsFile, files)
	case o.seconds < 1 || o.legs < 0 || (o.recorded || o.realTime) && o.legs == 0:
		return errors.New("want at least a second, and -recorded and -real-time only with -legs")
	case o.rounds < 1 || o.rounds%2 == 0:
		return fmt.Errorf("-rounds %d: want an odd number", o.rounds)
	}
	chosen := scenarios
	if o.legs > 0 {
		chosen = []scenario{{o.legs, o.recorded, o.realTime}}
	}
	m, err := newMaterial()
	if err != nil {
		return err
	}
	p := plan{
		warm: time.Second, count: time.Duration(o.seconds) * time.Second, trace: 1200 * time.Millisecond,
		bare: 2 * time.Second, sleep: 2 * time.Second, report: os.Stderr,
	}
	r := results{Machine: thisMachine(), Rounds: o.rounds}
	p.look = time.Duration(r.Machine.LookNS)
	if o.legs == 0 {
		if r.Floor, err = p.measureFloor(m); err != nil {
			return err
		}
	}
	all, err := p.measureAll(chosen, m, o.rounds)
	if err != nil {
		return err
	}
	r.Runs, r.Floor.Sleeper, r.Floor.Awake = all.runs, all.sleeper, all.awake
	if err := o.print(w, r); err != nil || o.legs > 0 {
		return err
	}
	if _, reached := r.outcomes(); !reached {
		return errBars
	}
	return nil
}

func (o options) print(w io.Writer, r results) error {
	switch {
	case o.json:
		return r.write(w)
	case o.csv:
		return r.csv(w)
	}
	return r.table(w, o.legs == 0)
}

// newMaterial is a clip of speech, and what Opus makes of it.
func newMaterial() (material, error) {
	opus, ok := codecs.Lookup("opus")
	if !ok {
		return material{}, errors.New("no Opus")
	}
	source, err := audio.NewWAVSource(bytes.NewReader(speech.Caller()))
	if err != nil {
		return material{}, err
	}
	pcm, err := audio.ReadAll(source)
	if err != nil {
		return material{}, err
	}
	tape, err := record(opus, pcm)
	return material{opus, pcm, tape}, err
}
