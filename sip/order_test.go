package sip

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// answeredCall calls the agent from the script and returns the agent's end
// and its tag. The ACK is still owed.
func answeredCall(t *testing.T, s *script, bob *Agent, round int) (*Dialog, string) {
	t.Helper()
	s.send(numbered(invite("", offerSDP), round))
	d := accept(t, bob)
	must(t, d.Answer(answerSDP))
	return d, toTag(s.expect("INVITE", 200))
}

// numbered gives a message the Call-ID and branch of one round.
func numbered(text string, round int) string {
	return strings.NewReplacer("call-of-script", fmt.Sprintf("call-%d", round), "z9hG4bK", fmt.Sprintf("z9hG4bK%d-", round)).Replace(text)
}

// TestByeBehindACK: a BYE that comes right behind its ACK is handled after it,
// every time, on a datagram socket as on a connection.
func TestByeBehindACK(t *testing.T) {
	const rounds = 500
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	for round := range rounds {
		d, tag := answeredCall(t, s, bob, round)
		s.send(numbered(within("ACK", tag, 1, ""), round))
		s.send(numbered(within("BYE", tag, 2, ""), round))
		next[Confirmed](t, d)
		ends(t, d, HungUp, true)
		s.expect("BYE", 200)
	}
}

// TestBurst: a burst of requests is handled in the order of its arrival: one
// that overtook another would find a CSeq that is too high, and get 500.
func TestBurst(t *testing.T) {
	const rounds, burst = 100, 20
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	for round := range rounds {
		d, tag := answeredCall(t, s, bob, round)
		s.send(numbered(within("ACK", tag, 1, ""), round))
		for i := range burst {
			s.send(numbered(within("OPTIONS", tag, 2+i, ""), round))
		}
		s.send(numbered(within("BYE", tag, 2+burst, ""), round))
		next[Confirmed](t, d)
		for i := range burst {
			if seq := s.expect("OPTIONS", 200).CSeq().SeqNo; seq != uint32(2+i) {
				t.Fatalf("answered %d instead of %d", seq, 2+i)
			}
		}
		s.expect("BYE", 200)
		ends(t, d, HungUp, true)
	}
}

// TestByeBehindFlood: a peer that has asked too much gets no answer, and can
// still hang up.
func TestByeBehindFlood(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	s.send(numbered(within("ACK", tag, 1, ""), 0))
	next[Confirmed](t, d)
	seq := 1
	ask := func() {
		seq++
		s.send(numbered(within("OPTIONS", tag, seq, ""), 0))
	}
	for range maxTransactions - keptForTheEnd - 1 { // one is the INVITE
		ask()
		s.expect("OPTIONS", 200)
	}
	for range 20 { // too many
		ask()
	}
	s.send(numbered(within("BYE", tag, seq+1, ""), 0))
	if m := s.read(); m.CSeq().MethodName != "BYE" {
		t.Errorf("got\n%s", m)
	}
	ends(t, d, HungUp, true)
}

func TestByeBehindACKOnOneStream(t *testing.T) {
	const rounds = 200
	bob := loopback(t, "bob")
	s, _ := dialStream(t, bob)
	tcp := func(text string) []byte { return s.expand(overTCP(text)) }
	for round := range rounds {
		s.write(tcp(numbered(invite("", offerSDP), round)))
		d := accept(t, bob)
		must(t, d.Answer(answerSDP))
		tag := toTag(s.expect("INVITE", 200))
		both := append(tcp(numbered(within("ACK", tag, 1, ""), round)), tcp(numbered(within("BYE", tag, 2, ""), round))...)
		s.write(both)
		next[Confirmed](t, d)
		ends(t, d, HungUp, true)
		s.expect("BYE", 200)
	}
}

// TestByeOvertakesACK swaps the two on the wire, every time: the agent still
// handles the ACK first. Only a BYE whose ACK never comes is handled alone.
func TestByeOvertakesACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{Delay: time.Millisecond})
		bob := w.agent(bobAt)
		defer bob.Close()
		for round := range 300 {
			s := w.script(netip.AddrPortFrom(aliceAt.Addr(), uint16(10000+round)), bob)
			d, tag := answeredCall(t, s, bob, round)
			s.send(numbered(within("BYE", tag, 2, ""), round))
			sent := time.Now()
			if round%3 != 0 {
				time.Sleep(time.Duration(round) * time.Millisecond)
				s.send(numbered(within("ACK", tag, 1, ""), round))
				next[Confirmed](t, d)
			}
			ends(t, d, HungUp, true)
			s.expect("BYE", 200)
			if waited := time.Since(sent) >= timerT1; waited != (round%3 == 0) {
				t.Errorf("round %d: after %v", round, time.Since(sent))
			}
		}
	})
}
