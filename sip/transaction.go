package sip

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// The timers of RFC 3261 §17 are made of these. They are constants: two agents
// in one program must not be able to change each other's.
const (
	timerT1 = 500 * time.Millisecond // a round trip
	timerT2 = 4 * time.Second        // longest pause between retransmissions
	timerT4 = 5 * time.Second        // longest life of a message in the network
	timeout = 64 * timerT1           // timers B, F, H, J, L and M
	timerD  = 32 * time.Second
)

// txState is a state of a transaction. Which states a transaction passes:
//
//	client INVITE      idle calling proceeding accepted|completed terminated   RFC 3261 §17.1.1, RFC 6026 §7.2
//	client non-INVITE  idle calling proceeding completed terminated            RFC 3261 §17.1.2 (calling: Trying)
//	server INVITE      proceeding accepted|completed confirmed terminated      RFC 3261 §17.2.1, RFC 6026 §7.1
//	server non-INVITE  proceeding completed terminated                         RFC 3261 §17.2.2 (proceeding: Trying too)
type txState uint8

const (
	idle txState = iota // not sent yet: its way is being looked up
	calling
	proceeding
	accepted
	completed
	confirmed
	terminated
)

// clock is the two timers of a transaction: when to send again, and when to
// give up or forget. A zero time is a timer that does not run.
type clock struct {
	interval time.Duration // the pause before resend, doubled after each
	resend   time.Time
	expire   time.Time
}

// deadline returns when due has something to do, or zero.
func (c *clock) deadline() time.Time {
	if c.resend.IsZero() || !c.expire.IsZero() && c.expire.Before(c.resend) {
		return c.expire
	}
	return c.resend
}

// due reports whether the time has come to send again, or to expire. Each call
// before the deadline reports neither and changes nothing.
func (c *clock) due(now time.Time, limit time.Duration) (resend, expire bool) {
	if !c.expire.IsZero() && !now.Before(c.expire) {
		return false, true
	}
	if c.resend.IsZero() || now.Before(c.resend) {
		return false, false
	}
	c.interval = min(2*c.interval, limit)
	c.resend = now.Add(c.interval)
	return true, false
}

// clientTx is one request of ours and what became of it. It does no I/O: its
// methods say what to send. The goroutine of its dialog owns it.
type clientTx struct {
	clock
	method string
	branch string
	seq    uint32
	to     peer
	flow   flow
	wire   []byte // the request as sent
	state  txState

	// Of an INVITE:
	cancel    bool           // send CANCEL as soon as RFC 3261 §9.1 allows
	ack       []byte         // the ACK of a failure
	confirmed []confirmation // the ACKs of each 2xx
}

// confirmation is the ACK of a 2xx from the phone with this tag.
type confirmation struct {
	tag  string
	flow flow
	ack  []byte // nil until its way is known
}

// start is called when the request goes out for the first time.
func (t *clientTx) start(now time.Time) {
	t.state = calling
	t.expire = now.Add(timeout)
	if !t.flow.reliable() {
		t.interval = timerT1
		t.resend = now.Add(timerT1)
	}
}

// receive takes a response in. up: the dialog shall act on it. ack: it is a
// failure of an INVITE, or one seen before, that t.ack must confirm.
func (t *clientTx) receive(now time.Time, code int) (up, ack bool) {
	switch t.state {
	case calling, proceeding:
		return t.first(now, code)
	case accepted:
		return code >= 200 && code < 300, false // answered by ACK again
	case completed:
		return false, t.method == methodInvite && code >= 300
	}
	return false, false
}

func (t *clientTx) first(now time.Time, code int) (up, ack bool) {
	invite := t.method == methodInvite
	switch {
	case code < 200:
		if invite {
			t.resend = time.Time{}
			if t.state == calling {
				t.expire = time.Time{} // it may ring for as long as it likes
			}
		} else if !t.resend.IsZero() {
			t.interval = timerT2
		}
		t.state = proceeding
		return true, false
	case invite && code < 300:
		t.state = accepted
		t.clock = clock{expire: now.Add(timeout)}
		return true, false
	}
	t.state = completed
	linger := timerT4
	if invite {
		linger = timerD
	}
	t.clock = clock{expire: now.Add(linger)}
	if t.flow.reliable() {
		t.terminate() // nothing is retransmitted on a stream
	}
	return true, invite
}

// bound ends the patience with an INVITE that is cancelled, RFC 3261 §9.1, or
// whose call is over.
func (t *clientTx) bound(now time.Time) {
	if t.expire.IsZero() {
		t.expire = now.Add(timeout)
	}
}

// pending reports whether a final response is still to come.
func (t *clientTx) pending() bool { return t.state <= proceeding }

func (t *clientTx) terminate() {
	t.state = terminated
	t.clock = clock{}
}

// tick runs the timers: resend t.wire, or learn that no final response came.
func (t *clientTx) tick(now time.Time) (resend, failed bool) {
	limit := timerT2
	if t.method == methodInvite {
		limit = timeout // timer A doubles without bound, RFC 3261 §17.1.1.2
	}
	resend, expire := t.due(now, limit)
	if expire {
		failed = t.pending()
		t.terminate()
	}
	return resend, failed
}

// serverTx is one request of the peer and our answer to it. It does no I/O
// either, and belongs to the goroutine of its dialog.
type serverTx struct {
	clock
	method string
	branch string // with sent-by: what RFC 3261 §17.2.3 matches on
	seq    uint32
	req    *sip.Request // nil once it has its final response, which is enough to repeat
	flow   flow         // where responses go
	wire   []byte       // the last response as sent
	state  txState
}

// respond notes that a response with this code was sent.
func (t *serverTx) respond(now time.Time, code int, wire []byte) {
	t.wire = wire
	if code >= 200 {
		t.req = nil
	}
	invite := t.method == methodInvite
	switch {
	case code < 200:
	case invite && code < 300:
		// The answer is repeated until its ACK comes, on any transport,
		// RFC 3261 §13.3.1.4.
		t.state = accepted
		t.clock = clock{timerT1, now.Add(timerT1), now.Add(timeout)}
	case invite:
		t.state = completed
		t.clock = clock{expire: now.Add(timeout)}
		if !t.flow.reliable() {
			t.interval, t.resend = timerT1, now.Add(timerT1)
		}
	default:
		t.state = completed
		t.clock = clock{expire: now.Add(timeout)}
		if t.flow.reliable() {
			t.terminate()
		}
	}
}

// acknowledge takes an ACK in. It reports whether the ACK is the first one.
func (t *serverTx) acknowledge(now time.Time) bool {
	switch t.state {
	case accepted:
		t.state = confirmed
		t.clock = clock{expire: now.Add(timeout)} // absorbs late INVITEs, RFC 6026 §7.1
	case completed:
		t.state = confirmed
		t.clock = clock{expire: now.Add(timerT4)}
		if t.flow.reliable() {
			t.terminate()
		}
	default:
		return false
	}
	return true
}

func (t *serverTx) terminate() {
	t.state = terminated
	t.clock = clock{}
}

// tick runs the timers: resend t.wire, or learn that no ACK came to it.
func (t *serverTx) tick(now time.Time) (resend, failed bool) {
	resend, expire := t.due(now, timerT2)
	if expire {
		failed = t.state == accepted
		t.terminate()
	}
	return resend, failed
}
