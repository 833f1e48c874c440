package sip

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// kindOf returns the Kind of an error that must be a Reason.
func kindOf(t testing.TB, err error) Reason {
	t.Helper()
	var r Reason
	if !errors.As(err, &r) {
		t.Fatalf("%v is no Reason", err)
	}
	return r
}

// TestGlare: both ends make an offer at once, again and again. Both are told,
// wait for different times as the RFC says, and in the end both get through.
func TestGlare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{Delay: 20 * time.Millisecond})
		alice, bob := w.agent(aliceAt), w.agent(bobAt)
		defer alice.Close()
		defer bob.Close()
		caller, callee := establish(t, alice, bob)
		met := make(chan int, 2)
		for _, d := range []*Dialog{caller, callee} {
			go func() { met <- insist(t, d, d == caller) }()
			go func() {
				for {
					e, err := d.Next(t.Context())
					if _, ok := e.(Offer); !ok || err != nil {
						return
					}
					d.AnswerOffer(answerSDP)
				}
			}()
		}
		if a, b := <-met, <-met; a != 1 || b != 1 {
			t.Errorf("met %d and %d times", a, b)
		}
		must(t, caller.Bye(t.Context(), ""))
	})
}

// insist offers until it is accepted, and returns how often it met glare. Who
// made the call waits for 2.1 to 4 seconds, the other for 0 to 2, RFC 3261 §14.1.
func insist(t testing.TB, d *Dialog, called bool) (met int) {
	least, most := time.Duration(0), 2*time.Second
	if called {
		least, most = 2100*time.Millisecond, 4*time.Second
	}
	for {
		_, err := d.Reinvite(t.Context(), offerSDP)
		if err == nil {
			return met
		}
		r := kindOf(t, err)
		if r.Kind != Glare || r.Retry < least || r.Retry > most {
			t.Errorf("offer failed: %+v", r)
			return met
		}
		met++
		time.Sleep(r.Retry)
	}
}

// TestOneOfferAtATime: while an offer is open no other is handed over, and
// none of ours is sent.
func TestOneOfferAtATime(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	send := func(method string, cseq int, body []byte) {
		s.send(numbered(within(method, tag, cseq, bodied(body)), 0))
	}
	s.send(numbered(within("ACK", tag, 1, ""), 0))
	next[Confirmed](t, d)

	send("INVITE", 2, describe(20))
	if o := next[Offer](t, d); !bytes.Equal(o.SDP, describe(20)) {
		t.Errorf("offer %q", o.SDP)
	}
	for i, method := range []string{"INVITE", "UPDATE"} {
		send(method, 3+i, describe(21))
		if res := s.expect(method, 500); res.GetHeader("Retry-After") == nil {
			t.Errorf("no Retry-After in\n%s", res)
		}
	}
	if _, err := d.Reinvite(t.Context(), offerSDP); kindOf(t, err).Kind != Glare {
		t.Errorf("our own offer: %v", err)
	}
	must(t, d.AnswerOffer(answerSDP))
	if res := s.expect("INVITE", 200); !bytes.Equal(res.Body(), answerSDP) {
		t.Errorf("answer\n%s", res)
	}
	s.send(numbered(within("ACK", tag, 2, ""), 0))

	send("UPDATE", 5, describe(22))
	next[Offer](t, d)
	must(t, d.RejectOffer(488))
	s.expect("UPDATE", 488)
	send("UPDATE", 6, describe(23))
	next[Offer](t, d)
	must(t, d.AnswerOffer(answerSDP))
	if res := s.expect("UPDATE", 200); !bytes.Equal(res.Body(), answerSDP) || res.Contact() == nil {
		t.Errorf("answer\n%s", res)
	}
	if err := d.AnswerOffer(answerSDP); err != ErrNoOffer {
		t.Errorf("an answer without an offer: %v", err)
	}
}

// TestOfferBeforeAnswer: nothing is offered on a call that is not answered.
func TestOfferBeforeAnswer(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	s.send(invite("", offerSDP))
	d := accept(t, bob)
	must(t, d.Ring())
	tag := toTag(s.expect("INVITE", 180))
	s.send(within("UPDATE", tag, 2, bodied(offerSDP)))
	s.expect("UPDATE", 500)
	if _, err := d.Reinvite(t.Context(), offerSDP); err != ErrState {
		t.Errorf("our own offer: %v", err)
	}
	if err := d.AnswerOffer(answerSDP); err != ErrNoOffer {
		t.Errorf("an answer without an offer: %v", err)
	}
	must(t, d.Answer(answerSDP))
	s.expect("INVITE", 200)
}

