package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"sotto/engine"
	"sotto/media/audio"
)

const (
	// diskPatience is how long a call waits for the disk that its recording is on,
	// as it begins and as it ends: no longer than the engine does for its own files.
	diskPatience = 2 * time.Second
	// maxUnrecorded is how many frames may wait for that disk: 10 s of them.
	maxUnrecorded = 500
)

// errDisk is that nobody can wait any longer for the disk.
var errDisk = errors.New("the disk does not answer")

// recording is an [audio.WAVSink], or what stands for it in tests.
type recording interface {
	audio.Sink
	io.Closer
}

// recorder is an [audio.Sink] that does not wait for the disk, so that one that hangs
// holds up neither the call nor its end. A goroutine of its own, which ends when the
// disk lets it, creates, writes and closes the file.
type recorder struct {
	path   string
	warn   func(text string)
	frames chan unrecorded
	failed atomic.Pointer[error] // of writing
	stop   chan struct{}         // closed by Close
	done   chan struct{}         // closed when the goroutine has ended
	closed error                 // of closing the file; to be read when done is closed
}

// unrecorded is a frame, or half of one, that waits for the disk.
type unrecorded struct {
	samples int
	pcm     [audio.FrameSamples]int16
}

// newRecorder has create make the file at path. What may be missing at its end is told
// by warn.
func newRecorder(ctx context.Context, path string, create func() (recording, error), warn func(text string)) (*recorder, error) {
	r := &recorder{
		path: path, warn: warn, frames: make(chan unrecorded, maxUnrecorded),
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeoutCause(ctx, diskPatience, fmt.Errorf("%s: %w", path, errDisk))
	defer cancel()
	created := make(chan error, 1)
	go r.run(create, created)
	select {
	case err := <-created:
		if err != nil {
			return nil, err
		}
		return r, nil
	case <-ctx.Done():
		close(r.stop) // should it still be created, it is closed at once
		return nil, context.Cause(ctx)
	}
}

func (r *recorder) run(create func() (recording, error), created chan<- error) {
	defer close(r.done)
	file, err := create()
	created <- err
	if err != nil {
		return
	}
	var f unrecorded
	for going := true; going || len(r.frames) > 0; {
		select {
		case f = <-r.frames:
			r.record(file, &f)
		case <-r.stop:
			going = false
		}
	}
	r.closed = file.Close()
}

// record writes one frame. What failed once is not tried again: there would be a gap.
func (r *recorder) record(file recording, f *unrecorded) {
	if r.failed.Load() != nil {
		return
	}
	if err := file.WriteFrame(f.pcm[:f.samples]); err != nil {
		r.failed.Store(&err)
	}
}

// WriteFrame is [audio.Sink]. The error is that of a frame before, or that too many of
// them wait.
func (r *recorder) WriteFrame(pcm []int16) error {
	if err := r.failed.Load(); err != nil {
		return *err
	}
	var f unrecorded
	f.samples = copy(f.pcm[:], pcm)
	select {
	case r.frames <- f:
		return nil
	default:
		return fmt.Errorf("%s: %w", r.path, errDisk)
	}
}

// Close waits until the file is whole, but no longer than for diskPatience.
func (r *recorder) Close() (err error) {
	close(r.stop)
	late := time.NewTimer(diskPatience)
	defer late.Stop()
	select {
	case <-r.done:
		err = r.closed
	case <-late.C:
		err = errDisk
	}
	if err != nil { // the engine does not tell
		r.warn(fmt.Sprintf("The end of the recording may not be in %s: %s.", r.path, engine.InWords(err)))
	}
	return err
}
