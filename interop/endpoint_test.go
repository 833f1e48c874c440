//go:build interop

package interop

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"testing"
	"time"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// endpoint drives a zrtp.Session over a real UDP socket, as engine does, and
// keeps what passes for the test to judge.
type endpoint struct {
	session *zrtp.Session
	conn    *net.UDPConn
	peer    *net.UDPAddr
	events  []zrtp.Event
	// sent and heard are the last message of each type, each way.
	sent, heard map[wire.Type][]byte
	voice       chan []byte // the RTP packets that came, as far as there is room
}

// listenUDP opens a port on the loopback interface.
func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func portOf(conn *net.UDPConn) int { return conn.LocalAddr().(*net.UDPAddr).Port }

// newEndpoint makes a session with a port of its own; its peer is set later.
func newEndpoint(t *testing.T, cfg zrtp.Config) *endpoint {
	t.Helper()
	return endpointAt(t, listenUDP(t), cfg)
}

// endpointAt fills in what every Config needs and cfg lacks.
func endpointAt(t *testing.T, conn *net.UDPConn, cfg zrtp.Config) *endpoint {
	t.Helper()
	cfg.Rand, cfg.SSRC, cfg.ClientID = rand.Reader, 0x50770001, "Sotto interop"
	if cfg.ZID == (wire.ZID{}) {
		rand.Read(cfg.ZID[:])
	}
	session, err := zrtp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(session.Close)
	return &endpoint{
		session: session, conn: conn,
		sent: map[wire.Type][]byte{}, heard: map[wire.Type][]byte{}, voice: make(chan []byte, 100),
	}
}

// meet starts the peer that the session is to talk to. Its second stream, if
// any, talks to the port in more.
func (e *endpoint) meet(t *testing.T, bin string, more []int, flags ...string) *bzrtp {
	t.Helper()
	others := append([]int{portOf(e.conn)}, more...)
	b := startBzrtp(t, bin, others, make([]int, len(others)), flags...)
	e.callTo(b.ports[0])
	return b
}

// callTo says where the peer is.
func (e *endpoint) callTo(port int) {
	e.peer = &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}
}

// run drives the session until stop accepts an event, and fails the test when
// none comes. It may be called again to go on.
func (e *endpoint) run(t *testing.T, stop func(zrtp.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !e.drive(t, ctx, stop) {
		t.Fatalf("no such event in time, in state %v: events %+v", e.session.State(), e.events)
	}
}

// serveUntil goes on answering the peer, whom the last acknowledgement may not
// have reached, until secured has found it secure.
func serveUntil[T any](t *testing.T, e *endpoint, secured func(*testing.T) T) T {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		e.drive(t, ctx, func(zrtp.Event) bool { return false })
	}()
	defer func() {
		cancel()
		<-served
	}()
	return secured(t)
}

func (e *endpoint) drive(t *testing.T, ctx context.Context, stop func(zrtp.Event) bool) bool {
	t.Helper()
	e.session.Start(time.Now()) // does nothing the second time
	b := make([]byte, 2048)
	for ctx.Err() == nil {
		if e.drain(t, stop) {
			return true
		}
		// Short, so that the end of ctx is seen.
		wake := time.Now().Add(20 * time.Millisecond)
		if due := e.session.Deadline(); !due.IsZero() && due.Before(wake) {
			wake = due
		}
		e.conn.SetReadDeadline(wake)
		if n, _, err := e.conn.ReadFromUDP(b); err == nil {
			e.receive(t, b[:n])
		}
		// An error is the deadline, or a peer that hasn't opened its port.
		e.session.HandleTimeout(time.Now())
	}
	return false
}

func (e *endpoint) receive(t *testing.T, b []byte) {
	if (datagram{Payload: b}).isRTP() {
		select {
		case e.voice <- bytes.Clone(b):
		default:
		}
		return
	}
	if err := e.session.HandlePacket(time.Now(), b); err != nil {
		t.Logf("dropped: %v", err)
		return
	}
	keep(e.heard, b)
}

// drain sends what waits and says whether stop accepted a new event.
func (e *endpoint) drain(t *testing.T, stop func(zrtp.Event) bool) bool {
	for {
		b, ok := e.session.AppendPacket(nil)
		if !ok {
			break
		}
		keep(e.sent, b)
		if _, err := e.conn.WriteToUDP(b, e.peer); err != nil {
			t.Logf("not sent: %v", err)
		}
	}
	for {
		event := e.session.NextEvent()
		if event == nil {
			return false
		}
		e.events = append(e.events, event)
		if stop(event) {
			return true
		}
	}
}

// keep stores the message of a packet under its type.
func keep(messages map[wire.Type][]byte, packet []byte) {
	p, err := wire.ParsePacket(packet)
	if err != nil {
		return
	}
	if kind, err := wire.MessageType(p.Message); err == nil {
		messages[kind] = append([]byte(nil), p.Message...)
	}
}

// eventOf is the first event of type E so far.
func eventOf[E zrtp.Event](e *endpoint) (E, bool) {
	for _, event := range e.events {
		if found, ok := event.(E); ok {
			return found, true
		}
	}
	var none E
	return none, false
}

// ended accepts the events after which a handshake is over.
func ended(event zrtp.Event) bool {
	switch event.(type) {
	case zrtp.Secured, zrtp.Failed, zrtp.NoPeer:
		return true
	}
	return false
}
