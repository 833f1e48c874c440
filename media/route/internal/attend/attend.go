// Package attend keeps a monitor at work: it connects it to its system again
// after it was lost, and notices when the system no longer answers.
package attend

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"sotto/media/route"
)

const (
	firstPause = 20 * time.Millisecond // after a connection that had been good
	longPause  = 500 * time.Millisecond

	// Beat is how often a [Heart] asks for a sign of life.
	Beat = 15 * time.Millisecond
	// missed is how many beats may pass without an answer: a system that stops
	// is noticed within 60 ms.
	missed = 3
	// setUp is how many beats a system has to tell all there is.
	setUp = 100
)

// ErrSlow says that the system does not answer in time.
var ErrSlow = errors.New("it does not answer in time")

// Tell hands one fact on, with the time at which it was read. It blocks until
// the fact has been taken; its error is that nobody takes facts any more.
type Tell func(at time.Time, fact route.Fact) error

// Connection lives through one connection to the system. It returns why the
// connection is lost, before or after it has told [route.Ready].
type Connection func(ctx context.Context, tell Tell) error

// Run makes one connection after the other until ctx ends, and tells
// [route.Lost] after each.
func Run(ctx context.Context, from route.Origin, out chan<- route.Event, connection Connection) {
	pause := firstPause
	for {
		tell := func(at time.Time, fact route.Fact) error {
			if _, ready := fact.(route.Ready); ready {
				pause = firstPause
			}
			select {
			case out <- route.Event{At: at, From: from, Fact: fact}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		err := connection(ctx, tell)
		if tell(time.Now(), route.Lost{Reason: err.Error()}) != nil {
			return
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		case <-ctx.Done():
			return
		}
	}
}

// Read is a message with the time at which it was read, or why there is none.
type Read[M any] struct {
	Message M
	At      time.Time
	Err     error
}

// Reader gives what read returns, up to its first error, or until done is closed.
// Whoever closes done closes the connection too, so that no read waits for ever.
func Reader[M any](done <-chan struct{}, read func() (M, error)) <-chan Read[M] {
	out := make(chan Read[M])
	go func() {
		for {
			m, err := read()
			select {
			case out <- Read[M]{m, time.Now(), err}:
			case <-done:
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return out
}

// Write sends b to a system that reads: then b fits into its socket, else the
// system is slow. A pause of our own process costs a try, and not the connection.
func Write(conn net.Conn, b []byte) error {
	for range missed {
		if err := conn.SetWriteDeadline(time.Now().Add(Beat)); err != nil {
			return err
		}
		n, err := conn.Write(b)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		b = b[n:]
	}
	return ErrSlow
}

// Heart counts beats without an answer. It counts those that its owner could
// see: a pause of our own process is not held against the system.
type Heart struct {
	ready      bool
	unanswered int
}

// Ready says that all has been told, so that from now on answers are quick.
func (h *Heart) Ready() { h.ready, h.unanswered = true, 0 }

// Answered says that the system has answered.
func (h *Heart) Answered() {
	if h.ready {
		h.unanswered = 0
	}
}

// Beat counts. It says whether the system is to be asked now; the error is
// [ErrSlow].
func (h *Heart) Beat() (ask bool, err error) {
	limit := missed
	if !h.ready {
		limit = setUp
	}
	if h.unanswered >= limit {
		return false, ErrSlow
	}
	h.unanswered++
	return h.ready && h.unanswered == 1, nil
}
