package sip

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/sip/sdp"
)

const (
	// inboxSize is how many messages may wait for a dialog. What comes on top
	// is dropped, as the network would: its sender repeats it.
	inboxSize = 32
	// maxTransactions bounds what a peer can make one dialog remember. What
	// comes on top is dropped in silence; the last places are for requests that
	// end something.
	maxTransactions = 64
	keptForTheEnd   = 8
)

// dialogState is how far a call has come.
//
//	dialing   we called, and no final response has come
//	offered   the peer called, and we have sent no final response
//	answered  the peer called, and our 2xx waits for its ACK
//	up        the call is established
//	ended     Ended is in the queue; transactions may still run
type dialogState uint8

const (
	dialing dialogState = iota
	offered
	answered
	up
	ended
)

// Dialog is one call. Its methods may be called from any goroutine; events are
// for one reader. A goroutine of its own, run, owns the state and handles
// messages, calls and timers one after the other.
type Dialog struct {
	agent     *Agent
	callID    string
	tag       string    // ours
	inviteKey inviteKey // guarded by agent.mu
	branch    string    // of the peer's INVITE; "" if we called
	identity  string    // the peer's

	inbox    chan message
	calls    chan func(now time.Time)
	events   events
	over     chan struct{} // closed when Ended is queued
	settled  chan struct{} // closed when, beyond that, nothing more need be said
	finished chan struct{} // closed when run has returned

	// Owned by run, once it runs.
	state     dialogState
	offer     []byte  // the peer's; nil if we called, and when the call has ended
	local     sip.Uri // From of our requests
	remote    sip.Uri // To of our requests
	peer      peer
	seq       uint32 // CSeq of our last request
	remoteSeq int64  // CSeq of the peer's last request; -1: none yet
	tcp       bool   // what a URI without transport means in this dialog
	home      flow   // where the peer's INVITE came from
	client    []*clientTx
	server    []*serverTx
	looking   int       // look-ups under way
	initial   *clientTx // our INVITE that makes the call
	invited   *serverTx // the peer's
	reoffer   *reoffer  // our later offer without an answer yet
	asked     *serverTx // the peer's later offer without an answer yet
	carrier   *stream   // of the call's latest request, unless all were datagrams
	owed      bool      // the application owes a reaction to an Offer event
	heldBye   heldBye
	byeOnACK  bool   // hung up between our 2xx and its ACK
	byeText   string // for that BYE
}

// peer is the far end of a dialog, RFC 3261 §12.
type peer struct {
	tag    string
	target sip.Uri
	routes []sip.Uri
}

// next returns where requests to p go first. Every route is taken as a loose
// one, RFC 3261 §12.2.1.1: no strict router is left to meet.
func (p peer) next() sip.Uri {
	if len(p.routes) > 0 {
		return p.routes[0]
	}
	return p.target
}

func newDialog(a *Agent, callID, tag string) *Dialog {
	return &Dialog{
		agent: a, callID: callID, tag: tag,
		inbox:     make(chan message, inboxSize),
		calls:     make(chan func(time.Time)),
		events:    events{ready: make(chan struct{}, 1)},
		over:      make(chan struct{}),
		settled:   make(chan struct{}),
		finished:  make(chan struct{}),
		remoteSeq: -1,
	}
}

func (d *Dialog) key() dialogKey { return dialogKey{d.callID, d.tag} }

// ID returns the Call-ID, to find the call in logs and captures.
func (d *Dialog) ID() string { return d.callID }

// RemoteIdentity returns who is at the other end by the signalling's account,
// "sip:user@host": the caller's From, or whom we called. Nothing proves it.
func (d *Dialog) RemoteIdentity() string { return d.identity }

// RemoteOffer returns the description the peer called with. It parses. It is
// nil if we made the call, and when the call has ended.
func (d *Dialog) RemoteOffer() (offer []byte) {
	_ = d.do(func(time.Time) error {
		offer = slices.Clone(d.offer)
		return nil
	}) // ErrEnded: nil is right
	return offer
}

