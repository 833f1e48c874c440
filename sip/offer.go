package sip

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/sip/sdp"
)

// reoffer is an offer of ours within the call that waits for its answer.
type reoffer struct {
	tx     *clientTx
	result chan reanswer // takes one without blocking
}

type reanswer struct {
	sdp []byte
	err error
}

// Reinvite offers a change of the call, such as hold, and waits for the answer
// to it. An error that is a Reason means that the call goes on as it was, with
// Kind Glare that the other side made an offer too: wait for as long as Retry
// says, then make a fresh offer. If the call is lost over it, Ended follows.
// If ctx ends first the call is hung up, for nobody knows any more what the
// two sides agree on.
func (d *Dialog) Reinvite(ctx context.Context, offer []byte) ([]byte, error) {
	if _, err := sdp.Parse(offer); err != nil {
		return nil, err
	}
	result := make(chan reanswer, 1)
	err := d.do(func(now time.Time) error {
		switch {
		case d.state != up && d.state != answered:
			return ErrState
		case d.offering():
			return Reason{Kind: Glare, Retry: timerT1}
		}
		d.seq++
		t := d.newClient(methodInvite, d.seq, d.peer)
		d.reoffer = &reoffer{t, result}
		d.submit(now, t, d.newOffer(t, offer))
		return nil
	})
	if err != nil {
		return nil, err
	}
	select {
	case r := <-result:
		return r.sdp, r.err
	case <-ctx.Done():
		err := d.do(func(now time.Time) error {
			if d.reoffer == nil || d.reoffer.result != result {
				return errAnswered
			}
			d.loseCall(now, Reason{Text: "an offer was not answered in time"})
			return nil
		})
		if errors.Is(err, errAnswered) { // at that moment, and the other side goes by it
			r := <-result
			return r.sdp, r.err
		}
		return nil, errors.Join(ctx.Err(), err)
	}
}

var errAnswered = errors.New("sip: the offer was answered")

// offering reports whether an offer is open, or an INVITE under way, in either
// direction: then there must be no other, RFC 3261 §14.1.
func (d *Dialog) offering() bool {
	return d.reoffer != nil || d.asked != nil || d.owed ||
		slices.ContainsFunc(d.server, func(t *serverTx) bool {
			return t.method == methodInvite && (t.state == proceeding || t.state == accepted)
		})
}

// AnswerOffer accepts the offer of the last Offer event. It returns ErrNoOffer
// if the other side has taken the offer back: then nothing changes.
func (d *Dialog) AnswerOffer(answer []byte) error {
	if _, err := sdp.Parse(answer); err != nil {
		return err
	}
	return d.react(200, answer)
}

// RejectOffer refuses the offer of the last Offer event with a failure code,
// usually 488. The call goes on as it was.
func (d *Dialog) RejectOffer(code int) error {
	if code < 400 || code > 699 {
		return ErrState
	}
	return d.react(code, nil)
}

func (d *Dialog) react(code int, answer []byte) error {
	return d.do(func(now time.Time) error {
		t := d.asked
		d.asked, d.owed = nil, false
		if t == nil {
			return ErrNoOffer
		}
		if code == 200 {
			d.agree(now, t, answer)
		} else {
			d.respond(now, t, code)
		}
		return nil
	})
}

// handleOffer takes a re-INVITE or an UPDATE, RFC 3261 §14.2 and RFC 3311 §5.2.
func (d *Dialog) handleOffer(now time.Time, t *serverTx, r *sip.Request) {
	if r.Method == sip.UPDATE && len(r.Body()) == 0 {
		d.refresh(r.Contact())
		d.respond(now, t, 200)
		return
	}
	if code, why := checkOffer(r); code != 0 {
		d.respond(now, t, code, why...)
		return
	}
	switch {
	case d.state == dialing || d.reoffer != nil:
		d.respond(now, t, 491)
		return
	case d.state == offered || d.owed:
		d.respond(now, t, 500, retryAfter())
		return
	}
	if d.state == answered {
		d.answerArrived(now) // who offers again has our answer; its ACK got lost
	}
	d.refresh(r.Contact())
	if r.Method == sip.INVITE {
		d.respond(now, t, 100)
	}
	d.asked, d.owed = t, true
	d.events.put(Offer{slices.Clone(r.Body())})
}

// refresh notes where the peer is reached from now on, RFC 3261 §12.2.
func (d *Dialog) refresh(c *sip.ContactHeader) {
	if c == nil {
		return
	}
	if _, err := targetOf(c.Address, d.tcp); err == nil {
		d.peer.target = c.Address
	}
}

// reofferResponse takes a response to an offer of ours.
func (d *Dialog) reofferResponse(now time.Time, t *clientTx, r *sip.Response) {
	code := r.StatusCode
	if code < 200 {
		if d.state == ended {
			t.bound(now)
		}
		return
	}
	if code < 300 {
		d.reofferAccepted(now, t, r)
		return
	}
	if d.reoffer == nil || d.reoffer.tx != t {
		return
	}
	reason := statusReason(code, r.Reason)
	if code == 408 || code == 481 {
		d.loseCall(now, reason)
		return
	}
	if code == 491 {
		reason.Retry = d.glarePause()
	}
	d.reoffer.result <- reanswer{err: reason}
	d.reoffer = nil
}

// reofferAccepted confirms the answer to an offer of ours and hands it over.
func (d *Dialog) reofferAccepted(now time.Time, t *clientTx, r *sip.Response) {
	if d.confirmAgain(t, d.peer.tag) {
		return
	}
	waiting := d.reoffer != nil && d.reoffer.tx == t
	if waiting {
		d.refresh(r.Contact())
	}
	d.confirm(now, t, d.peer, func(time.Time) {})
	if !waiting {
		return // hung up meanwhile
	}
	answer, err := answerOf(r)
	if answer == nil {
		d.sendBye(now, d.peer, "malformed session description")
		d.end(now, malformedAnswer(err))
		return
	}
	d.reoffer.result <- reanswer{sdp: answer}
	d.reoffer = nil
}

// glarePause is how long to wait after a 491, RFC 3261 §14.1: whoever made the
// call waits longer, so that the two do not meet again.
func (d *Dialog) glarePause() time.Duration {
	if d.branch == "" {
		return 2100*time.Millisecond + time.Duration(rand.IntN(190))*10*time.Millisecond
	}
	return time.Duration(rand.IntN(200)) * 10 * time.Millisecond
}
