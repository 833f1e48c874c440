package device

import (
	"sync/atomic"

	"sotto/media/audio"
)

const (
	// fade is how long silence takes to begin and to end, 5 ms.
	fade = audio.FrameSamples / 4
	// A ring's reserve is what is left in it when it is at its lowest. The
	// least of it is 10 ms, the most 60.
	leastReserve, mostReserve = 2 * fade, 12 * fade
	// surplus is what may be in a ring above what it begins with, 100 ms.
	// More has piled up while the other side stood still, and is left out.
	surplus = 5 * audio.FrameSamples
	// underway is the most that lies between a microphone and its ring, 120 ms:
	// what the server may keep of a stream and its client library as much again
	// (three periods each), and two cycles of the server's graph with it (43 ms
	// where nobody asks PipeWire for less).
	underway = 6 * audio.FrameSamples
)

// outlet is the consumer's end of a ring. It begins when the ring has the
// reserve, what is asked for, and what is written at once: nobody knows yet which
// of the two comes first in the long run. When the ring runs dry it fades out and
// begins again.
type outlet struct {
	ring    ring
	reserve atomic.Int64  // samples
	dry     atomic.Uint64 // how often it ran dry
	flushed atomic.Uint64 // by ring.written: what comes before is not wanted

	running bool
	last    int16 // the last sample taken
	rising  int   // how many samples the fade-in still has
}

// take fills dst with what comes next, or with silence. It reports whether that is
// because of a flush.
func (o *outlet) take(dst []int16) (flushed bool) {
	if flushed = o.flushed.Load() > o.ring.read.Load(); flushed {
		o.ring.drop()                // all of it: what has piled up somewhere comes at once
		o.running, o.last = false, 0 // not even the fade is wanted
	}
	enough := int(o.reserve.Load()+o.ring.block.Load()) + len(dst)
	level := o.ring.level()
	if !o.running && level < enough {
		o.conceal(dst)
		return flushed
	}
	if !o.running {
		o.running, o.rising = true, fade
	}
	if level > enough+surplus {
		o.ring.skip(level - enough)
	}
	n := o.ring.take(dst)
	for i := range dst[:min(n, o.rising)] {
		dst[i] = int16(int(dst[i]) * (fade - o.rising) / fade)
		o.rising--
	}
	if n > 0 {
		o.last = dst[n-1]
	}
	if n < len(dst) {
		o.running = false
		o.dry.Add(1)
		o.conceal(dst[n:])
	}
	return flushed
}

// flush has what is in the ring forgotten, and so many samples after it. Any
// goroutine may call it: one that comes late takes nothing back from another.
func (o *outlet) flush(more uint64) { raise(&o.flushed, o.ring.written.Load()+more) }

// raise stores value unless there is more already.
func raise(at *atomic.Uint64, value uint64) {
	for was := at.Load(); was < value && !at.CompareAndSwap(was, value); was = at.Load() {
	}
}

// conceal goes from the last sample down to silence.
func (o *outlet) conceal(dst []int16) {
	const slope = 32768/fade + 1
	for i := range dst {
		switch {
		case o.last > slope:
			o.last -= slope
		case o.last < -slope:
			o.last += slope
		default:
			o.last = 0
		}
		dst[i] = o.last
	}
}
