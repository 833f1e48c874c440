package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sotto/media"
)

func TestTraceAndLatency(t *testing.T) {
	dir := t.TempDir()
	sent, received := filepath.Join(dir, "sent"), filepath.Join(dir, "received")
	write := func(path string, stage media.Stage, offset int64) {
		var text strings.Builder
		fmt.Fprintln(&text, media.StageSealed, 1, 7) // of no interest
		for i := range 1000 {
			fmt.Fprintln(&text, stage, uint32(i)-500, int64(i)*20e6+offset*int64(i+1))
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
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

// What is written are the times of CLOCK_MONOTONIC, by which two processes
// compare.
func TestTracer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	tr, err := newTracer(path)
	if err != nil {
		t.Fatal(err)
	}
	before := monotonic()
	tr.Stamp(media.StageSent, 7)
	after := monotonic()
	if err := tr.close(); err != nil {
		t.Fatal(err)
	}
	const slack = int64(time.Millisecond) // the two clocks cannot be read at once
	at, err := readTrace(path, media.StageSent)
	if got := at[7]; err != nil || len(at) != 1 || got < before-slack || got > after+slack {
		t.Errorf("stamped between %d and %d: %v, %v", before, after, at, err)
	}
}
