package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"sotto/media"
)

// traceCapacity is how many stamps a tracer keeps: about ten minutes of a
// call, at nine stages a frame.
const traceCapacity = 1 << 18

// tracer keeps in memory when frames passed the stages of the media path, and
// writes it down at the end. Stamps come from several goroutines at once; each
// takes the next place. It reads CLOCK_MONOTONIC, which all processes of a
// machine share.
type tracer struct {
	next   atomic.Uint64 // place of the next stamp, beyond the end when full
	stamps []stamp
	file   *os.File
}

type stamp struct {
	nanos     int64
	timestamp uint32
	stage     media.Stage
}

// newTracer creates the file, so that a path which can't be written to is
// found before the call.
func newTracer(path string) (*tracer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--trace: %w", err)
	}
	return &tracer{stamps: make([]stamp, traceCapacity), file: f}, nil
}

// Stamp implements media.Tracer.
func (t *tracer) Stamp(stage media.Stage, timestamp uint32) {
	now := monotonic()
	if i := t.next.Add(1) - 1; i < uint64(len(t.stamps)) {
		t.stamps[i] = stamp{now, timestamp, stage}
	}
}

// monotonic is CLOCK_MONOTONIC in nanoseconds. It can't fail on Linux.
func monotonic() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return ts.Nano()
}

// close writes one line a stamp: stage, RTP timestamp, nanoseconds. No call
// may be running any more.
func (t *tracer) close() error {
	w := bufio.NewWriter(t.file)
	for _, s := range t.stamps[:min(t.next.Load(), uint64(len(t.stamps)))] {
		fmt.Fprintln(w, s.stage, s.timestamp, s.nanos) // errors stay in w
	}
	return errors.Join(w.Flush(), t.file.Close())
}
