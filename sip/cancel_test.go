package sip

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/internal/netsim"
)

func TestCancelWhileRinging(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller := call(t, alice, uriOf(bob))
	callee := accept(t, bob)
	must(t, callee.Ring())
	next[Ringing](t, caller)
	must(t, caller.Bye(patience(t), ""))
	ends(t, caller, Cancelled, false)
	ends(t, callee, Cancelled, true)
	if err := callee.Answer(answerSDP); err != ErrState && err != ErrEnded {
		t.Errorf("answer to a call that was cancelled: %v", err)
	}
	must(t, callee.Bye(patience(t), ""))
}

// TestCancelBeforeAccept: a call given up before anybody looked at it is not
// handed out.
func TestCancelBeforeAccept(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	must(t, call(t, alice, uriOf(bob)).Bye(patience(t), ""))
	caller := call(t, alice, uriOf(bob))
	callee := accept(t, bob)
	if callee.ID() != caller.ID() {
		t.Error("a call that was cancelled was handed out")
	}
}

func TestCancelByContext(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	ctx, cancel := context.WithCancel(t.Context())
	caller, err := alice.Invite(ctx, uriOf(bob), offerSDP)
	must(t, err)
	callee := accept(t, bob)
	must(t, callee.Ring())
	next[Ringing](t, caller)
	cancel()
	ends(t, caller, Cancelled, false)
	ends(t, callee, Cancelled, true)
}

// TestContextAfterAnswer: once answered, a call outlives its context.
func TestContextAfterAnswer(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	ctx, cancel := context.WithCancel(t.Context())
	caller, err := alice.Invite(ctx, uriOf(bob), offerSDP)
	must(t, err)
	callee := accept(t, bob)
	must(t, callee.Answer(answerSDP))
	next[Answered](t, caller)
	next[Confirmed](t, callee)
	cancel()
	exchangeOffers(t, caller, callee)
}

// TestNoCancelBeforeResponse: CANCEL waits for a sign of life, RFC 3261 §9.1.
func TestNoCancelBeforeResponse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		alice := w.agent(aliceAt)
		defer alice.Close()
		s := w.script(bobAt, alice)
		d := call(t, alice, "sip:bob@"+bobAt.String())
		r := s.request("INVITE")
		done := make(chan error)
		go func() { done <- d.Bye(t.Context(), "") }()
		ends(t, d, Cancelled, false)
		for range 3 {
			s.request("INVITE") // repeated, not cancelled
		}
		s.reply(r, 100, "", "", nil)
		cancel := s.request("CANCEL")
		if cancel.Via().String() != r.Via().String() || cancel.Recipient.String() != r.Recipient.String() {
			t.Errorf("CANCEL\n%s\nfor\n%s", cancel, r)
		}
		s.reply(cancel, 200, "x", "", nil)
		s.reply(r, 487, "x", "", nil)
		s.request("ACK")
		must(t, <-done)
	})
}

// TestAnswerAfterCancel: an answer that crosses our CANCEL is confirmed and
// hung up on at once.
func TestAnswerAfterCancel(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.reply(r, 180, "x", "", nil)
	next[Ringing](t, d)
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "") }()
	ends(t, d, Cancelled, false)
	s.reply(s.request("CANCEL"), 200, "x", "", nil)
	s.reply(r, 200, "x", "", answerSDP)
	s.request("ACK")
	s.reply(s.request("BYE"), 200, "x", "", nil)
	must(t, <-done)
}

// TestFork: the first phone that answers has the call, the others are hung up
// on, and each repeated answer gets its own ACK again.
func TestFork(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.reply(r, 183, "one", "", answerSDP)
	s.reply(r, 183, "two", "", []byte("nonsense"))
	if e := next[Ringing](t, d); e.Code != 183 || e.SDP == nil {
		t.Errorf("ringing %+v", e)
	}
	if e := next[Ringing](t, d); e.SDP != nil {
		t.Errorf("a broken preview was handed out: %+v", e)
	}
	for range 2 {
		s.reply(r, 200, "one", "", answerSDP)
		if tag := tagOf(s.request("ACK").To().Params); tag != "one" {
			t.Errorf("ACK to %s", tag)
		}
	}
	next[Answered](t, d)
	s.reply(r, 200, "two", "", answerSDP)
	if tag := tagOf(s.request("ACK").To().Params); tag != "two" {
		t.Errorf("ACK to %s", tag)
	}
	bye := s.request("BYE")
	if tag := tagOf(bye.To().Params); tag != "two" {
		t.Errorf("BYE to %s", tag)
	}
	s.reply(bye, 200, "two", "", nil)
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "") }()
	if bye = s.request("BYE"); tagOf(bye.To().Params) != "one" {
		t.Errorf("BYE\n%s", bye)
	}
	s.reply(bye, 200, "one", "", nil)
	must(t, <-done)
	ends(t, d, HungUp, false)
}

