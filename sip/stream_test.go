package sip

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// TestStreamsToOnePeer: two calls that connect to one peer at the same time
// make two connections, and Close closes both.
func TestStreamsToOnePeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice := newWorld(t, netsim.Config{}).agent(aliceAt)
		var peer []net.Conn
		alice.transport.dialer = func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			near, far := net.Pipe()
			if peer = append(peer, far); len(peer) == 1 {
				_, err := alice.transport.dial(ctx, to) // overtakes the first
				must(t, err)
			}
			return memoryConn{near, to}, nil
		}
		_, err := alice.transport.dial(t.Context(), bobAt)
		must(t, err)
		closed := make(chan error, 1)
		go func() { closed <- alice.Close() }()
		select {
		case err := <-closed:
			must(t, err)
		case <-time.After(timeout):
			t.Error("Close waits for a connection that nobody closes")
		}
		for _, c := range peer {
			c.Close()
		}
	})
}

// TestHalfWritten: nothing follows half a message on a connection.
func TestHalfWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice := newWorld(t, netsim.Config{}).agent(aliceAt)
		defer alice.Close()
		near, far := net.Pipe()
		defer far.Close()
		s, err := alice.transport.adopt(memoryConn{near, bobAt}, 1)
		must(t, err)
		go far.Read(make([]byte, 10)) // and no more
		if err := alice.transport.send(flow{bobAt, s}, make([]byte, 100)); err == nil {
			t.Error("no error")
		}
		synctest.Wait()
		if _, ok := alice.transport.open(bobAt); ok {
			t.Error("the connection is still in use")
		}
	})
}

// failing is a listener that cannot accept, as when the program has no file
// descriptors left.
type failing struct {
	memoryListener
	left int
}

func (l *failing) Accept() (net.Conn, error) {
	if l.left--; l.left == 0 {
		return nil, net.ErrClosed
	}
	return nil, errors.New("too many open files")
}

// TestAcceptFails: an agent that cannot accept connections takes its time to
// try again, and does not fill the log.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tries = 100
		var log bytes.Buffer
		tr := &transport{tcp: &failing{left: tries + 1}, log: slog.New(slog.NewTextHandler(&log, nil))}
		start := time.Now()
		tr.acceptStreams()
		if took := time.Since(start); took < tries*acceptPause {
			t.Errorf("%d tries in %v", tries, took)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}

// TestStreamDrips: to send a byte now and then does not prolong a message's time.
func TestStreamDrips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		c, err := w.dial(t.Context(), bobAt)
		must(t, err)
		start := time.Now()
		for err == nil && time.Since(start) < 2*partialTimeout {
			_, err = c.Write([]byte("O"))
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took > partialTimeout+2*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		c.Close()
	})
}

// TestStreamSaysNothing: who connects has to say something, and not only keep
// the connection alive. Who has may be silent for as long as it likes.
func TestStreamSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		good, err := w.dial(t.Context(), bobAt)
		must(t, err)
		s := &script{t, streamConn{good}, aliceAt, bobAt, nil}
		s.send(overTCP(other("OPTIONS")))
		s.expect("OPTIONS", 200)
		c, err := w.dial(t.Context(), bobAt)
		must(t, err)
		start := time.Now()
		for err == nil && time.Since(start) < 2*partialTimeout {
			_, err = c.Write([]byte("\r\n\r\n"))
			time.Sleep(time.Second)
		}
		if took := time.Since(start); took > partialTimeout+2*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
		time.Sleep(time.Hour)
		s.send(overTCP(other("OPTIONS")))
		s.expect("OPTIONS", 200)
	})
}

// crowd opens n connections to an agent, each of which says something.
func crowd(t *testing.T, to *Agent, n int) []*script {
	t.Helper()
	var list []*script
	for range n {
		s, _ := dialStream(t, to)
		list = append(list, s)
		says(t, s)
	}
	return list
}

// says finds that a connection is open.
func says(t *testing.T, s *script) {
	t.Helper()
	s.send(overTCP(other("OPTIONS")))
	s.expect("OPTIONS", 200)
}

// gone finds that a connection was closed.
func gone(t *testing.T, s *script) {
	t.Helper()
	n, _, err := s.conn.ReadFromUDPAddrPort(make([]byte, 1<<16))
	if n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

// TestTooManyStreams: connections on which nobody says anything keep nobody
// out. The one that has been silent longest makes room for a new one.
func TestTooManyStreams(t *testing.T) {
	bob := loopback(t, "bob")
	silent, _ := dialStream(t, bob)
	rest := crowd(t, bob, maxStreams-1)
	says(t, rest[0])
	for _, leaves := range []*script{silent, rest[1], rest[2]} {
		crowd(t, bob, 1)
		gone(t, leaves)
	}
	says(t, rest[0])
	says(t, rest[3])
}

// TestStreamsOfCalls: a connection on which a call is made is thrown out by
// nobody, as long as the call lasts. Where all are of that kind nobody comes in.
func TestStreamsOfCalls(t *testing.T) {
	bob := loopback(t, "bob")
	var all []*script
	var calls []*Dialog
	for round := range maxStreams {
		s, _ := dialStream(t, bob)
		s.send(numbered(overTCP(invite("", offerSDP)), round))
		d := accept(t, bob)
		must(t, d.do(func(time.Time) error { return nil })) // it has begun
		all, calls = append(all, s), append(calls, d)
	}
	late, _ := dialStream(t, bob)
	gone(t, late)
	must(t, calls[1].Reject(486))
	all[1].expect("INVITE", 486)
	crowd(t, bob, 3)
	gone(t, all[1])
	must(t, calls[0].Answer(answerSDP))
	all[0].expect("INVITE", 200)
}

// TestStreamOfOurCall: the connection that we have made for a call stays too.
func TestStreamOfOurCall(t *testing.T) {
	alice := loopback(t, "alice")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	d := call(t, alice, "sip:bob@"+l.Addr().String()+";transport=tcp")
	c, err := l.Accept()
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	s := &script{t, streamConn{c}, l.Addr().(*net.TCPAddr).AddrPort(), alice.Addr(), map[string]bool{}}
	r := s.request("INVITE")
	crowd(t, alice, maxStreams+1)
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
}

// TestCallChangesStreams: a call keeps one connection, that of its latest
// request, and not as many as its peer likes.
func TestCallChangesStreams(t *testing.T) {
	bob := loopback(t, "bob")
	first, _ := dialStream(t, bob)
	first.send(numbered(overTCP(invite("", offerSDP)), 0))
	d := accept(t, bob)
	must(t, d.Ring())
	tag := toTag(first.expect("INVITE", 180))
	second, _ := dialStream(t, bob)
	second.send(numbered(overTCP(within("OPTIONS", tag, 2, "")), 0))
	second.expect("OPTIONS", 200)
	crowd(t, bob, maxStreams)
	gone(t, first)
	says(t, second)
}
