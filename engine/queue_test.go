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

// A peer who holds, resumes and dials as long as nobody looks does not push out why
// there is silence, which the latest event of the route says.
func TestPeerDoesNotPushOutTheRoute(t *testing.T) {
	q := newQueue()
	q.put(RouteRefused{Text: "why"})
	for range 3 * maxUnread {
		q.put(Digit{'1'})
	}
	if first, _ := q.events[0].(RouteRefused); len(q.events) > maxUnread || first.Text != "why" {
		t.Errorf("%d events, the first %+v", len(q.events), q.events[0])
	}
	for range 3 * maxUnread {
		q.put(RouteRestored{})
		q.put(RouteRefused{Text: "again"})
	}
	if last, _ := q.events[len(q.events)-1].(RouteRefused); len(q.events) > maxUnread || last.Text != "again" {
		t.Errorf("%d events, the last %+v", len(q.events), last)
	}
}