// Next waits for the next event, in the order in which things happened. After
// Ended it returns ErrEnded.
func (d *Dialog) Next(ctx context.Context) (Event, error) { return d.events.next(ctx) }

// Ring tells the caller that our user is being alerted (180).
func (d *Dialog) Ring() error {
	return d.do(func(now time.Time) error {
		if d.state != offered {
			return ErrState
		}
		d.respond(now, d.invited, 180)
		return nil
	})
}

// Answer accepts the peer's call with a description that answers its offer.
func (d *Dialog) Answer(answer []byte) error {
	if _, err := sdp.Parse(answer); err != nil {
		return err
	}
	return d.do(func(now time.Time) error {
		if d.state != offered {
			return ErrState
		}
		d.state = answered
		d.agree(now, d.invited, answer)
		return nil
	})
}

// Reject refuses the peer's call with a failure code, 400 to 699.
func (d *Dialog) Reject(code int) error {
	return d.do(func(now time.Time) error {
		if d.state != offered || code < 400 || code > 699 {
			return ErrState
		}
		d.respond(now, d.invited, code)
		r := statusReason(code, phrases[code])
		r.Remote = false
		d.end(now, r)
		return nil
	})
}

// Bye ends the call, whatever it is doing: an unanswered call of ours is
// cancelled, one of the peer's declined (603). Ended follows at once. Bye
// itself waits until the other side has taken note or ctx ends; text, if any,
// is told to the other side. On a call that has ended, Bye just waits.
func (d *Dialog) Bye(ctx context.Context, text string) error {
	err := d.do(func(now time.Time) error {
		d.hangUp(now, text)
		return nil
	})
	if err != nil {
		return nil // run has returned: there is nothing left to wait for
	}
	select {
	case <-d.settled:
	case <-d.finished:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

func (d *Dialog) hangUp(now time.Time, text string) {
	switch d.state {
	case dialing:
		d.abandon(now, Reason{Kind: Cancelled})
	case offered:
		d.respond(now, d.invited, 603)
		d.end(now, Reason{Kind: Declined, Code: 603})
	case answered:
		// Not before the ACK, RFC 3261 §15.
		d.byeOnACK, d.byeText = true, text
		d.end(now, Reason{Kind: HungUp})
	case up:
		d.sendBye(now, d.peer, text)
		d.end(now, Reason{Kind: HungUp})
	}
}

// do runs f on the dialog's goroutine and returns its result.
func (d *Dialog) do(f func(now time.Time) error) error {
	result := make(chan error, 1)
	select {
	case d.calls <- func(now time.Time) { result <- f(now) }:
		return <-result // run never stops within a call
	case <-d.finished:
		return ErrEnded
	}
}

// send writes a message that its sender repeats if it matters.
func (d *Dialog) send(f flow, wire []byte) {
	if err := d.agent.transport.send(f, wire); err != nil {
		d.agent.log.Debug("cannot send", "call", printable(d.callID), "peer", f.peer, "error", err)
	}
}

// enqueue hands a message to the dialog, from any goroutine, without waiting.
func (d *Dialog) enqueue(m message) {
	select {
	case d.inbox <- m:
	default:
		if n := d.agent.dropped.seen(time.Now()); n > 0 {
			d.agent.log.Warn("too many messages for one dialog", "dropped", n, "call", printable(d.callID))
		}
	}
}

// carriedBy keeps the connection of the call's latest request open, however
// many others there are, until the call ends or goes on on another.
func (d *Dialog) carriedBy(f flow) {
	if d.state == ended || !f.reliable() || f.stream == d.carrier {
		return
	}
	d.agent.transport.carry(d.carrier, f.stream)
	d.carrier = f.stream
}

// run is the dialog's goroutine. It returns when the call has ended and its
// last transaction with it, or when the agent closes. giveUp, while we call,
// ends the attempt for the reason why.
func (d *Dialog) run(giveUp <-chan struct{}, why func() error) {
	defer close(d.finished)
	defer d.agent.remove(d)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if d.state != dialing {
			giveUp = nil
		}
		select {
		case m := <-d.inbox:
			d.handle(time.Now(), m)
		case f := <-d.calls:
			f(time.Now())
		case <-timer.C:
		case <-giveUp:
			d.abandon(time.Now(), givenUp(why()))
		case <-d.agent.ctx.Done():
			d.shutDown(time.Now())
			return
		}
		now := time.Now()
		d.tick(now)
		d.settle()
		if d.state == ended && len(d.client) == 0 && len(d.server) == 0 && d.looking == 0 {
			return
		}
		if at := d.deadline(); at.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(at.Sub(now))
		}
	}
}

