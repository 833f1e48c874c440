package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"

	"sotto/codecs"
	"sotto/engine/realtime"
	"sotto/media"
	"sotto/media/audio"
)

// plan is how long a run takes.
type plan struct {
	warm   time.Duration // before anything counts
	count  time.Duration // lateness, own share, processor time, allocations
	trace  time.Duration // stages; not counted otherwise, for tracing costs as well
	bare   time.Duration // before and after, each
	sleep  time.Duration // a round
	look   time.Duration // at the clock, which is taken off
	report io.Writer     // progress
}

// frames is how many frames a stream can have in p.
func (p plan) frames() int { return int((p.warm+p.count+p.trace)/media.FrameDuration) + 500 }

// material is what is said.
type material struct {
	opus codecs.Codec
	pcm  []int16
	tape *tape
}

// clip is a source that begins anywhere in what is said.
func (m material) clip() audio.Source {
	clip := audio.NewClip(m.pcm, true)
	var frame [audio.FrameSamples]int16
	for range rand.IntN(len(m.pcm) / audio.FrameSamples) {
		_ = clip.ReadFrame(frame[:]) // has no end
	}
	return clip
}

// ring is legs, each of which calls the next.
type ring struct {
	streams []*stream
	legs    []*leg
	group   sync.WaitGroup
	memory  memory
}

// memory is what a leg takes, in bytes.
type memory struct {
	Heap  int `json:"heap_bytes"`
	Stack int `json:"stack_bytes"`
}

func newRing(n int, m material, codec codecs.Codec, p plan) (*ring, error) {
	r := &ring{}
	for i := range n {
		r.streams = append(r.streams, newStream(uint32(i+1), p.frames(), int(p.trace/media.FrameDuration)+100))
	}
	before := heap()
	for i := range n {
		l, err := newLeg(r.streams[i], r.streams[(i+1)%n], codec, m.clip())
		if err != nil {
			r.close()
			return nil, err
		}
		r.legs = append(r.legs, l)
	}
	for i, l := range r.legs {
		l.to = r.legs[(i+1)%n].address()
	}
	r.memory.Heap = int(heap().HeapAlloc-before.HeapAlloc) / n
	return r, nil
}

// heap is what the collector leaves.
func heap() runtime.MemStats {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s
}

// close ends the legs; the goroutines that run starts end when its ctx has ended,
// too.
func (r *ring) close() {
	for _, l := range r.legs {
		_ = l.conn.Close()
	}
	r.group.Wait()
	for _, l := range r.legs {
		l.close()
	}
}

// window is a time in which everything counts.
type window struct {
	began, ended    time.Time
	process, stolen time.Duration
	before, after   runtime.MemStats
	missed          missed
}

func (w *window) begin() {
	w.stolen = stolenTime()
	w.process, w.began = processTime(), time.Now()
	runtime.ReadMemStats(&w.before) // what comes before allocates
}

func (w *window) end() {
	runtime.ReadMemStats(&w.after)
	w.ended, w.process = time.Now(), processTime()-w.process
	w.stolen = stolenTime() - w.stolen
}

// has reports whether a frame that is due at t counts. Reading the figures of
// the heap stops the world, so what is near the ends does not.
func (w *window) has(t time.Time) bool {
	const margin = 5 * media.FrameDuration
	return t.After(w.began.Add(margin)) && t.Before(w.ended.Add(-margin))
}

// measured is what measureAll has.
type measured struct {
	runs           []run
	sleeper, awake distribution // of a floor; awake is empty where no processor can be kept so
}

// measureAll makes the runs in turns, so many times. What a shared machine does
// meanwhile is in the turns that it happens in, and not in the median of a run. The
// priority can't be given back: what does without it comes first.
func (p plan) measureAll(chosen []scenario, m material, rounds int) (all measured, err error) {
	turns := make([][]run, len(chosen))
	turn := func(round int, realTime bool) error {
		for i, s := range chosen {
			if s.realTime != realTime {
				continue
			}
			fmt.Fprintf(p.report, "%s, %d of %d\n", s, round+1, rounds)
			r, err := p.measure(s, m)
			if err != nil {
				return err
			}
			turns[i] = append(turns[i], r)
		}
		return nil
	}
	for round := range rounds {
		if err := turn(round, false); err != nil {
			return measured{}, err
		}
	}
	if slices.ContainsFunc(chosen, func(s scenario) bool { return s.realTime }) {
		if err := realtime.Prioritize(); err != nil {
			return measured{}, fmt.Errorf("%w: run this as root", err)
		}
		var asleep, awake []distribution
		for round := range rounds {
			asleep = append(asleep, sleeper(p.sleep))
			late, err := p.wake(realtime.StayAwake, func() error { return turn(round, true) })
			if err != nil {
				return measured{}, err
			}
			awake = append(awake, late)
		}
		all.sleeper, all.awake = medians(asleep), medians(awake)
	}
	for _, t := range turns {
		all.runs = append(all.runs, median(t))
	}
	return all, nil
}

