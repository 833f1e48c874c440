package netsim

import (
	"net/netip"
	"slices"
	"time"
)

// flight is one copy of a datagram on its way.
type flight struct {
	due  time.Time
	late bool           // held back: later ones may overtake it
	from netip.AddrPort // who sent it; unused on a Link
	b    []byte
}

// queue holds flights by the time they arrive; equal times keep their order.
type queue struct{ flights []flight }

func (q *queue) push(f flight) {
	at, _ := slices.BinarySearchFunc(q.flights, f.due, func(in flight, due time.Time) int {
		if in.due.After(due) {
			return 1
		}
		return -1
	})
	q.flights = slices.Insert(q.flights, at, f)
}

// due is when the next flight arrives; zero when there is none.
func (q *queue) due() time.Time {
	if len(q.flights) == 0 {
		return time.Time{}
	}
	return q.flights[0].due
}

// pop takes the next flight that has arrived by now.
func (q *queue) pop(now time.Time) (flight, bool) {
	if len(q.flights) == 0 || q.flights[0].due.After(now) {
		return flight{}, false
	}
	f := q.flights[0]
	q.flights = slices.Delete(q.flights, 0, 1)
	return f, true
}