// TestTooManyForks: phones that answer one after the other, or one that claims
// to be many, are not remembered without bound.
func TestTooManyForks(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	answers := func(phone int) { s.reply(r, 200, fmt.Sprintf("phone%d", phone), "", answerSDP) }
	for phone := range maxForks {
		answers(phone)
		s.request("ACK")
	}
	answers(maxForks)
	answers(0)
	if tag := tagOf(s.request("ACK").To().Params); tag != "phone0" {
		t.Errorf("ACK to %s", tag)
	}
}

// TestNoACK: an answer that is never confirmed ends the call after 32 seconds,
// with a BYE in case the caller hears it.
func TestNoACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		s := w.script(aliceAt, bob)
		start := time.Now()
		d, _ := answeredCall(t, s, bob, 0)
		repeats := 0
		for {
			m := s.read()
			if m.CSeq().MethodName == "BYE" {
				break
			}
			repeats++
		}
		if took := time.Since(start); took != timeout || repeats != 10 {
			t.Errorf("gave up after %v and %d repetitions", took, repeats)
		}
		ends(t, d, Lost, false)
	})
}

// TestByeBeforeACK: our own BYE waits for the ACK of our answer, RFC 3261 §15.
func TestByeBeforeACK(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "wrong number") }()
	ends(t, d, HungUp, false)
	s.send(numbered(within("ACK", tag, 1, ""), 0))
	bye := s.request("BYE")
	if got := reasonText(bye); got != "wrong number" {
		t.Errorf("BYE says %q", got)
	}
	s.reply(bye, 200, "", "", nil)
	must(t, <-done)
}

// TestByeBeforeAnswer: a caller may also end an early dialog by BYE.
func TestByeBeforeAnswer(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	s.send(invite("", offerSDP))
	d := accept(t, bob)
	must(t, d.Ring())
	tag := toTag(s.expect("INVITE", 180))
	s.send(within("BYE", tag, 2, ""))
	s.expect("BYE", 200)
	s.expect("INVITE", 487)
	ends(t, d, Cancelled, true)
}

// TestByeWithoutACK: if that ACK never comes, the BYE goes out all the same.
func TestByeWithoutACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		s := w.script(aliceAt, bob)
		start := time.Now()
		d, _ := answeredCall(t, s, bob, 0)
		done := make(chan error)
		go func() { done <- d.Bye(t.Context(), "") }()
		ends(t, d, HungUp, false)
		s.reply(s.request("BYE"), 200, "", "", nil)
		must(t, <-done)
		if took := time.Since(start); took != timeout {
			t.Errorf("after %v", took)
		}
	})
}

// TestCancelWhileLookingUp: a call given up before its way was known is never
// sent.
func TestCancelWhileLookingUp(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	s := newScript(t, bob)
	looking, found := make(chan bool), make(chan bool)
	alice.resolver = func(context.Context, string) ([]netip.Addr, error) {
		looking <- true
		<-found
		return []netip.Addr{s.at.Addr()}, nil
	}
	d := call(t, alice, fmt.Sprintf("sip:bob@slow.test:%d", s.at.Port()))
	<-looking
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "") }()
	ends(t, d, Cancelled, false)
	close(found)
	must(t, <-done)
	s.to = alice.Addr()
	s.send(other("OPTIONS"))
	if m, ok := s.read().(*sip.Response); !ok {
		t.Errorf("the script got\n%s", m)
	}
}

// TestByeFromCallee: who has not answered cannot hang up, only refuse.
func TestByeFromCallee(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.send(s.hangUp(r))
	s.expect("BYE", 481)
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
}
