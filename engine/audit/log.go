package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// maxQueue is how many records may wait for the disk.
const maxQueue = 1024

var (
	// ErrFull says that the disk has not kept up: so many records wait for it that
	// there is no room for another.
	ErrFull = errors.New("audit: the disk does not keep up")
	// ErrClosed says that the trail has been closed.
	ErrClosed = errors.New("audit: closed")
)

// Log appends to a trail, in a goroutine of its own. Its methods may be called
// from any goroutine. A nil Log is that of who keeps no trail.
type Log struct {
	mu     sync.Mutex // guards what follows; nobody holds it while the disk works
	queue  []entry
	lost   uint64 // records for which the queue had no room since its last entry
	closed bool

	wake   chan struct{} // of capacity 1: something has changed
	done   chan struct{} // closed when the goroutine has ended, which closes the file
	failed error         // of the end; to be read when done is closed
}

// entry is what waits for the disk.
type entry struct {
	record   Record
	from     *Recorder
	lost     uint64        // records before this one for which there was no room
	recorded chan struct{} // not nil: there is no record, and this is closed when those before have been dealt with
}

// Open opens or creates the trail at path, and verifies it. A last line that a
// crash has cut off stays, and is followed by a record that says so. One process
// at a time has a trail.
func Open(path string) (*Log, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	w, err := begin(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w (%s)", err, path), file.Close())
	}
	return start(w), nil
}

func start(w *writer) *Log {
	l := &Log{wake: make(chan struct{}, 1), done: make(chan struct{})}
	go l.run(w)
	return l
}

// run writes what waits until the Log is closed.
func (l *Log) run(w *writer) {
	defer close(l.done)
	for {
		<-l.wake
		l.mu.Lock()
		batch, lost, closed := l.queue, uint64(0), l.closed
		l.queue = nil
		if closed {
			lost, l.lost = l.lost, 0
		}
		l.mu.Unlock()
		w.commit(batch)
		if closed {
			l.failed = w.close(lost)
			return
		}
	}
}

// put lets e wait for the disk.
func (l *Log) put(e entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return ErrClosed
	case len(l.queue) >= maxQueue && e.recorded == nil:
		l.lost++
		return ErrFull
	}
	e.lost, l.lost = l.lost, 0
	l.queue = append(l.queue, e)
	l.signal()
	return nil
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Close closes the trail when all that was recorded is on the disk, however long
// that takes. The error is that of closing: what the disk did not take its
// Recorder has been told.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	again := l.closed
	l.closed = true
	l.mu.Unlock()
	if again {
		return ErrClosed
	}
	l.signal()
	<-l.done
	return l.failed
}

// Recorder records for one call. A nil Recorder records nothing. Its methods may
// be called from any goroutine.
type Recorder struct {
	log    *Log
	call   string
	missed chan error
}

// Recorder returns one whose records have call in them; nil if there is no trail.
func (l *Log) Recorder(call string) *Recorder {
	if l == nil {
		return nil
	}
	return &Recorder{log: l, call: call, missed: make(chan error, 1)}
}

// Record appends a record, with the time of now, when the disk can take it. It
// does not wait for that. What it is told belongs to the Log then.
func (r *Recorder) Record(event string, detail map[string]string) {
	if r == nil {
		return
	}
	for k, v := range detail {
		if len(v) > maxDetail {
			detail[k] = v[:maxDetail] + "…"
		}
	}
	record := Record{Time: time.Now().UTC(), Call: r.call, Event: event, Detail: detail}
	if err := r.log.put(entry{record: record, from: r}); err != nil {
		r.miss(err)
	}
}

// Missed has why a record is not in the trail. While one error waits unread,
// further ones are left out.
func (r *Recorder) Missed() <-chan error {
	if r == nil {
		return nil
	}
	return r.missed
}

func (r *Recorder) miss(err error) {
	select {
	case r.missed <- err:
	default:
	}
}

// Flush returns when each record before it is on the disk, or [Recorder.Missed]
// says that one is not; or with ctx, and its error.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	recorded := make(chan struct{})
	if r.log.put(entry{recorded: recorded}) != nil {
		recorded = r.log.done // it is being closed
	}
	select {
	case <-recorded:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
