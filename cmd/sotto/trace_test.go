package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"sotto/media"
)

func TestTraceAndLatency(t *testing.T) {
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent"), filepath.Join(dir, "received")
	write := func(path string, stage media.Stage, offset int64) {
		tr, err := newTracer(path)
		if err != nil {
			t.Fatal(err)
		}
		tr.Stamp(media.StageSealed, 1) // of no interest
		for i := range 1000 {
			tr.stamps[tr.next.Add(1)-1] = stamp{int64(i)*20e6 + offset*int64(i+1), uint32(i) - 500, stage}
		}
		if err := tr.close(); err != nil {
			t.Fatal(err)
		}
	}
	write(sent, media.StageCaptured, 0)
	write(received, media.StageDecoded, int64(time.Millisecond)/10)
	l, err := newLatency(sent, received)
	if err != nil {
		t.Fatal(err)
	}
	if want := (latency{1000, 50.1, 99.1, 100}); l != want {
		t.Errorf("got %+v, want %+v", l, want)
	}
	if l, err := newLatency(received, sent); err == nil {
		t.Errorf("%+v of traces without the stages", l)
	}
	if err := os.WriteFile(sent, []byte("captured x y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := newLatency(sent, received); err == nil {
		t.Error("no error for a broken trace")
	}
}

// A full tracer drops and does not overflow; a stamp allocates nothing.
func TestTracerFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	tr, err := newTracer(path)
	if err != nil {
		t.Fatal(err)
	}
	tr.stamps = tr.stamps[:2]
	if n := testing.AllocsPerRun(10, func() { tr.Stamp(media.StageSent, 7) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if err := tr.close(); err != nil {
		t.Fatal(err)
	}
	if at, err := readTrace(path, media.StageSent); err != nil || len(at) != 1 || at[7] == 0 {
		t.Errorf("%v, %v", at, err)
	}
}
