package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

func TestCall(t *testing.T) {
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			alice, bob := loopback(t, "alice"), loopback(t, "bob")
			caller := call(t, alice, uriOf(bob)+";transport="+transport)
			callee := accept(t, bob)
			if got := callee.RemoteIdentity(); got != "sip:alice@sotto.test" {
				t.Errorf("callee sees %s", got)
			}
			if got := caller.RemoteIdentity(); got != "sip:bob@127.0.0.1" {
				t.Errorf("caller sees %s", got)
			}
			if !bytes.Equal(callee.RemoteOffer(), offerSDP) || caller.RemoteOffer() != nil || caller.ID() != callee.ID() {
				t.Errorf("offer %q, IDs %s and %s", callee.RemoteOffer(), caller.ID(), callee.ID())
			}
			must(t, callee.Ring())
			if r := next[Ringing](t, caller); r.Code != 180 || r.SDP != nil {
				t.Errorf("ringing %+v", r)
			}
			must(t, callee.Answer(answerSDP))
			if a := next[Answered](t, caller); !bytes.Equal(a.SDP, answerSDP) {
				t.Errorf("answer %q", a.SDP)
			}
			next[Confirmed](t, callee)
			exchangeOffers(t, caller, callee)
			exchangeOffers(t, callee, caller)
			must(t, caller.Bye(patience(t), `said "goodbye"`))
			ends(t, caller, HungUp, false)
			if r := ends(t, callee, HungUp, true); r.Text != "said 'goodbye'" {
				t.Errorf("text %q", r.Text)
			}
		})
	}
}

// exchangeOffers makes one offer that is taken and one that is not.
func exchangeOffers(t testing.TB, from, to *Dialog) {
	t.Helper()
	for _, code := range []int{200, 488} {
		hold, reply := describe(code), describe(code+1)
		done := make(chan error)
		go func() {
			got, err := from.Reinvite(patience(t), hold)
			if err == nil && !bytes.Equal(got, reply) {
				err = fmt.Errorf("answer %q", got)
			}
			done <- err
		}()
		if o := next[Offer](t, to); !bytes.Equal(o.SDP, hold) {
			t.Errorf("offer %q", o.SDP)
		}
		if code == 200 {
			must(t, to.AnswerOffer(reply))
			must(t, <-done)
			continue
		}
		must(t, to.RejectOffer(code))
		var r Reason
		if err := <-done; !errors.As(err, &r) || r.Kind != NotAcceptable || !r.Remote {
			t.Errorf("refused offer: %v", err)
		}
	}
}

func TestCalleeHangsUp(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller, callee := establish(t, alice, bob)
	must(t, callee.Bye(patience(t), ""))
	ends(t, callee, HungUp, false)
	ends(t, caller, HungUp, true)
}

func TestBothHangUp(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller, callee := establish(t, alice, bob)
	done := make(chan error)
	go func() { done <- caller.Bye(patience(t), "") }()
	must(t, callee.Bye(patience(t), ""))
	must(t, <-done)
	next[Ended](t, caller)
	next[Ended](t, callee)
}

func TestIPv6(t *testing.T) {
	alice, err := New(Config{Bind: "[::1]:0"})
	must(t, err)
	defer alice.Close()
	bob, err := New(Config{Bind: "[::1]:0"})
	must(t, err)
	defer bob.Close()
	caller, callee := establish(t, alice, bob)
	if got := callee.RemoteIdentity(); got != "sip:anonymous@[::1]" {
		t.Errorf("callee sees %s", got)
	}
	must(t, callee.Bye(patience(t), ""))
	ends(t, caller, HungUp, true)
}

// TestBadNetwork makes whole calls over a network that loses, doubles and
// swaps datagrams. Whatever happens, both ends see the same story in order.
func TestBadNetwork(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, netsim.Config{
				Seed: uint64(seed), Loss: 0.2, Duplicate: 0.2, Reorder: 0.3,
				Delay: 30 * time.Millisecond, Jitter: 100 * time.Millisecond,
			})
			alice, bob := w.agent(aliceAt), w.agent(bobAt)
			defer alice.Close()
			defer bob.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			story := make(chan string)
			go func() { story <- asCallee(ctx, bob) }()
			caller := asCaller(ctx, alice, uriOf(bob))
			if callee := <-story; caller != "answered held ended" || callee != "confirmed held ended" {
				t.Errorf("seed %d: caller %s; callee %s", seed, caller, callee)
			}
		})
	}
}

// asCaller makes a call, holds it and hangs up. It tells what it saw.
func asCaller(ctx context.Context, a *Agent, uri string) string {
	d, err := a.Invite(ctx, uri, offerSDP)
	if err != nil {
		return err.Error()
	}
	var story []string
	for {
		e, err := d.Next(ctx)
		if err != nil {
			return strings.Join(append(story, err.Error()), " ")
		}
		switch e := e.(type) {
		case Ringing:
		case Answered:
			story = append(story, "answered")
			if _, err := d.Reinvite(ctx, describe(9)); err != nil {
				return err.Error()
			}
			story = append(story, "held")
			d.Bye(ctx, "")
		case Ended:
			return strings.Join(append(story, "ended"), " ")
		default:
			return fmt.Sprintf("%v %T", story, e)
		}
	}
}

// asCallee takes a call and does what the other side wants.
func asCallee(ctx context.Context, a *Agent) string {
	d, err := a.Accept(ctx)
	if err != nil {
		return err.Error()
	}
	d.Ring()
	d.Answer(answerSDP)
	var story []string
	for {
		e, err := d.Next(ctx)
		if err != nil {
			return strings.Join(append(story, err.Error()), " ")
		}
		switch e := e.(type) {
		case Confirmed:
			story = append(story, "confirmed")
		case Offer:
			story = append(story, "held")
			d.AnswerOffer(describe(10))
		case Ended:
			return strings.Join(append(story, "ended"), " ")
		default:
			return fmt.Sprintf("%v %T", story, e)
		}
	}
}
