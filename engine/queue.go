package engine

import (
	"context"
	"io"
	"sync"
)

// queue holds a call's events until somebody takes them. A call has a few
// dozen at most, so it has no bound.
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
		q.events = append(q.events, e)
		_, q.ended = e.(Ended)
	}
	q.mu.Unlock()
	q.signal()
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
