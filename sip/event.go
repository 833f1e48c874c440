package sip

import (
	"context"
	"sync"
)

// Event is one thing that happened in a dialog: Ringing, Answered, Confirmed,
// Offer or Ended. SDP in an event belongs to the caller and parses.
type Event interface{ event() }

type (
	// Ringing says that the other side has been found and alerts its user. SDP is nil
	// unless the response had a description, which is a preview: the answer
	// that counts comes with Answered.
	Ringing struct {
		Code int // 180, 183, …
		SDP  []byte
	}
	// Answered says that our call was accepted. SDP answers our offer.
	Answered struct{ SDP []byte }
	// Confirmed says that the caller has received our answer.
	Confirmed struct{}
	// Offer says that the other side wants to change the call. Answer it at once with
	// AnswerOffer or RejectOffer; there is never a second one before that.
	Offer struct{ SDP []byte }
	// Ended is the last event of every dialog, and there is exactly one.
	Ended struct{ Reason Reason }
)

func (Ringing) event()   {}
func (Answered) event()  {}
func (Confirmed) event() {}
func (Offer) event()     {}
func (Ended) event()     {}

// maxRinging bounds the unread events: of the others there are only a few.
const maxRinging = 32

// events is the ordered queue between a dialog and whoever calls Next.
type events struct {
	mu    sync.Mutex
	list  []Event
	over  bool
	ready chan struct{} // holds a token while there is something to read
}

func (q *events) put(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, repeats := e.(Ringing); repeats && len(q.list) >= maxRinging {
		return
	}
	q.list = append(q.list, e)
	q.wake()
}

func (q *events) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// next returns the first unread event; after Ended, ErrEnded.
func (q *events) next(ctx context.Context) (Event, error) {
	for {
		if e, err := q.take(); e != nil || err != nil {
			return e, err
		}
		select {
		case <-q.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (q *events) take() (Event, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) == 0 {
		if q.over {
			q.wake() // for the next caller
			return nil, ErrEnded
		}
		return nil, nil
	}
	e := q.list[0]
	q.list = q.list[1:]
	_, q.over = e.(Ended)
	if len(q.list) > 0 || q.over {
		q.wake()
	}
	return e, nil
}
