package sip

import (
	"bytes"
	"context"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// TestCloseTellsPeers closes an agent in each state of a call: the other side
// learns of it at once, every waiting method returns, and no goroutine stays.
func TestCloseTellsPeers(t *testing.T) {
	steps := []struct {
		name string
		do   func(t *testing.T, caller, callee *Dialog)
	}{
		{"ringing", func(t *testing.T, caller, callee *Dialog) {
			must(t, callee.Ring())
			next[Ringing](t, caller)
		}},
		{"answered", func(t *testing.T, caller, callee *Dialog) { must(t, callee.Answer(answerSDP)) }},
		{"up", func(t *testing.T, caller, callee *Dialog) {
			must(t, callee.Answer(answerSDP))
			next[Answered](t, caller)
			next[Confirmed](t, callee)
		}},
	}
	for _, step := range steps {
		for _, callerCloses := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, netsim.Config{Delay: time.Millisecond})
				alice, bob := w.agent(aliceAt), w.agent(bobAt)
				caller := call(t, alice, uriOf(bob))
				callee := accept(t, bob)
				step.do(t, caller, callee)
				first, second, other := alice, bob, callee
				if !callerCloses {
					first, second, other = bob, alice, caller
				}
				must(t, first.Close())
				if _, err := first.Invite(t.Context(), uriOf(second), offerSDP); err != ErrClosed {
					t.Errorf("%s: call of a closed agent: %v", step.name, err)
				}
				if _, err := first.Accept(t.Context()); err != ErrClosed {
					t.Errorf("%s: accept of a closed agent: %v", step.name, err)
				}
				for {
					e, err := other.Next(t.Context())
					must(t, err)
					if _, over := e.(Ended); over {
						break
					}
				}
				must(t, second.Close())
				must(t, second.Close()) // twice does no harm
			})
		}
	}
}

// TestCloseWakes: Close ends what waits on a dialog.
func TestCloseWakes(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	done := make(chan error)
	go func() {
		_, err := d.Reinvite(t.Context(), offerSDP)
		done <- err
	}()
	s.request("INVITE")
	must(t, alice.Close())
	if r := kindOf(t, <-done); r.Kind != Closing {
		t.Errorf("offer: %v", r)
	}
	s.request("BYE")
	ends(t, d, Closing, false)
	if err := d.Ring(); err != ErrEnded {
		t.Errorf("ring: %v", err)
	}
	must(t, d.Bye(t.Context(), ""))
}

// TestCloseLeavesNothing: on real sockets too, no goroutine outlives Close.
func TestCloseLeavesNothing(t *testing.T) {
	for range 20 {
		alice, bob := loopback(t, "alice"), loopback(t, "bob")
		establish(t, alice, bob)
		call(t, alice, uriOf(bob)+";transport=tcp")
		alice.resolver = func(ctx context.Context, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		call(t, alice, "sip:bob@slow.test") // still looking up
		must(t, alice.Close())
		must(t, bob.Close())
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, owner := range []string{"sip.(*transport)", "sip.(*Agent)", "sip.(*Dialog)"} {
			if bytes.Contains(stacks, []byte(owner)) {
				t.Fatalf("a goroutine is left:\n%s", stacks)
			}
		}
	}
}
