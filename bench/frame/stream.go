package main

import (
	"crypto/rand"
	"math"
	"sync/atomic"
	"time"

	"sotto/engine/realtime"
	"sotto/media"
)

const stages = int(media.StagePlayed) + 1

// stream is one direction between two legs, and what is measured of it. Each of
// its columns is written by one goroutine.
type stream struct {
	ssrc      uint32
	key, salt []byte
	first     time.Time // the deadline of frame 0
	late      column    // departures, against when they were due

	// What the engine itself took for a frame, without source, codec and
	// socket.
	prepare, send, receive, play column

	tracing atomic.Bool
	trace   *realtime.Trace
}

// newStream makes a stream of so many frames, of which so many are traced.
func newStream(ssrc uint32, frames, traced int) *stream {
	s := &stream{
		ssrc: ssrc, key: make([]byte, profile.KeyLen()), salt: make([]byte, profile.SaltLen()),
		late: newColumn(frames), prepare: newColumn(frames), send: newColumn(frames),
		receive: newColumn(frames), play: newColumn(frames),
		trace: realtime.NewTrace(traced * stages),
	}
	_, _ = rand.Read(s.key) // never fails
	_, _ = rand.Read(s.salt)
	return s
}

// looks is how often the clock is looked at in what own adds up, beyond what is taken
// off as the source's, the codec's and the socket's: half a look at each end of a
// stretch.
const looks = 8

// own is what the engine itself took for a frame, send plus receive, if a look at
// the clock takes so long. Playing is counted by turns of the playout: the frame's
// own turn comes a few later.
func (s *stream) own(frame uint32, look time.Duration) (time.Duration, bool) {
	sum := -looks * look
	for _, part := range []int32{s.prepare[frame], s.send[frame], s.receive[frame], s.play[frame]} {
		if part == absent {
			return 0, false
		}
		sum += time.Duration(part)
	}
	return sum, true
}

// due is when a frame has to leave.
func (s *stream) due(frame uint32) time.Time {
	return s.first.Add(time.Duration(frame)*media.FrameDuration + realtime.Departure)
}

// Stamp implements [media.Tracer].
func (s *stream) Stamp(stage media.Stage, timestamp uint32) {
	if s.tracing.Load() {
		s.trace.Stamp(stage, timestamp)
	}
}

// column has a figure in nanoseconds for each frame.
type column []int32

const absent = math.MinInt32

func newColumn(frames int) column {
	c := make(column, frames)
	for i := range c {
		c[i] = absent
	}
	return c
}

func (c column) put(frame uint32, d time.Duration) {
	if frame < uint32(len(c)) {
		c[frame] = int32(min(d, math.MaxInt32))
	}
}

// steps are the times between the stages of all frames that were traced, by the
// later of two stages; the first has none.
func (s *stream) steps() (all [stages][]time.Duration) {
	type passage [stages]time.Duration
	at := map[uint32]*passage{}
	for _, stamp := range s.trace.Stamps() {
		p := at[stamp.Timestamp]
		if p == nil {
			p = &passage{}
			at[stamp.Timestamp] = p
		}
		p[stamp.Stage] = stamp.At
	}
	for _, p := range at {
		for stage := 1; stage < stages; stage++ {
			if p[stage] != 0 && p[stage-1] != 0 {
				all[stage] = append(all[stage], p[stage]-p[stage-1])
			}
		}
	}
	return all
}
