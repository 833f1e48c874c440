package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
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
// try again.
func TestAcceptFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alice := newWorld(t, netsim.Config{}).agent(aliceAt)
		defer alice.Close()
		const tries = 100
		start, tr := time.Now(), &transport{tcp: &failing{left: tries + 1}, log: alice.log}
		tr.acceptStreams()
		if took := time.Since(start); took < tries*acceptPause {
			t.Errorf("%d tries in %v", tries, took)
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
