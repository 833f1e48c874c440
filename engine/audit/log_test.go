package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a file that takes its time, or has room for some bytes more.
type disk struct {
	*os.File
	room   int
	stuck  bool          // not even what was written can be taken back
	hangs  chan struct{} // Sync waits until it is closed; nil: it does not wait
	faulty bool          // Sync fails

	mu   sync.Mutex // guards what follows
	kept []byte     // what a crash would leave
}

func (d *disk) Write(b []byte) (int, error) {
	n, err := d.File.Write(b[:min(len(b), d.room)])
	if d.room -= n; err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

func (d *disk) Truncate(size int64) error {
	if d.stuck {
		return syscall.EIO
	}
	return d.File.Truncate(size)
}

func (d *disk) Sync() error {
	if d.hangs != nil {
		<-d.hangs
	}
	if d.faulty {
		return syscall.EIO
	}
	kept, err := os.ReadFile(d.Name())
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = kept
	return err
}

func (d *disk) afterCrash() []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	return bytes.Clone(d.kept)
}

// onDisk is a writer to a disk with a new trail.
func onDisk(t *testing.T) (*writer, *disk) {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "trail"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	w, err := begin(file)
	if err != nil {
		t.Fatal(err)
	}
	d := &disk{File: file, room: 1 << 30}
	w.file = d
	return w, d
}

// verified are the records of a trail.
func verified(t *testing.T, trail []byte) (Summary, []Record) {
	t.Helper()
	s, err := Verify(bytes.NewReader(trail))
	if err != nil {
		t.Fatalf("%v\n%s", err, trail)
	}
	var all []Record
	for line := range bytes.Lines(trail) {
		var r Record
		if json.Unmarshal(line, &r) == nil {
			all = append(all, r)
		}
	}
	return s, all
}

// The disk hangs: no call waits for it. What fits into the queue is written in its
// order when the disk goes on; what did not is known to be missing.
func TestHungDisk(t *testing.T) {
	const calls, each = 4, 2 * maxQueue
	w, d := onDisk(t)
	d.hangs = make(chan struct{})
	l := start(w)
	var recording sync.WaitGroup
	var recorders [calls]*Recorder
	for i := range recorders {
		r := l.Recorder(strconv.Itoa(i))
		recorders[i] = r
		recording.Go(func() {
			for n := range each {
				r.Record("event", map[string]string{"n": strconv.Itoa(n)})
			}
		})
	}
	recording.Wait() // which it would not, if anybody waited for the disk
	for i, r := range recorders {
		if err := missed(r); !errors.Is(err, ErrFull) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	close(d.hangs)
	if err := recorders[0].Flush(t.Context()); err != nil {
		t.Error(err)
	}
	recorders[0].Record("after", nil)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s, all := verified(t, content(t, d.Name()))
	last := map[string]int{}
	events := map[string]uint64{}
	for _, r := range all {
		events[r.Event]++
		if r.Event != "event" {
			continue
		}
		n, _ := strconv.Atoi(r.Detail["n"])
		if before, ok := last[r.Call]; ok && n <= before {
			t.Fatalf("call %s: record %d follows %d", r.Call, n, before)
		}
		last[r.Call] = n
	}
	if events["event"] < maxQueue || events["event"]+s.Missing != calls*each || events["missing"] == 0 || all[len(all)-1].Event != "after" {
		t.Errorf("%d records, %d missing, %v", s.Records, s.Missing, events)
	}
}

// What was flushed survives a crash at that time.
func TestFlushedIsKept(t *testing.T) {
	w, d := onDisk(t)
	l := start(w)
	r := l.Recorder("call")
	for n := range 50 {
		event := fmt.Sprint("event", n)
		r.Record(event, nil)
		if err := r.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, all := verified(t, d.afterCrash()); len(all) != n+1 || all[n].Event != event || all[n].Call != "call" {
			t.Fatalf("%d records after %s", len(all), event)
		}
	}
	if err := missed(r); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r.Record("late", nil)
	if err := missed(r); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// Who waits for a disk that hangs can give up.
func TestFlushGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := onDisk(t)
		d.hangs = make(chan struct{})
		l := start(w)
		r := l.Recorder("call")
		r.Record("event", nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		if err := r.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		close(d.hangs)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A record that the disk has no room for breaks nothing: the next one follows the
// last that is whole, and says what is missing; or, if the part of it that is there
// can't be taken back, the next Open does.
func TestFullDisk(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		w, d := onDisk(t)
		l := start(w)
		r := l.Recorder("call")
		record := func(event string) error {
			t.Helper()
			r.Record(event, nil)
			if err := r.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			return missed(r)
		}
		if err := record("first"); err != nil {
			t.Fatal(err)
		}
		d.room, d.stuck = 20, stuck
		for range 3 {
			if err := record("lost"); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("stuck %v: %v", stuck, err)
			}
		}
		d.room = 1 << 20
		err := record("next")
		if stuck && !errors.Is(err, syscall.EIO) || !stuck && err != nil {
			t.Errorf("stuck %v, when there is room again: %v", stuck, err)
		}
		if err := l.Close(); (err != nil) != stuck {
			t.Errorf("stuck %v: %v", stuck, err)
		}
		appended(t, d.Name(), 1)
		s, all := verified(t, content(t, d.Name()))
		want := Summary{Records: 4, Missing: 3, Last: s.Last}
		events := []string{"first", "missing", "next", "level"}
		if stuck {
			want = Summary{Records: 3, Torn: 1, Last: s.Last} // in place of all that was refused
			events = []string{"first", "torn", "level"}
		}
		var got []string
		for _, r := range all {
			got = append(got, r.Event)
		}
		if s != want || fmt.Sprint(got) != fmt.Sprint(events) {
			t.Errorf("stuck %v: %+v, %v", stuck, s, got)
		}
	}
}

// What the disk fails to keep is taken back and known to be missing, at the end of
// the trail too.
func TestFaultyDisk(t *testing.T) {
	for _, again := range []bool{true, false} {
		w, d := onDisk(t)
		r := (&Log{}).Recorder("call")
		batch := func(events ...string) (all []entry) {
			for _, event := range events {
				all = append(all, entry{record: Record{Event: event}, from: r})
			}
			return all
		}
		w.commit(batch("first"))
		if err := missed(r); err != nil {
			t.Error(err)
		}
		d.faulty = true
		w.commit(batch("a", "b"))
		w.commit(batch("c"))
		if err := missed(r); !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		if kept := content(t, d.Name()); !bytes.Equal(kept, d.afterCrash()) {
			t.Errorf("the file is not what is kept:\n%s", kept)
		}
		d.faulty = false
		want := []string{"first", "missing"}
		if again {
			w.commit(batch("next"))
			want = append(want, "next")
		}
		if err := w.close(0); err != nil {
			t.Error(err)
		}
		s, all := verified(t, d.afterCrash())
		var got []string
		for _, r := range all {
			got = append(got, r.Event)
		}
		if s.Missing != 3 || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%d missing, %v, want %v", s.Missing, got, want)
		}
	}
}

// Without a trail there is nothing to record, and nobody has to ask.
func TestNoTrail(t *testing.T) {
	var l *Log
	r := l.Recorder("call")
	r.Record("event", map[string]string{"k": "v"})
	if err := errors.Join(r.Flush(t.Context()), l.Close()); err != nil || r.Missed() != nil {
		t.Error(err)
	}
}