// givenUp is the Reason of a call whose context ended.
func givenUp(err error) Reason {
	if errors.Is(err, context.DeadlineExceeded) {
		return Reason{Kind: NoAnswer}
	}
	return Reason{Kind: Cancelled}
}

// handle takes one message in.
func (d *Dialog) handle(now time.Time, m message) {
	switch {
	case m.req != nil:
		d.handleRequest(now, m)
	case m.res != nil:
		d.handleResponse(now, m.res)
	case m.lost != nil:
		d.handleLost(now, m)
	}
}

// tick runs whatever timers are due.
func (d *Dialog) tick(now time.Time) {
	for _, t := range slices.Clone(d.client) {
		resend, failed := t.tick(now)
		if resend {
			d.send(t.flow, t.wire)
		}
		if failed {
			d.clientFailed(now, t, Reason{Kind: NoAnswer, Code: 408, Text: "no response"})
		}
	}
	for _, t := range slices.Clone(d.server) {
		resend, failed := t.tick(now)
		if resend {
			d.send(t.flow, t.wire)
		}
		if failed {
			d.neverConfirmed(now)
		}
	}
	if d.heldBye.due(now) {
		d.releaseBye(now)
	}
	d.client = slices.DeleteFunc(d.client, func(t *clientTx) bool { return t.state == terminated })
	d.server = slices.DeleteFunc(d.server, func(t *serverTx) bool { return t.state == terminated })
}

// deadline returns when tick has something to do, or zero.
func (d *Dialog) deadline() time.Time {
	first := d.heldBye.until
	earlier := func(at time.Time) {
		if !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	for _, t := range d.client {
		earlier(t.deadline())
	}
	for _, t := range d.server {
		earlier(t.deadline())
	}
	return first
}

// settle closes settled once the other side knows that the call has ended.
func (d *Dialog) settle() {
	if d.state != ended || d.looking > 0 || d.byeOnACK {
		return
	}
	for _, t := range d.client {
		if t.pending() {
			return
		}
	}
	for _, t := range d.server {
		if t.method == methodInvite && t.state == completed {
			return // our refusal waits for its ACK
		}
	}
	select {
	case <-d.settled:
	default:
		close(d.settled)
	}
}

// end queues the last event. Whatever else happens is between the two agents.
func (d *Dialog) end(now time.Time, r Reason) {
	if d.state == ended {
		return
	}
	if d.state == offered {
		// We ask nothing of this peer any more. A stranger may call and give up
		// thousands of times in the time for which we remember each.
		d.peer = peer{tag: d.peer.tag}
	}
	d.offer = nil
	d.state = ended
	d.agent.transport.carry(d.carrier, nil)
	d.agent.log.Debug("call ended", "call", printable(d.callID), "reason", r.Error())
	d.events.put(Ended{r})
	close(d.over)
	if t := d.asked; t != nil {
		d.asked = nil
		d.respond(now, t, 487) // RFC 3261 §15.1.2
	}
	if d.reoffer != nil {
		d.reoffer.tx.bound(now)
		d.reoffer.result <- reanswer{err: r}
		d.reoffer = nil
	}
}

// shutDown says goodbye once and waits for nothing.
func (d *Dialog) shutDown(now time.Time) {
	switch d.state {
	case dialing:
		d.abandon(now, Reason{Kind: Closing})
	case offered:
		d.respond(now, d.invited, 480)
	case answered, up:
		d.sendBye(now, d.peer, "")
	}
	d.end(now, Reason{Kind: Closing})
}
