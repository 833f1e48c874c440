package sip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

const (
	// maxDatagram is the largest request that goes by UDP, RFC 3261 §18.1.1.
	maxDatagram = 1300
	// maxStreams bounds the TCP connections that peers can make us hold. On top
	// of it a new one takes the place of one that carries no call.
	maxStreams = 256

	acceptPause  = 50 * time.Millisecond // after a failure
	dialTimeout  = 4 * time.Second
	writeTimeout = 4 * time.Second
	// partialTimeout is how long a message may take on a stream that we have
	// accepted: the first from the beginning, the others from their first byte.
	partialTimeout = 32 * time.Second
)

var errBroken = errors.New("the connection was closed")

// packetConn is a UDP socket: a *net.UDPConn, or a simulated one.
type packetConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
	LocalAddr() net.Addr
	Close() error
}

// flow is a way to a peer: a datagram address, or one TCP connection.
type flow struct {
	peer   netip.AddrPort
	stream *stream // nil: UDP
}

func (f flow) reliable() bool { return f.stream != nil }

// network is the transport's name in a Via, RFC 3261 §20.42.
func (f flow) network() string {
	if f.reliable() {
		return "TCP"
	}
	return "UDP"
}

// message is what a reader hands on: a request, a response, or the news that
// a peer cannot be reached.
type message struct {
	req    *sip.Request
	res    *sip.Response
	broken error // set beside req: its body is not whole
	lost   error // set alone: what was sent on from did not arrive
	from   flow
}

// transport owns the sockets. It starts one goroutine that reads datagrams,
// one that accepts connections, and one for each connection; close stops them.
type transport struct {
	udp     packetConn
	tcp     net.Listener
	addr    netip.AddrPort // both sockets are bound to it
	dialer  func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
	deliver func(message) // called by the readers, in order of arrival; must not block
	log     *slog.Logger
	parser  *sip.Parser
	readers sync.WaitGroup
	refused flood // connections that could not be accepted

	mu      sync.Mutex
	closed  bool
	streams map[netip.AddrPort]*stream // the latest to each peer's address
	all     map[*stream]struct{}       // there can be several to one address
	turn    uint64                     // counts what stream.heard notes
}

// stream is one TCP connection. Writes of whole messages are atomic: net.Conn
// holds its own lock for the length of a Write.
type stream struct {
	net.Conn
	peer netip.AddrPort

	// Guarded by transport.mu:
	calls int    // that are made on it, and keep it open
	heard uint64 // the turn in which it was opened or had its last message
}

// listen binds UDP and TCP to one port. Port 0 takes one that is free in both.
func listen(bind netip.AddrPort) (*net.UDPConn, net.Listener, error) {
	for attempt := 0; ; attempt++ {
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(bind))
		if err != nil {
			return nil, nil, bindError("udp", bind, err)
		}
		at := udp.LocalAddr().(*net.UDPAddr).AddrPort()
		tcp, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err == nil {
			return udp, tcp, nil
		}
		udp.Close()
		if bind.Port() != 0 || attempt == 20 {
			return nil, nil, bindError("tcp", at, err)
		}
	}
}

func bindError(network string, bind netip.AddrPort, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: %s port %d on %s", ErrPortInUse, network, bind.Port(), bind.Addr())
	}
	return fmt.Errorf("sip: cannot listen on %s/%s: %w", bind, network, err)
}

func (t *transport) start() {
	if c, ok := t.udp.(*net.UDPConn); ok {
		if err := reportUnreachable(c); err != nil {
			t.log.Warn("refused connections will look like silence", "error", err)
		}
	}
	t.readers.Go(t.readDatagrams)
	t.readers.Go(t.acceptStreams)
}

// close stops every reader and waits for them.
func (t *transport) close() {
	t.mu.Lock()
	t.closed = true
	for s := range t.all {
		s.Close()
	}
	t.mu.Unlock()
	t.udp.Close()
	t.tcp.Close()
	t.readers.Wait()
}

func (t *transport) readDatagrams() {
	buf := make([]byte, 1<<16)
	for {
		n, from, err := t.udp.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.reportLost() // an ICMP error for something sent before
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		b := bytes.TrimLeft(buf[:n], "\r\n\x00")
		if len(b) == 0 {
			continue // keep-alive
		}
		msg, err := t.parse(b)
		if err != nil {
			t.log.Debug("malformed datagram", "from", from, "error", err)
		}
		t.hand(msg, err, flow{peer: from})
	}
}

// parse reads one datagram. The parser is not ours: should it panic, that
// costs the sender a message and nobody else anything. A request with a broken
// body comes back beside the error.
func (t *transport) parse(b []byte) (msg sip.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			msg, err = nil, fmt.Errorf("sip: parser: %v", r)
		}
	}()
	msg, err = t.parser.ParseSIP(b)
	if err != nil && !errors.Is(err, sip.ErrParseReadBodyIncomplete) {
		return nil, err
	}
	return msg, err
}

// hand passes a parsed message on. A broken response is dropped.
func (t *transport) hand(msg sip.Message, broken error, from flow) {
	switch m := msg.(type) {
	case *sip.Request:
		m.SetSource(from.peer.String())
		m.SetTransport(from.network())
		t.deliver(message{req: m, broken: broken, from: from})
	case *sip.Response:
		if broken == nil {
			t.deliver(message{res: m, from: from})
		}
	}
}

