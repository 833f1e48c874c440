package sip

import (
	"slices"
	"testing"
	"time"
)

var (
	udp = flow{}
	tcp = flow{stream: &stream{}}
)

// drive runs the timers of a transaction until it is over, and returns when it
// sent again, when it ended, and whether that was a failure.
func drive(start time.Time, deadline func() time.Time, tick func(time.Time) (bool, bool)) (sent []time.Duration, end time.Duration, failed bool) {
	for at := deadline(); !at.IsZero(); at = deadline() {
		if resend, _ := tick(at.Add(-1)); resend {
			return nil, 0, true // too early
		}
		resend, lost := tick(at)
		if resend {
			sent = append(sent, at.Sub(start))
		}
		end, failed = at.Sub(start), lost
	}
	return sent, end, failed
}

func times(seconds ...float64) []time.Duration {
	var list []time.Duration
	for _, s := range seconds {
		list = append(list, time.Duration(s*float64(time.Second)))
	}
	return list
}

// TestClientTimers walks the timers of RFC 3261 §17.1.
func TestClientTimers(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		flow   flow
		codes  []int // responses right after the start
		sent   []time.Duration
		end    time.Duration
		failed bool
	}{
		"INVITE, silence":            {"INVITE", udp, nil, times(0.5, 1.5, 3.5, 7.5, 15.5, 31.5), timeout, true},
		"INVITE by TCP, silence":     {"INVITE", tcp, nil, nil, timeout, true},
		"INVITE, ringing":            {"INVITE", udp, []int{100, 180}, nil, 0, false},
		"INVITE, answered":           {"INVITE", udp, []int{180, 200}, nil, timeout, false},
		"INVITE by TCP, answered":    {"INVITE", tcp, []int{200}, nil, timeout, false},
		"INVITE, refused":            {"INVITE", udp, []int{486}, nil, timerD, false},
		"INVITE by TCP, refused":     {"INVITE", tcp, []int{486}, nil, 0, false},
		"BYE, silence":               {"BYE", udp, nil, times(0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5), timeout, true},
		"BYE, tried":                 {"BYE", udp, []int{100}, times(0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5), timeout, true},
		"BYE by TCP, silence":        {"BYE", tcp, nil, nil, timeout, true},
		"BYE, done":                  {"BYE", udp, []int{200}, nil, timerT4, false},
		"BYE by TCP, done":           {"BYE", tcp, []int{200}, nil, 0, false},
		"BYE, refused and then done": {"BYE", udp, []int{481, 200}, nil, timerT4, false},
	} {
		start := time.Unix(1000, 0)
		tx := &clientTx{method: c.method, flow: c.flow}
		tx.start(start)
		for i, code := range c.codes {
			up, ack := tx.receive(start, code)
			first := i == 0 || c.codes[i-1] < 200
			if up != first || ack != (first && c.method == "INVITE" && code >= 300) {
				t.Errorf("%s: %d is passed up %t, acknowledged %t", name, code, up, ack)
			}
		}
		sent, end, failed := drive(start, tx.deadline, tx.tick)
		if !slices.Equal(sent, c.sent) || end != c.end || failed != c.failed {
			t.Errorf("%s: sent at %v, over at %v, failed %t", name, sent, end, failed)
		}
		if pending := tx.pending(); pending != (name == "INVITE, ringing") {
			t.Errorf("%s: pending %t in state %d", name, pending, tx.state)
		}
	}
}

// TestClientRepeats: repeated finals reach the dialog or the ACK, as they must.
func TestClientRepeats(t *testing.T) {
	now := time.Unix(1000, 0)
	for _, c := range []struct {
		first, second int
		up, ack       bool
	}{{200, 200, true, false}, {200, 486, false, false}, {486, 486, false, true}, {486, 200, false, false}, {486, 180, false, false}} {
		tx := &clientTx{method: "INVITE"}
		tx.start(now)
		tx.receive(now, c.first)
		if up, ack := tx.receive(now, c.second); up != c.up || ack != c.ack {
			t.Errorf("%d after %d: up %t, ack %t", c.second, c.first, up, ack)
		}
	}
	cancelled := &clientTx{method: "INVITE"}
	cancelled.start(now)
	cancelled.receive(now, 180)
	cancelled.bound(now)
	cancelled.receive(now, 180)
	if _, failed := cancelled.tick(now.Add(timeout)); !failed {
		t.Error("a cancelled INVITE waits for ever")
	}
}

// TestServerTimers walks the timers of RFC 3261 §17.2 and RFC 6026 §7.1.
func TestServerTimers(t *testing.T) {
	doubling := times(0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
	for name, c := range map[string]struct {
		method string
		flow   flow
		codes  []int
		acked  bool
		sent   []time.Duration
		end    time.Duration
		failed bool
	}{
		"INVITE, ringing":             {"INVITE", udp, []int{100, 180}, false, nil, 0, false},
		"INVITE, answered":            {"INVITE", udp, []int{200}, false, doubling, timeout, true},
		"INVITE by TCP, answered":     {"INVITE", tcp, []int{200}, false, doubling, timeout, true},
		"INVITE, confirmed":           {"INVITE", udp, []int{200}, true, nil, timeout, false},
		"INVITE, refused":             {"INVITE", udp, []int{486}, false, doubling, timeout, false},
		"INVITE, refused, ACK":        {"INVITE", udp, []int{486}, true, nil, timerT4, false},
		"INVITE by TCP, refused":      {"INVITE", tcp, []int{486}, false, nil, timeout, false},
		"INVITE by TCP, refused, ACK": {"INVITE", tcp, []int{486}, true, nil, 0, false},
		"BYE":                         {"BYE", udp, []int{200}, false, nil, timeout, false},
		"BYE by TCP":                  {"BYE", tcp, []int{200}, false, nil, 0, false},
	} {
		start := time.Unix(1000, 0)
		tx := &serverTx{method: c.method, flow: c.flow, state: proceeding}
		for _, code := range c.codes {
			tx.respond(start, code, []byte("response"))
		}
		if c.acked && (!tx.acknowledge(start) || tx.acknowledge(start)) {
			t.Errorf("%s: the first ACK and no other counts", name)
		}
		sent, end, failed := drive(start, tx.deadline, tx.tick)
		if !slices.Equal(sent, c.sent) || end != c.end || failed != c.failed {
			t.Errorf("%s: sent at %v, over at %v, failed %t", name, sent, end, failed)
		}
	}
}