// wake keeps the processors awake, by stay, while it measures a sleeper and then does
// what it is given. Where the system has no way to keep them so, it only does that.
func (p plan) wake(stay func() (io.Closer, error), do func() error) (late distribution, err error) {
	awake, err := stay()
	if errors.Is(err, errors.ErrUnsupported) {
		fmt.Fprintln(p.report, "the processors of this machine can't be kept awake: what follows is without that")
		return late, do()
	}
	if err != nil {
		return late, fmt.Errorf("%w: run this as root on a machine of its own, not in a container", err)
	}
	defer func() { err = errors.Join(err, awake.Close()) }()
	late = sleeper(p.sleep)
	return late, do()
}

// measure makes a run.
func (p plan) measure(s scenario, m material) (run, error) {
	codec := m.opus
	if s.taped {
		codec = m.tape.codec(m.opus)
	}
	before, err := measureBare(codec, s.legs, m.clip, p.bare)
	if err != nil {
		return run{}, err
	}
	r, err := newRing(s.legs, m, codec, p)
	if err != nil {
		return run{}, err
	}
	w, err := r.play(p)
	if err != nil {
		return run{}, err
	}
	after, err := measureBare(codec, s.legs, m.clip, p.bare)
	if err != nil {
		return run{}, err
	}
	result := r.result(w, p.look)
	result.Codec, result.RealTime = s.codec(), s.realTime
	result.compare(before, after)
	return result, nil
}

// play lets the legs talk.
func (r *ring) play(p plan) (*window, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer r.close()
	defer cancel()
	var quiet runtime.MemStats
	runtime.ReadMemStats(&quiet)
	phases := realtime.NewPhases()
	for _, l := range r.legs {
		place, err := phases.Take()
		if err != nil {
			return nil, err
		}
		l.run(ctx, place, &r.group)
	}
	time.Sleep(p.warm)
	w := &window{}
	before := r.missed()
	w.begin()
	time.Sleep(p.count)
	w.end()
	w.missed = r.missed().minus(before)
	r.memory.Stack = int(w.after.StackInuse-quiet.StackInuse) / len(r.legs)
	for _, s := range r.streams {
		s.tracing.Store(true)
	}
	time.Sleep(p.trace)
	return w, nil
}

// missed is what all legs have missed so far.
func (r *ring) missed() (sum missed) {
	for _, l := range r.legs {
		sent, heard := l.sender.Stats(), l.receiver.Stats()
		sum.Skipped += sent.Missed
		sum.Lost += heard.Lost
		sum.TooLate += heard.Late
		sum.Concealed += heard.Concealed
	}
	return sum
}

// result gathers what was measured; the legs have ended.
func (r *ring) result(w *window, look time.Duration) run {
	took := w.ended.Sub(w.began)
	n := run{
		Legs: len(r.legs), Seconds: took.Seconds(), Memory: r.memory, Missed: w.missed,
		Allocations: w.after.Mallocs - w.before.Mallocs,
		Collections: w.after.NumGC - w.before.NumGC,
		Stolen:      float64(w.stolen) / float64(took) / float64(runtime.NumCPU()) * 100,
		LegCPU:      float64(w.process) / float64(took) / float64(len(r.legs)) * 100,
	}
	for i := w.before.NumGC; i < w.after.NumGC; i++ {
		n.LongestPause = max(n.LongestPause, microseconds(time.Duration(w.after.PauseNs[i%uint32(len(w.after.PauseNs))])))
	}
	var late, own []time.Duration
	var steps [stages][]time.Duration
	for _, s := range r.streams {
		for frame := range uint32(len(s.late)) {
			if !w.has(s.due(frame)) {
				continue
			}
			n.Frames++
			if s.late[frame] == absent {
				continue // skipped, and counted as missed by the Sender
			}
			late = append(late, time.Duration(s.late[frame]))
			if late[len(late)-1] > media.FrameDuration {
				n.Missed.Late++
			}
			if d, ok := s.own(frame, look); ok {
				own = append(own, d)
			}
		}
		for stage, d := range s.steps() {
			steps[stage] = append(steps[stage], d...)
		}
	}
	for _, l := range r.legs {
		n.LegCodec += microseconds(l.encoder.mean()+l.decoder.mean()) / float64(len(r.legs))
	}
	n.FrameCPU = microseconds(w.process) / (took.Seconds() * float64(len(r.legs)) / media.FrameDuration.Seconds())
	n.Lateness, n.Own = newDistribution(late), newDistribution(own)
	for stage := 1; stage < stages; stage++ {
		n.Steps = append(n.Steps, stepTime{media.Stage(stage).String(), newDistribution(steps[stage])})
	}
	return n
}
