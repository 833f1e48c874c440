package engine

import "testing"

// Whatever comes again and again takes no more than its room, and warnings are
// the last to make any.
func TestQueueIsBounded(t *testing.T) {
	q := newQueue()
	q.put(Warning{"first"})
	for range 3 * maxUnread {
		q.put(Held{})
	}
	if len(q.events) > maxUnread || q.events[0] != (Warning{"first"}) {
		t.Errorf("%d events, the first %+v", len(q.events), q.events[0])
	}
	for range 3 * maxUnread {
		q.put(Warning{"again"})
	}
	if len(q.events) > maxUnread {
		t.Errorf("%d warnings", len(q.events))
	}
}