// TestOfferTakenBack: a cancelled offer cannot be answered, and until the
// application has noticed there is no other that its answer could hit.
func TestOfferTakenBack(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	s.send(numbered(within("ACK", tag, 1, ""), 0))
	next[Confirmed](t, d)
	offer := numbered(within("INVITE", tag, 2, bodied(describe(20))), 0)
	s.send(offer)
	next[Offer](t, d)
	s.send(replaceMethod(offer, "CANCEL"))
	s.expect("CANCEL", 200)
	s.expect("INVITE", 487)
	s.send(replaceMethod(offer, "ACK"))
	s.send(numbered(within("UPDATE", tag, 3, bodied(describe(21))), 0))
	s.expect("UPDATE", 500)
	if err := d.AnswerOffer(answerSDP); err != ErrNoOffer {
		t.Errorf("answer: %v", err)
	}
	s.send(numbered(within("UPDATE", tag, 4, bodied(describe(22))), 0))
	if o := next[Offer](t, d); !bytes.Equal(o.SDP, describe(22)) {
		t.Errorf("offer %q", o.SDP)
	}
	d.Bye(bounded(t), "") // an open offer does not hold the end up
	s.expect("UPDATE", 487)
	s.request("BYE")
}

// bounded is a context that is over: the script does not answer.
func bounded(t testing.TB) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestReinviteFailures: what each refusal of our offer means for the call.
func TestReinviteFailures(t *testing.T) {
	for code, want := range map[int]struct {
		kind Kind
		lost bool
	}{
		488: {NotAcceptable, false}, 491: {Glare, false}, 500: {Failed, false}, 403: {Forbidden, false},
		481: {Lost, true}, 408: {Lost, true},
	} {
		alice := loopback(t, "alice")
		s, d := scriptedCallee(t, alice)
		done := make(chan error)
		go func() {
			_, err := d.Reinvite(patience(t), describe(20))
			done <- err
		}()
		r := s.request("INVITE")
		if r.CSeq().SeqNo == 0 || tagOf(r.To().Params) != "x" || !bytes.Equal(r.Body(), describe(20)) {
			t.Errorf("%d: re-INVITE\n%s", code, r)
		}
		s.reply(r, 100, "", "", nil)
		s.reply(r, code, "x", "", nil)
		s.request("ACK")
		got := kindOf(t, <-done)
		if got.Kind != want.kind || got.Code != code || (got.Kind == Glare) != (got.Retry >= 2100*time.Millisecond) {
			t.Errorf("%d: %+v", code, got)
		}
		if !want.lost {
			s.send(s.hangUp(r))
			s.expect("BYE", 200)
			ends(t, d, HungUp, true)
			continue
		}
		ends(t, d, Lost, true)
		s.request("BYE")
	}
}

// scriptedCallee has the agent call a script that answers.
func scriptedCallee(t *testing.T, alice *Agent) (*script, *Dialog) {
	t.Helper()
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	s.reply(s.request("INVITE"), 200, "x", "", answerSDP)
	next[Answered](t, d)
	s.request("ACK")
	return s, d
}

// TestMalformedReanswer: an offer of ours with a broken answer ends the call.
func TestMalformedReanswer(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	done := make(chan error)
	go func() {
		_, err := d.Reinvite(patience(t), describe(20))
		done <- err
	}()
	s.reply(s.request("INVITE"), 200, "x", "", []byte("v=0\r\n"))
	s.request("ACK")
	s.request("BYE")
	if r := kindOf(t, <-done); r.Kind != Malformed {
		t.Errorf("offer: %v", r)
	}
	ends(t, d, Malformed, true)
}

// TestReinviteTimeout: an offer without an answer ends the call, after the
// context or else after 32 seconds.
func TestReinviteTimeout(t *testing.T) {
	for _, limit := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, netsim.Config{})
			alice := w.agent(aliceAt)
			defer alice.Close()
			s := w.script(bobAt, alice)
			d := call(t, alice, "sip:bob@"+bobAt.String())
			s.reply(s.request("INVITE"), 200, "x", "", answerSDP)
			next[Answered](t, d)
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if _, err := d.Reinvite(ctx, offerSDP); err == nil {
				t.Error("no error")
			}
			ends(t, d, Lost, false)
			if took := time.Since(start); took != min(limit, timeout) {
				t.Errorf("after %v", took)
			}
			s.request("BYE")
		})
	}
}
