package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/audio"
)

// hungFile is a recording on a disk that answers nothing from when it is told to, until
// it is freed.
type hungFile struct {
	hangs, freed chan struct{} // closed when it does, and has been
	heard        []int16
	err          error // of writing and of closing
	closed       bool
}

func newHungFile() *hungFile {
	return &hungFile{hangs: make(chan struct{}), freed: make(chan struct{})}
}

func (h *hungFile) answer() {
	select {
	case <-h.hangs:
		<-h.freed
	default:
	}
}

func (h *hungFile) create() (recording, error) {
	h.answer()
	return h, nil
}

func (h *hungFile) WriteFrame(pcm []int16) error {
	h.answer()
	h.heard = append(h.heard, pcm...)
	return h.err
}

func (h *hungFile) Close() error {
	h.answer()
	h.closed = true
	return h.err
}

// said counts its frames.
func said(frames int) (pcm []int16) {
	for n := range frames * audio.FrameSamples {
		pcm = append(pcm, int16(n))
	}
	return pcm
}

// All of a call is in its recording when that is closed, in order, halves of frames too.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHungFile()
		r, err := newRecorder(t.Context(), "f", h.create, func(text string) { t.Error(text) })
		if err != nil {
			t.Fatal(err)
		}
		pcm := said(100)
		err = errors.Join(r.WriteFrame(pcm[:audio.FrameSamples/2]), r.WriteFrame(pcm[audio.FrameSamples/2:audio.FrameSamples]))
		for rest := range slices.Chunk(pcm[audio.FrameSamples:], audio.FrameSamples) {
			err = errors.Join(err, r.WriteFrame(rest))
		}
		if err = errors.Join(err, r.Close()); err != nil {
			t.Error(err)
		}
		if !h.closed || !slices.Equal(h.heard, pcm) {
			t.Errorf("closed %v, %d samples are recorded", h.closed, len(h.heard))
		}
	})
}

// A disk that hangs holds up neither a frame nor for long the end, which says what may be
// missing; what waited is recorded if the disk answers after all.
func TestRecorderOnAHungDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, warnings := newHungFile(), 0
		r, err := newRecorder(t.Context(), "f", h.create, func(string) { warnings++ })
		if err != nil {
			t.Fatal(err)
		}
		close(h.hangs)
		begun := time.Now()
		pcm := said(1)
		for n := range maxUnrecorded + 1 {
			if err := r.WriteFrame(pcm); err != nil {
				t.Fatalf("frame %d: %v", n, err)
			}
			synctest.Wait()
		}
		if err := r.WriteFrame(pcm); !errors.Is(err, errDisk) {
			t.Errorf("one too many: %v", err)
		}
		if took := time.Since(begun); took != 0 {
			t.Errorf("the frames waited for %v", took)
		}
		if err := r.Close(); !errors.Is(err, errDisk) || time.Since(begun) != diskPatience || warnings != 1 {
			t.Errorf("after %v: %v, %d warnings", time.Since(begun), err, warnings)
		}
		close(h.freed)
		<-r.done
		if !h.closed || len(h.heard) != (maxUnrecorded+1)*audio.FrameSamples {
			t.Errorf("closed %v, %d samples", h.closed, len(h.heard))
		}
	})
}

// A recording that can't be begun in time is none, and neither is one that nobody wants
// any more.
func TestRecorderIsNotCreated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, end := context.WithCancel(t.Context())
		end()
		for ctx, want := range map[context.Context]error{t.Context(): errDisk, ended: context.Canceled} {
			h := newHungFile()
			close(h.hangs)
			begun := time.Now()
			if _, err := newRecorder(ctx, "f", h.create, nil); !errors.Is(err, want) || time.Since(begun) > diskPatience {
				t.Errorf("after %v: %v, want %v", time.Since(begun), err, want)
			}
			close(h.freed)
			synctest.Wait()
			if !h.closed {
				t.Error("it stays open")
			}
		}
		refused := func() (recording, error) { return nil, io.ErrShortWrite }
		if _, err := newRecorder(t.Context(), "f", refused, nil); !errors.Is(err, io.ErrShortWrite) {
			t.Error(err)
		}
	})
}

// A full disk ends the call by the next frame, and is told at the end if that is when it
// shows.
func TestRecorderOnAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, warnings := newHungFile(), 0
		h.err = errors.New("no space left on device")
		r, err := newRecorder(t.Context(), "f", h.create, func(string) { warnings++ })
		if err != nil {
			t.Fatal(err)
		}
		if err := r.WriteFrame(said(1)); err != nil {
			t.Errorf("before the disk was asked: %v", err)
		}
		synctest.Wait()
		if err := r.WriteFrame(said(1)); !errors.Is(err, h.err) {
			t.Errorf("the next frame: %v", err)
		}
		if err := r.Close(); !errors.Is(err, h.err) || warnings != 1 || len(h.heard) != audio.FrameSamples {
			t.Errorf("%v, %d warnings, %d samples", err, warnings, len(h.heard))
		}
	})
}
