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

	"sotto/codecs"
	"sotto/media/audio"
	"sotto/media/audio/speech"
)

// scenario is one run.
type scenario struct {
	legs  int
	taped bool
}

func (s scenario) codec() string {
	if s.taped {
		return onTape
	}
	return withOpus
}

// scenarios are the runs of a whole measurement. libopus alone fills a processor
// at some 75 legs.
var scenarios = []scenario{{1, false}, {10, false}, {50, false}, {100, true}, {400, true}}

// options are the flags.
type options struct {
	json, csv, report bool
	legs              int
	recorded          bool
	seconds           int
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
	flag.IntVar(&o.seconds, "seconds", 20, "seconds that count in each run; tracing, warming up and comparing take another 15")
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
		return report()
	case o.seconds < 1 || o.legs < 0 || o.recorded && o.legs == 0:
		return errors.New("want at least a second, and -recorded only with -legs")
	}
	chosen := scenarios
	if o.legs > 0 {
		chosen = []scenario{{o.legs, o.recorded}}
	}
	m, err := newMaterial()
	if err != nil {
		return err
	}
	p := plan{
		warm: 3 * time.Second, count: time.Duration(o.seconds) * time.Second, trace: 6 * time.Second,
		bare: 2 * time.Second, report: os.Stderr,
	}
	r := results{Machine: thisMachine()}
	p.look = time.Duration(r.Machine.LookNS)
	if o.legs == 0 {
		if r.Floor, err = p.measureFloor(m); err != nil {
			return err
		}
	}
	for _, s := range chosen {
		run, err := p.measure(s.legs, m, s.taped)
		if err != nil {
			return err
		}
		r.Runs = append(r.Runs, run)
	}
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
