package sip

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// finishes waits until nothing is left of a call that has ended. A peer that
// could make it stay would in the end leave no room for others.
func finishes(t *testing.T, d *Dialog) {
	t.Helper()
	select {
	case <-d.finished:
	case <-time.After(4 * timeout):
		t.Error("the call has ended and its dialog stays")
	}
}

// scripted has an agent and a script that it calls, in virtual time.
func scripted(t *testing.T) (*script, *Dialog) {
	w := newWorld(t, netsim.Config{})
	alice := w.agent(aliceAt)
	t.Cleanup(func() { alice.Close() })
	s := w.script(bobAt, alice)
	d := call(t, alice, "sip:bob@"+bobAt.String())
	s.reply(s.request("INVITE"), 200, "x", "", answerSDP)
	next[Answered](t, d)
	return s, d
}

// TestByeTwiceBeforeACK: of two BYEs that come before the ACK neither is
// forgotten.
func TestByeTwiceBeforeACK(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		s := w.script(aliceAt, bob)
		d, tag := answeredCall(t, s, bob, 0)
		s.send(numbered(within("BYE", tag, 2, ""), 0))
		s.send(numbered(within("BYE", tag, 3, ""), 0))
		ends(t, d, HungUp, true)
		finishes(t, d)
	})
}

// TestOfferLeftOpen: a peer that only says that it works on our offer, before
// or after the call has ended, does not keep the dialog.
func TestOfferLeftOpen(t *testing.T) {
	for _, early := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s, d := scripted(t)
			done := make(chan error, 1)
			go func() {
				_, err := d.Reinvite(t.Context(), offerSDP)
				done <- err
			}()
			r := s.request("INVITE")
			if early {
				s.reply(r, 100, "", "", nil)
			}
			s.send(s.hangUp(r))
			s.expect("BYE", 200)
			if r := kindOf(t, <-done); r.Kind != HungUp {
				t.Errorf("offer: %v", r)
			}
			if !early {
				s.reply(r, 100, "", "", nil)
			}
			ends(t, d, HungUp, true)
			finishes(t, d)
		})
	}
}

// TestAskedAfterTheEnd: a peer that goes on asking does not keep the dialog of
// a call that has ended.
func TestAskedAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		s := w.script(aliceAt, bob)
		d, tag := answeredCall(t, s, bob, 0)
		s.send(numbered(within("ACK", tag, 1, ""), 0))
		next[Confirmed](t, d)
		s.send(numbered(within("BYE", tag, 2, ""), 0))
		s.expect("BYE", 200)
		ends(t, d, HungUp, true)
		for i, method := range []string{"OPTIONS", "CANCEL", "INVITE", "UPDATE", "OPTIONS", "CANCEL"} {
			time.Sleep(timeout - time.Second)
			s.send(numbered(within(method, tag, 3+i, ""), 0))
			s.expect(method, 481)
		}
		select {
		case <-d.finished:
		default:
			t.Error("the call has ended and its dialog stays")
		}
	})
}

// TestByesCross: both hang up before the ACK of our answer has come. Then there
// is nothing more to wait for.
func TestByesCross(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		s := w.script(aliceAt, bob)
		d, tag := answeredCall(t, s, bob, 0)
		start, done := time.Now(), make(chan error)
		go func() { done <- d.Bye(t.Context(), "") }()
		ends(t, d, HungUp, false)
		s.send(numbered(within("BYE", tag, 2, ""), 0))
		s.expect("BYE", 200)
		must(t, <-done)
		if took := time.Since(start); took > timerT1 {
			t.Errorf("Bye returned after %v", took)
		}
	})
}

// TestForksCount: each phone that rings counts its requests itself. What one
// has said before another answers is not held against that one.
func TestForksCount(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.reply(r, 180, "other", "", nil)
	next[Ringing](t, d)
	bye := s.hangUp(r)
	early := strings.NewReplacer("tag=x\n", "tag=other\n", "1 BYE", "100 OPTIONS", "BYE sip", "OPTIONS sip", "z9hG4bKbye", "z9hG4bKearly")
	s.send(early.Replace(bye))
	s.expect("OPTIONS", 200)
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
	s.send(bye)
	s.expect("BYE", 200)
	ends(t, d, HungUp, true)
}

// TestLostLeavesRoom: the news of connections that break, which anybody can
// make and break, never takes the place of a message.
func TestLostLeavesRoom(t *testing.T) {
	bob := loopback(t, "bob")
	d := newDialog(bob, "call", "tag") // nobody works its queue off
	bob.mu.Lock()
	bob.dialogs[d.key()] = d
	bob.mu.Unlock()
	for range 2 * inboxSize {
		bob.handle(message{lost: errBroken, from: flow{peer: netip.MustParseAddrPort("192.0.2.7:5060")}})
	}
	if free := cap(d.inbox) - len(d.inbox); free < inboxSize/2 {
		t.Errorf("room for %d messages is left", free)
	}
}

