package main

import (
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"sotto/media"
)

// floor is what no program gets below on this machine. The engine's own share would
// be Turns if memory were not far: between two frames of a leg lie 20 ms, in which
// others have the caches. And who shares the machine's processors is late.
type floor struct {
	Loop  float64 `json:"loop_us"`  // own share of one leg that does nothing else, p50
	Turns float64 `json:"turns_us"` // the same, 100 legs in turn

	Cold float64 `json:"cold_line_ns"` // a line of memory last touched 20 ms ago, one after the other, p50
	// Taken is the same if this program has spent the 20 ms looking at the clock, which
	// takes no cache: the host's others have it then.
	Taken float64 `json:"taken_line_ns"`
	Warm  float64 `json:"warm_line_ns"` // the same line, at once again

	// Sleeper is how late a thread of the runs' priority is woken that does nothing
	// but sleep a millisecond at a time, while nothing else runs and the processors
	// may sleep, too; Awake is the same while they may not, as in the runs. It is
	// absent where the system can't keep them awake: then they may sleep in the runs.
	Sleeper distribution `json:"sleeper"`
	Awake   distribution `json:"awake,omitzero"`
}

// stayedAwake reports whether the processors did in the runs with priority.
func (f floor) stayedAwake() bool { return f.Awake.Count > 0 }

// sleeper measures it for a time d.
func sleeper(d time.Duration) distribution {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	const nap = time.Millisecond
	var late []time.Duration
	for began := time.Now(); len(late) == 0 || time.Since(began) < d; {
		asleep := time.Now()
		request := syscall.NsecToTimespec(int64(nap))
		if err := syscall.Nanosleep(&request, nil); err != nil {
			continue // a signal has ended it early
		}
		late = append(late, time.Since(asleep)-nap)
	}
	return newDistribution(late)
}

// measureFloor takes some seconds.
func (p plan) measureFloor(m material) (f floor, err error) {
	if f.Loop, err = p.loop(1, m); err != nil {
		return f, err
	}
	if f.Turns, err = p.loop(100, m); err != nil {
		return f, err
	}
	f.Cold, f.Warm = lines(100, time.Sleep)
	f.Taken, _ = lines(100, spin)
	return f, nil
}

// loop is the own share, p50, in µs of legs that take turns without a pause.
func (p plan) loop(legs int, m material) (float64, error) {
	const frames = 200
	p.warm, p.count, p.trace = frames*media.FrameDuration, 0, 0
	r, err := newRing(legs, m, m.tape.codec(m.opus), p)
	if err != nil {
		return 0, err
	}
	defer r.close()
	senders, players := make([]*capture, legs), make([]*playout, legs)
	for i, l := range r.legs {
		senders[i], players[i] = &capture{Sender: l.sender, leg: l}, &playout{leg: l}
		l.out.first = epoch
	}
	var buf [1500]byte
	for frame := range frames {
		at := epoch.Add(time.Duration(frame) * media.FrameDuration)
		for i := range r.legs {
			if err := senders[i].Prepare(); err != nil {
				return 0, err
			}
			if err := senders[i].Send(); err != nil {
				return 0, err
			}
			next := r.legs[(i+1)%legs]
			n, err := next.conn.Read(buf[:])
			if err != nil {
				return 0, err
			}
			next.take(at, buf[:n])
			if _, err := players[i].Play(at); err != nil {
				return 0, err
			}
		}
	}
	var own []time.Duration
	for _, s := range r.streams {
		for frame := uint32(frames / 10); frame < frames; frame++ { // after the first calls of everything
			if d, ok := s.own(frame, p.look); ok {
				own = append(own, d)
			}
		}
	}
	return newDistribution(own).at(0.5), nil
}

// spin waits for a time d and has the processor meanwhile.
func spin(d time.Duration) {
	for began := now(); now()-began < d; {
	}
}

// lines measures what a line of the cache takes that was touched a frame before, which
// wait takes, and what one that was just touched, in so many rounds.
func lines(rounds int, wait func(time.Duration)) (cold, warm float64) {
	const (
		line   = 64 // bytes
		count  = 64
		spread = 1 << 18 // bytes
	)
	type cell struct {
		next *cell
		_    [line - 8]byte
	}
	cells := make([]cell, spread/line)
	chain := rand.Perm(len(cells))[:count]
	for i, c := range chain {
		cells[c].next = &cells[chain[(i+1)%count]]
	}
	at := &cells[chain[0]]
	walk := func() time.Duration {
		began := now()
		for range count {
			at = at.next
		}
		return now() - began
	}
	var far, near []time.Duration
	for range rounds {
		wait(media.FrameDuration)
		far = append(far, walk())
		near = append(near, walk())
	}
	each := func(d []time.Duration) float64 { return newDistribution(d).at(0.5) * 1000 / count }
	return each(far), each(near)
}