// reportLost tells the agent which peers the kernel has reported unreachable.
func (t *transport) reportLost() {
	if c, ok := t.udp.(*net.UDPConn); ok {
		for _, u := range unreachable(c) {
			t.deliver(message{lost: u.err, from: flow{peer: u.peer}})
		}
	}
}

func (t *transport) acceptStreams() {
	for {
		c, err := t.tcp.Accept()
		if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			if n := t.refused.seen(time.Now()); n > 0 {
				t.log.Warn("cannot accept connections", "count", n, "error", err)
			}
			time.Sleep(acceptPause)
			continue
		}
		err = c.SetReadDeadline(time.Now().Add(partialTimeout))
		if err == nil {
			_, err = t.adopt(c, maxStreams)
		}
		if err != nil {
			c.Close()
		}
	}
}

// adopt registers c and starts its reader. If limit are open already, another
// has to make room.
func (t *transport) adopt(c net.Conn, limit int) (*stream, error) {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	s := &stream{Conn: c, peer: peer}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.all) >= limit && !t.makeRoom() {
		return nil, net.ErrClosed
	}
	t.turn++
	s.heard = t.turn
	t.streams[peer], t.all[s] = s, struct{}{}
	t.readers.Go(func() { t.readStream(s) })
	return s, nil
}

// makeRoom closes the connection that has been silent longest of those that
// carry no call, if there is one. Anybody can open connections and leave them
// so; nobody who does keeps others out, or throws a call out. t.mu is locked.
func (t *transport) makeRoom() bool {
	var silent *stream
	for s := range t.all {
		if s.calls == 0 && (silent == nil || s.heard < silent.heard) {
			silent = s
		}
	}
	if silent == nil {
		return false
	}
	t.forget(silent) // its reader notices
	return true
}

// forget closes s. t.mu is locked.
func (t *transport) forget(s *stream) {
	s.Close()
	delete(t.all, s)
	if t.streams[s.peer] == s {
		delete(t.streams, s.peer)
	}
}

// hear notes that a message has come on s.
func (t *transport) hear(s *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turn++
	s.heard = t.turn
}

// carry notes that a call is made on another connection than before. Either
// may be nil.
func (t *transport) carry(before, now *stream) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if before != nil {
		before.calls--
	}
	if now != nil {
		now.calls++
	}
}

// open returns the connection to a peer, if there is one.
func (t *transport) open(peer netip.AddrPort) (flow, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, ok := t.streams[peer]
	return flow{peer, s}, ok
}

// dial returns the connection to a peer, making it if need be.
func (t *transport) dial(ctx context.Context, peer netip.AddrPort) (flow, error) {
	if f, ok := t.open(peer); ok {
		return f, nil
	}
	c, err := t.dialer(ctx, peer)
	if err != nil {
		return flow{}, err
	}
	s, err := t.adopt(c, 2*maxStreams)
	if err != nil {
		c.Close()
		return flow{}, err
	}
	return flow{peer, s}, nil
}

func (t *transport) readStream(s *stream) {
	f := flow{s.peer, s}
	err := t.parseStream(s, f)
	t.log.Debug("connection closed", "peer", s.peer, "error", err)
	t.mu.Lock()
	t.forget(s)
	t.mu.Unlock()
	t.deliver(message{lost: errBroken, from: f})
}

// parseStream reads messages until the connection ends or stops making sense:
// after a framing error nobody knows where the next message begins.
func (t *transport) parseStream(s *stream, f flow) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sip: parser: %v", r)
		}
	}()
	p := t.parser.NewSIPStream()
	defer p.Close()
	buf := make([]byte, 1<<14)
	partial := false
	for {
		n, err := s.Read(buf)
		if err != nil {
			return err
		}
		b := buf[:n]
		if !partial {
			if b = bytes.TrimLeft(b, "\r\n"); len(b) == 0 {
				continue // keep-alive
			}
		}
		fresh := !partial // whether what is partial after this read began in it
		err = p.ParseSIPStream(b, func(m sip.Message) {
			fresh = true
			t.hear(s)
			t.hand(m, nil, f)
		})
		partial = errors.Is(err, sip.ErrParseSipPartial)
		if err != nil && !partial {
			return err
		}
		if err := limitRest(s, partial, fresh); err != nil {
			return err
		}
	}
}

// limitRest sets the deadline for the rest of a message: counted from its
// first byte, however slowly the others drip.
func limitRest(s *stream, partial, fresh bool) error {
	switch {
	case !partial:
		return s.SetReadDeadline(time.Time{})
	case fresh:
		return s.SetReadDeadline(time.Now().Add(partialTimeout))
	}
	return nil
}

// send writes one message. An error means that the flow is of no use now.
func (t *transport) send(f flow, wire []byte) error {
	if f.reliable() {
		if err := f.stream.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		_, err := f.stream.Write(wire)
		if err != nil {
			f.stream.Close() // perhaps in the middle of a message
		}
		return err
	}
	// A pending ICMP error of an earlier datagram, to whomever, fails the next
	// write without sending anything; reading it out clears it.
	var err error
	for range 3 {
		if _, err = t.udp.WriteToUDPAddrPort(wire, f.peer); !isICMP(err) {
			break
		}
		t.reportLost()
	}
	return err
}