// lateContext is over by the time it is looked at, after something else has
// happened.
type lateContext struct {
	context.Context
	before func()
}

func (c lateContext) Done() <-chan struct{} {
	c.before()
	return c.Context.Done()
}

// TestAnswerAsContextEnds: an answer that has come is not thrown away because
// the context ends at that moment: the other side goes by it.
func TestAnswerAsContextEnds(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	for range 20 { // select picks at random
		ctx := lateContext{bounded(t), func() {
			s.reply(s.request("INVITE"), 200, "x", "", answerSDP)
			s.request("ACK")
			must(t, d.do(func(time.Time) error { return nil })) // it is handled
		}}
		if answer, err := d.Reinvite(ctx, offerSDP); err != nil || !bytes.Equal(answer, answerSDP) {
			t.Fatalf("accepted: %q, %v", answer, err)
		}
	}
}

// TestCancelTooLate: a CANCEL that crosses our answer changes nothing.
func TestCancelTooLate(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	s.send(numbered(replaceMethod(invite("", offerSDP), "CANCEL"), 0))
	s.expect("CANCEL", 200)
	s.send(numbered(within("ACK", tag, 1, ""), 0))
	next[Confirmed](t, d)
	s.send(numbered(within("BYE", tag, 2, ""), 0))
	s.expect("BYE", 200)
	ends(t, d, HungUp, true)
}

// TestOfferWhileItRings: nobody changes a call that we have made and that is not
// answered.
func TestOfferWhileItRings(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.send(asUpdate.Replace(s.hangUp(r)) + bodied(offerSDP))
	s.expect("UPDATE", 491)
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
}

// TestAnswerMoves: the answer to an offer of ours says where the other side is
// from then on.
func TestAnswerMoves(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	moved := newScript(t, alice)
	done := make(chan error)
	go func() {
		_, err := d.Reinvite(patience(t), offerSDP)
		done <- err
	}()
	moved.reply(s.request("INVITE"), 200, "x", "", answerSDP)
	moved.request("ACK")
	must(t, <-done)
}

// TestAnswerToOfferAfterBye: an answer that crosses our BYE is confirmed, as
// often as it comes.
func TestAnswerToOfferAfterBye(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	done := make(chan error)
	go func() {
		_, err := d.Reinvite(patience(t), offerSDP)
		done <- err
	}()
	r := s.request("INVITE")
	go func() { done <- d.Bye(patience(t), "") }()
	bye := s.request("BYE")
	for range 3 {
		s.reply(r, 200, "x", "", answerSDP)
		s.request("ACK")
	}
	s.reply(bye, 200, "x", "", nil)
	for range 2 {
		if err := <-done; err != nil && kindOf(t, err).Kind != HungUp {
			t.Error(err)
		}
	}
}

// TestRefusedElsewhere: that one peer cannot be reached says nothing of another
// who has not answered yet.
func TestRefusedElsewhere(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	nobody := loopback(t, "nobody")
	nobody.Close()
	ends(t, call(t, alice, uriOf(nobody)), Refused, false)
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
}

// TestRingsForEver: a peer that says again and again that it rings fills no
// memory where nobody reads it.
func TestRingsForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		alice := w.agent(aliceAt)
		defer alice.Close()
		s := w.script(bobAt, alice)
		d := call(t, alice, "sip:bob@"+bobAt.String())
		r := s.request("INVITE")
		for range 2 * maxRinging {
			s.reply(r, 180, "x", "", nil)
			synctest.Wait()
		}
		s.reply(r, 486, "x", "", nil)
		s.request("ACK")
		for range maxRinging {
			next[Ringing](t, d)
		}
		ends(t, d, Busy, true)
	})
}

// TestForgedUnreachable: an ICMP error, which anybody can forge, does not fail
// an offer within a call, and with it the call.
func TestForgedUnreachable(t *testing.T) {
	alice := loopback(t, "alice")
	s, d := scriptedCallee(t, alice)
	done := make(chan error)
	go func() {
		_, err := d.Reinvite(patience(t), offerSDP)
		done <- err
	}()
	r := s.request("INVITE")
	for _, forged := range []error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH} {
		alice.handle(message{lost: forged, from: flow{peer: s.at}})
	}
	s.reply(r, 200, "x", "", answerSDP)
	must(t, <-done)
	s.request("ACK")
}

