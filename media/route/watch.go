package route

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrWatch says that a [Watch] has ended: the route is unknown.
var ErrWatch = errors.New("route: the watch over the audio devices has ended")

// Alarm says that something has happened that may change what a [Report] says.
type Alarm struct {
	At   time.Time // when it was seen
	Text string    // for people
}

// Watch tells of the route of a call while the call lasts.
type Watch interface {
	// Alarms has one after each change that matters. While one waits unread,
	// further ones may be left out. The channel closed: the watch is lost,
	// and with it the route.
	Alarms() <-chan Alarm
	// Report is what holds now: at least what had happened when the last
	// Alarm was read.
	Report(ctx context.Context) (Report, error)
	// Close ends the watch; Report then returns [ErrWatch].
	Close() error
}

// Reporter is the [Watch] of an application that knows its devices itself. Its
// methods may be called from any goroutine.
type Reporter struct {
	alarms chan Alarm

	mu     sync.Mutex // guards what follows
	report Report
	closed bool
}

// NewReporter begins with what r says.
func NewReporter(r Report) *Reporter {
	return &Reporter{alarms: make(chan Alarm, 1), report: r}
}

// Set replaces what is reported. The application calls it before a change takes
// effect if it can, and at once after it otherwise.
func (r *Reporter) Set(report Report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return
	}
	r.report = report
	select {
	case r.alarms <- Alarm{At: report.At, Text: "the application reports a change"}:
	default: // one waits already; who reads it will see this report
	}
}

// Alarms implements [Watch].
func (r *Reporter) Alarms() <-chan Alarm { return r.alarms }

// Report implements [Watch].
func (r *Reporter) Report(context.Context) (Report, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return Report{}, ErrWatch
	}
	return r.report, nil
}

// Close implements [Watch].
func (r *Reporter) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.closed = true
		close(r.alarms)
	}
	return nil
}
