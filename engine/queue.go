package engine

import (
	"context"
	"io"
	"slices"
	"sync"
)

// maxUnread is how many events may wait before those that come again and again
// make room.
const maxUnread = 32

// queue holds a call's events until somebody takes them. A call has few but for
// those that repeat; of these the oldest are dropped.
type queue struct {
	mu     sync.Mutex
	events []Event
	ended  bool          // Ended is in, nothing follows
	wake   chan struct{} // of capacity 1: something has changed
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) put(e Event) {
	q.mu.Lock()
	if !q.ended {
		q.makeRoom()
		q.events = append(q.events, e)
		_, q.ended = e.(Ended)
	}
	q.mu.Unlock()
	q.signal()
}

// makeRoom drops the oldest event of those that repeat, if too many wait: one of the
// peer's, who is not to push out what this machine tells; of other programs, who are
// not to push out what the engine finds, only if there is none; then why there is
// silence, and last a warning of the engine's own.
func (q *queue) makeRoom() {
	if len(q.events) < maxUnread {
		return
	}
	for _, is := range []func(Event) bool{repeats, reports, silences, warns} {
		if i := slices.IndexFunc(q.events, is); i >= 0 {
			q.events = slices.Delete(q.events, i, i+1)
			return
		}
	}
}

// repeats reports whether the peer decides how often e comes.
func repeats(e Event) bool {
	switch e.(type) {
	case Held, Resumed, Refused, Digit, Quality:
		return true
	}
	return false
}

// outside is a Warning of what another program does, which decides how often.
type outside struct{ Warning }

// reports reports whether e is an outside one.
func reports(e Event) bool {
	_, is := e.(outside)
	return is
}

// silences reports whether e is about silence because of the route: the devices
// decide how often it comes.
func silences(e Event) bool {
	switch e.(type) {
	case RouteRefused, RouteRestored:
		return true
	}
	return false
}

// warns reports whether e is a Warning of the engine's own, which are few.
func warns(e Event) bool {
	_, is := e.(Warning)
	return is
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// next waits for the oldest event; io.EOF when Ended has been taken.
func (q *queue) next(ctx context.Context) (Event, error) {
	for {
		q.mu.Lock()
		if len(q.events) > 0 {
			e := q.events[0]
			q.events = q.events[1:]
			q.mu.Unlock()
			q.signal() // there may be more, and another taker
			if o, is := e.(outside); is {
				return o.Warning, nil
			}
			return e, nil
		}
		ended := q.ended
		q.mu.Unlock()
		if ended {
			q.signal()
			return nil, io.EOF
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.wake:
		}
	}
}