// unreachableConn is a socket that fails as if ICMP errors arrived all the time.
type unreachableConn struct {
	packetConn
	fails atomic.Bool
}

func (c *unreachableConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	if c.fails.Load() {
		return 0, syscall.ECONNREFUSED
	}
	return c.packetConn.WriteToUDPAddrPort(b, to)
}

// TestForgedUnreachableOften: they do not fail it either where they come so
// often that nothing can be sent. An offer that is sent later is still answered.
func TestForgedUnreachableOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := scripted(t)
		s.request("ACK")
		udp := &unreachableConn{packetConn: d.agent.transport.udp}
		must(t, d.do(func(time.Time) error { d.agent.transport.udp = udp; return nil }))
		udp.fails.Store(true)
		done := make(chan error)
		go func() {
			_, err := d.Reinvite(t.Context(), offerSDP)
			done <- err
		}()
		synctest.Wait()
		udp.fails.Store(false)
		s.reply(s.request("INVITE"), 200, "x", "", answerSDP)
		must(t, <-done)
	})
}

// asUpdate turns a BYE into an UPDATE. A Call-ID may have the same letters.
var asUpdate = strings.NewReplacer("BYE sip", "UPDATE sip", "1 BYE", "1 UPDATE")

// TestOfferFindsNoWay: an offer that could not be sent fails alone. The call
// is as it was on both sides.
func TestOfferFindsNoWay(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	alice.resolver = func(_ context.Context, host string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Name: host, IsTimeout: true}
	}
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
	bye := s.hangUp(r)
	s.send(asUpdate.Replace(bye) + "Contact: <sip:phone@slow.test>\n")
	s.expect("UPDATE", 200)
	if _, err := d.Reinvite(patience(t), offerSDP); kindOf(t, err).Kind != Unreachable {
		t.Errorf("offer: %v", err)
	}
	s.send(strings.ReplaceAll(bye, "1 BYE", "2 BYE"))
	s.expect("BYE", 200)
	ends(t, d, HungUp, true)
}

// TestFloodFillsNoLog: of messages that are dropped the log hears at once, and
// then now and then how many there were.
func TestFloodFillsNoLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bob := newWorld(t, netsim.Config{}).agent(bobAt)
		var log bytes.Buffer
		bob.log = slog.New(slog.NewTextHandler(&log, nil))
		d := newDialog(bob, "call", "tag") // nobody works its queue off
		flood := func(n int) {
			for range n {
				d.enqueue(message{})
			}
		}
		flood(inboxSize)
		for range 3 {
			flood(1000)
			time.Sleep(floodPause)
		}
		flood(8)
		must(t, bob.Close())
		var told []string
		for line := range strings.Lines(log.String()) {
			_, count, _ := strings.Cut(line, "dropped=")
			count, _, _ = strings.Cut(strings.TrimSpace(count), " ")
			told = append(told, count)
		}
		if want := []string{"1", "1000", "1000", "1000", "7"}; !slices.Equal(told, want) {
			t.Errorf("told of %s, want %s:\n%s", told, want, log.String())
		}
	})
}

// TestRefusedLeavesLittle: what is remembered of a call that was refused, so
// that its repetitions get the same answer, is little, whatever it brought.
func TestRefusedLeavesLittle(t *testing.T) {
	const calls, most = 100, 16 << 10
	long := strings.Repeat("y", maxHead/4)
	for name, text := range map[string]string{
		"body":   invite("", append(bytes.Clone(offerSDP), []byte(strings.Repeat("a=x:y\r\n", 4500))...)),
		"header": invite("X: "+long+"\n", offerSDP),
		"routes": invite("Record-Route: <sip:x>"+strings.Repeat(", <sip:x>", 100)+"\n", offerSDP),
		"branch": strings.Replace(invite("", offerSDP), "z9hG4bK", "z9hG4bK"+long, 1),
		"from":   strings.Replace(invite("", offerSDP), "Script", long, 1),
	} {
		bob := loopback(t, "bob")
		s := newScript(t, bob)
		heap := func() int {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return int(m.HeapAlloc)
		}
		before := heap()
		for i := range calls {
			s.send(numbered(text, i))
			d := accept(t, bob)
			must(t, d.Reject(486))
			if d.RemoteOffer() != nil {
				t.Errorf("%s: the offer is still there", name)
			}
		}
		if each := (heap() - before) / calls; each > most || len(bob.all()) != calls {
			t.Errorf("%s: %d bytes for each of %d calls", name, each, len(bob.all()))
		}
		bob.Close()
	}
}
