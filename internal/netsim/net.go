package netsim

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	// maxDatagram is the most that one UDP datagram carries over IPv4.
	maxDatagram = 65507
	// firstEphemeral is the first port given to those who ask for port 0.
	firstEphemeral = 49152
)

// Net is a network of UDP sockets in memory. Make it, and use it, inside one
// testing/synctest bubble: then whoever waits for a datagram is durably
// blocked, and delays pass at once. It starts no goroutines. Every pair of
// addresses is a path of its own each way, with decisions of its own drawn
// from the seed, so that one path's traffic never changes another's fate.
type Net struct {
	// Tap, when set before the first datagram, sees each datagram as it was
	// sent, even if it is lost. It is called for one datagram at a time, must
	// not keep b, and must not use the Net.
	Tap func(from, to netip.AddrPort, b []byte)

	cfg   Config
	mu    sync.Mutex
	conns map[netip.AddrPort]*Conn
	paths map[[2]netip.AddrPort]*path
}

// NewNet makes a network. It panics where NewLink does.
func NewNet(cfg Config) *Net {
	cfg.check()
	return &Net{
		cfg:   cfg,
		conns: make(map[netip.AddrPort]*Conn),
		paths: make(map[[2]netip.AddrPort]*path),
	}
}

// Listen opens a socket on one address. Port 0 takes a free one. The errors
// are those of a real socket: syscall.EADDRINUSE, syscall.EADDRNOTAVAIL.
func (n *Net) Listen(addr netip.AddrPort) (*Conn, error) {
	addr = unmap(addr)
	fail := func(err error) (*Conn, error) {
		return nil, &net.OpError{Op: "listen", Net: "udp", Addr: net.UDPAddrFromAddrPort(addr), Err: err}
	}
	if !addr.Addr().IsValid() || addr.Addr().IsUnspecified() {
		return fail(syscall.EADDRNOTAVAIL) // there are no interfaces to choose from
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if addr.Port() == 0 {
		addr = n.freePort(addr.Addr())
	}
	if addr.Port() == 0 || n.conns[addr] != nil {
		return fail(syscall.EADDRINUSE)
	}
	c := &Conn{net: n, addr: addr, changed: make(chan struct{})}
	n.conns[addr] = c
	return c, nil
}

// freePort finds a port that nobody listens on; port 0 when there is none.
func (n *Net) freePort(host netip.Addr) netip.AddrPort {
	for port := firstEphemeral; port <= 0xffff; port++ {
		if addr := netip.AddrPortFrom(host, uint16(port)); n.conns[addr] == nil {
			return addr
		}
	}
	return netip.AddrPortFrom(host, 0)
}

// send puts b on its path. What nobody listens for is lost.
func (n *Net) send(from, to netip.AddrPort, b []byte) {
	if n.Tap != nil {
		n.Tap(from, to, b)
	}
	key := [2]netip.AddrPort{from, to}
	p := n.paths[key]
	if p == nil {
		own := newPath(n.cfg, stream(from, to))
		p = &own
		n.paths[key] = p
	}
	flights := p.send(time.Now(), b)
	c := n.conns[to]
	if c == nil || len(flights) == 0 {
		return
	}
	for _, f := range flights {
		f.from = from
		c.queue.push(f)
	}
	c.wake()
}

// stream numbers the path by its two ends, whatever the order of first use.
func stream(from, to netip.AddrPort) uint64 {
	h := fnv.New64a()
	for _, end := range []netip.AddrPort{from, to} {
		host := end.Addr().As16()
		_, _ = h.Write(host[:])
		_, _ = h.Write(binary.BigEndian.AppendUint16(nil, end.Port()))
	}
	return h.Sum64()
}

// unmap gives 192.0.2.1 and ::ffff:192.0.2.1 one name.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Conn is one socket, with the methods of net.UDPConn that the engine uses.
// Its methods may be called from several goroutines.
type Conn struct {
	net  *Net
	addr netip.AddrPort

	// Guarded by net.mu.
	queue    queue
	deadline time.Time // of reads; zero is none
	closed   bool
	changed  chan struct{} // closed, and replaced, when any of these changes
}

// wake makes every reader look again. The caller holds net.mu.
func (c *Conn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// LocalAddr is the address of Listen, with the port that was taken.
func (c *Conn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(c.addr) }

// SetReadDeadline ends waiting reads, and later ones, at t with
// os.ErrDeadlineExceeded; the zero time is no deadline.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.fail("set", net.ErrClosed)
	}
	c.deadline = t
	c.wake()
	return nil
}

// ReadFromUDPAddrPort waits for the next datagram and copies it into b; what
// does not fit is lost, as with a real socket. A closed Conn gives
// net.ErrClosed.
func (c *Conn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		f, again, err := c.take()
		if err != nil {
			return 0, netip.AddrPort{}, err
		}
		if again == nil {
			return copy(b, f.b), f.from, nil
		}
		again()
	}
}

// take gives the next datagram, or a function that waits until it is worth
// trying again, or an error.
func (c *Conn) take() (flight, func(), error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	now := time.Now()
	if c.closed {
		return flight{}, nil, c.fail("read", net.ErrClosed)
	}
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return flight{}, nil, c.fail("read", os.ErrDeadlineExceeded)
	}
	if f, ok := c.queue.pop(now); ok {
		return f, nil, nil
	}
	until := c.queue.due()
	if until.IsZero() || !c.deadline.IsZero() && c.deadline.Before(until) {
		until = c.deadline
	}
	changed := c.changed
	return flight{}, func() { wait(changed, until) }, nil
}

// wait blocks until something changed, or until a time that is not zero.
func wait(changed <-chan struct{}, until time.Time) {
	if until.IsZero() {
		<-changed
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	}
}

// WriteToUDPAddrPort sends b to the address to and never blocks.
func (c *Conn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	switch {
	case c.closed:
		return 0, c.fail("write", net.ErrClosed)
	case !to.IsValid():
		return 0, c.fail("write", fmt.Errorf("invalid address %v", to))
	case len(b) > maxDatagram:
		return 0, c.fail("write", syscall.EMSGSIZE)
	}
	c.net.send(c.addr, unmap(to), b)
	return len(b), nil
}

// Close frees the address and ends every read with net.ErrClosed. What is
// still on the way to it is lost.
func (c *Conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.closed = true
	delete(c.net.conns, c.addr)
	c.wake()
	return nil
}

// fail dresses err as a real socket does, so that errors.Is and Timeout work.
func (c *Conn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Addr: c.LocalAddr(), Err: err}
}
