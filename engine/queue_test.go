package engine

import (
	"fmt"
	"strings"
	"testing"

	"sotto/media/route"
)

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

// Programs that listen in under ever other names, or want the call elsewhere, push out
// neither why there is silence nor what the engine warns of; the last of them are told.
func TestProgramsPushOutNothing(t *testing.T) {
	l := playing(t, Config{})
	unread(t, l.call)
	l.say(Warning{textKeysThin})
	l.say(RouteRefused{Text: "why"})
	for n := range 3 * maxUnread {
		l.tellTaps([]route.Tap{{Program: route.Process{Name: fmt.Sprint("tap ", n)}}})
		l.tellOrders([]route.Order{{Target: fmt.Sprint("order ", n)}})
	}
	events := unread(t, l.call)
	if len(events) != maxUnread || events[0] != (Warning{textKeysThin}) {
		t.Fatalf("%d events, the first %+v", len(events), events[0])
	}
	if refused, _ := events[1].(RouteRefused); refused.Text != "why" {
		t.Errorf("the second event is %+v", events[1])
	}
	last, _ := events[len(events)-1].(Warning)
	if want := fmt.Sprintf(`"order %d"`, 3*maxUnread-1); !strings.Contains(last.Text, want) {
		t.Errorf("the last event is %+v", last)
	}
}
