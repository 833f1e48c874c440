package engine

import (
	"context"
	"errors"
	"sync/atomic"

	"sotto/engine/audit"
	"sotto/media"
	"sotto/sip"
	"sotto/sip/sdp"
)

// ErrEnded says that the call is over.
var ErrEnded = errors.New("engine: the call has ended")

// Call is one call, made or taken. Its methods may be called from any
// goroutine.
type Call struct {
	peer     string
	incoming bool
	events   *queue
	commands chan func(*leg) // run by the leg goroutine, in order
	fallMute func()          // has no more of our voice leave; does not wait for the leg
	level    atomic.Int32
	final    media.Stats   // written before ended is closed, read after
	ended    chan struct{} // closed when every goroutine of the call has ended
}

func newCall(peer string, incoming bool) *Call {
	return &Call{
		peer: peer, incoming: incoming, events: newQueue(),
		commands: make(chan func(*leg)), fallMute: func() {}, ended: make(chan struct{}),
	}
}

// Next waits for the next event. After Ended it returns io.EOF. Of more than 32 that
// nobody takes, the oldest of those that come again and again are dropped.
func (c *Call) Next(ctx context.Context) (Event, error) { return c.events.next(ctx) }

// Peer is the other side's SIP address, as dialled or as it claims.
func (c *Call) Peer() string { return c.peer }

// Level is how far the call can be trusted now.
func (c *Call) Level() SecurityLevel { return SecurityLevel(c.level.Load()) }

// Answer takes an incoming call. If it can't, because the caller has given up or wants
// what we can't do, the call ends, and Ended says why.
func (c *Call) Answer() error { return c.do(func(l *leg) error { return l.answer() }) }

// Reject declines an incoming call.
func (c *Call) Reject() error {
	return c.do(func(l *leg) error {
		if !c.incoming || l.answered {
			return errors.New("engine: only a ringing incoming call can be rejected")
		}
		l.end(Reason{Kind: Declined, Text: "we declined the call"})
		return nil
	})
}

// SetVerified records what the user says after comparing the SAS by voice:
// matched or not. A SAS that does not match ends the call: somebody stands
// between. The error of such an end says that the peer's record is unchanged, any
// other one that nothing is verified; a disk that does not answer may store it yet.
// It returns when that is in the audit trail, if there is one and the disk takes no
// more than 2 s.
func (c *Call) SetVerified(matched bool) error {
	var trail *audit.Recorder
	err := c.do(func(l *leg) error {
		trail = l.trail
		return l.setVerified(matched)
	})
	_ = onDisk(trail) // no call waits here, and what fails is told as an event
	return err
}

// SetName stores what the user calls the other side, for our identity, the
// phone's ZID and its address together; later calls show it. Another name than
// before, without the SAS having been compared in this call, takes the
// verification away: the users have to compare again. An error means that
// nothing has changed, but for a disk that does not answer: it may have yet.
func (c *Call) SetName(name string) error {
	return c.do(func(l *leg) error { return l.setName(name) })
}

// Enroll trusts the other side as a PBX, which asks for it with NoticeEnrollment:
// from then on it may stand between us and others. Call it only when the user has
// agreed to that notice, in a call whose SAS has been compared.
func (c *Call) Enroll() error { return c.do(func(l *leg) error { return l.enroll() }) }

// Hold asks the other side to send nothing, and sends silence. If ctx ends
// before the other side has answered, the call is hung up, because nobody knows
// any more what the two sides agree on. ErrEnded says that the call has ended
// meanwhile. Any other error means that it goes on as it was, unless Ended follows.
func (c *Call) Hold(ctx context.Context) error { return c.redirect(ctx, sdp.SendOnly, false) }

// Resume ends Hold. Its ctx and its error are as those of Hold.
func (c *Call) Resume(ctx context.Context) error { return c.redirect(ctx, sdp.SendRecv, false) }

// redirect offers another direction to the peer. It waits for the peer here,
// so that the leg goroutine does not. If it is because of the route, it is not
// done when that or the user wants it otherwise by now.
func (c *Call) redirect(ctx context.Context, d sdp.Direction, forRoute bool) error {
	var offer *sdp.Session
	var dialog *sip.Dialog // its methods may be called from here
	err := c.do(func(l *leg) (err error) {
		dialog = l.dialog
		if forRoute && !l.wantsForRoute(d) {
			return errOutdated
		}
		if offer, err = l.reoffer(d); err == nil {
			l.change.forRoute = forRoute
		}
		return err
	})
	if err != nil {
		return err
	}
	answer, err := dialog.Reinvite(ctx, offer.Append(nil))
	told := c.do(func(l *leg) error { return l.reanswered(answer, err) })
	if err == nil || errors.Is(told, ErrEnded) {
		return told
	}
	return err
}

// SendDTMF sends digits in place of voice, one after the other, 0.2 s each, and
// returns while they wait: 0 to 9, *, #, A to D. They wait while the other side
// holds the call, too. The error says what is wrong with the digits, that voice
// does not flow yet (wait for Secured), or that the other side takes no DTMF.
func (c *Call) SendDTMF(digits string) error {
	return c.do(func(l *leg) error { return l.voice.sendDigits(digits) })
}

// Stats is what the media has counted so far, or had when the call ended.
func (c *Call) Stats() (s media.Stats) {
	if c.do(func(l *leg) error { s = l.voice.stats(); return nil }) != nil {
		return c.final
	}
	return s
}

// Close hangs up, or rejects or cancels a call that was not answered, and
// waits until nothing of the call is left. Events can still be read.
func (c *Call) Close() error {
	c.fallMute()
	_ = c.do(func(l *leg) error {
		l.end(l.hangUpReason())
		l.hush()
		return nil
	}) // ErrEnded: it is over already
	<-c.ended
	return nil
}

// do runs f in the leg goroutine and returns what it returns.
func (c *Call) do(f func(*leg) error) error {
	result := make(chan error, 1)
	select {
	case c.commands <- func(l *leg) { result <- f(l) }:
	case <-c.ended:
		return ErrEnded
	}
	select {
	case err := <-result:
		return err
	case <-c.ended:
		select {
		case err := <-result:
			return err
		default:
			return ErrEnded
		}
	}
}
