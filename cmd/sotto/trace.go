package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"sotto/engine/realtime"
)

// traceCapacity is how many stamps a tracer keeps: the last ten minutes or so
// of a call, at nine stages a frame.
const traceCapacity = 1 << 18

// tracer keeps when frames passed the stages of the media path, and writes it
// down at the end.
type tracer struct {
	*realtime.Trace
	file *os.File
}

// newTracer creates the file, so that a path which can't be written to is
// found before the call.
func newTracer(path string) (*tracer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	return &tracer{realtime.NewTrace(traceCapacity), f}, nil
}

// monotonic is CLOCK_MONOTONIC, which all processes of a machine share, in
// nanoseconds. It can't fail on Linux.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// monotonicAt is what monotonic was at t. Of several looks at the two clocks the
// one counts between which the least time has passed.
func monotonicAt(t time.Time) int64 {
	var at int64
	least := int64(math.MaxInt64)
	for range 10 {
		before := monotonic()
		since := int64(time.Since(t))
		if took := monotonic() - before; took < least {
			at, least = before+took/2-since, took
		}
	}
	return at
}

// close writes one line a stamp: stage, RTP timestamp, nanoseconds of
// CLOCK_MONOTONIC. No call may be running any more.
func (t *tracer) close() error {
	began := monotonicAt(t.Began())
	w := bufio.NewWriter(t.file)
	for _, s := range t.Stamps() {
		fmt.Fprintln(w, s.Stage, s.Timestamp, began+int64(s.At)) // errors stay in w
	}
	return errors.Join(w.Flush(), t.file.Close())
}
