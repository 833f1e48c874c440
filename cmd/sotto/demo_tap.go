package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sotto/media"
)

// side is one of the two phones of the demo.
type side int

const (
	caller side = iota
	callee
)

func (s side) String() string { return [...]string{"caller", "callee"}[s] }
func (s side) other() side    { return 1 - s }

// datagram is one that came over the media ports.
type datagram struct {
	at   time.Time
	from side
	b    []byte
}

// tap stands between two phones and sees all that they send each other: as a
// stateless SIP proxy it tells each of them that the other's media ports are
// its own. It forwards everything unchanged but for that.
type tap struct {
	dropZRTP bool // as an attacker would who wants to listen

	sip   *net.UDPConn
	media [2]*net.UDPConn // the port that each side takes for the other's
	group sync.WaitGroup

	mu                sync.Mutex
	phones            [2]netip.AddrPort // SIP
	ends              [2]netip.AddrPort // where each side receives its media
	seen              []datagram
	invited, answered time.Time
}

// newTap opens the ports of a tap on the loopback address that leads to the
// phone at to. The caller closes it.
func newTap(to netip.AddrPort, dropZRTP bool) (*tap, error) {
	t := &tap{dropZRTP: dropZRTP}
	t.phones[callee] = to
	for _, conn := range []**net.UDPConn{&t.sip, &t.media[caller], &t.media[callee]} {
		var err error
		if *conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.close()
			return nil, fmt.Errorf("no port for the tap: %w", err)
		}
	}
	t.group.Go(func() { t.read(t.sip, t.onSIP) })
	t.group.Go(func() { t.read(t.media[caller], t.onMedia(caller)) })
	t.group.Go(func() { t.read(t.media[callee], t.onMedia(callee)) })
	return t, nil
}

// close ends the tap and waits for its goroutines.
func (t *tap) close() {
	for _, conn := range []*net.UDPConn{t.sip, t.media[caller], t.media[callee]} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	t.group.Wait()
}

// uri is where to call to reach the phone at the other end.
func (t *tap) uri() string { return "sip:callee@" + t.sip.LocalAddr().String() }

// read hands each datagram to take until conn is closed.
func (t *tap) read(conn *net.UDPConn, take func(from netip.AddrPort, b []byte)) {
	var buf [4096]byte
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err == nil:
			take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), buf[:n])
		}
	}
}

// onMedia records what one side sends and passes it on.
func (t *tap) onMedia(from side) func(netip.AddrPort, []byte) {
	return func(_ netip.AddrPort, b []byte) {
		t.mu.Lock()
		t.seen = append(t.seen, datagram{time.Now(), from, append([]byte(nil), b...)})
		to := t.ends[from.other()]
		t.mu.Unlock()
		if to.IsValid() && !(t.dropZRTP && media.Classify(b) == media.KindZRTP) {
			send(t.media[from.other()], b, to)
		}
	}
}

// onSIP passes a message on. What it can't read it drops.
func (t *tap) onSIP(from netip.AddrPort, b []byte) {
	m, err := parseSIP(b)
	if err != nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	sender := caller
	if from == t.phones[callee] {
		sender = callee
	} else {
		t.phones[caller] = from
	}
	port, err := m.redirectAudio(portOf(t.media[sender.other()]))
	if err != nil {
		return
	}
	if port != 0 {
		t.ends[sender] = netip.AddrPortFrom(from.Addr(), port)
	}
	if m.response() {
		err = m.popVia()
	} else {
		err = m.pushVia(t.sip.LocalAddr().String())
	}
	if err != nil {
		return
	}
	if t.invited.IsZero() && strings.HasPrefix(m.start, "INVITE ") {
		t.invited = time.Now()
	}
	if t.answered.IsZero() && port != 0 && strings.HasPrefix(m.start, "SIP/2.0 200 ") {
		t.answered = time.Now()
	}
	send(t.sip, m.bytes(), t.phones[sender.other()])
}

func portOf(c *net.UDPConn) uint16 { return c.LocalAddr().(*net.UDPAddr).AddrPort().Port() }

// send is as reliable as the network it stands for.
func send(conn *net.UDPConn, b []byte, to netip.AddrPort) { _, _ = conn.WriteToUDPAddrPort(b, to) }

// setUp is the time from the INVITE to the answer, 0 if there was none.
func (t *tap) setUp() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered.IsZero() {
		return 0
	}
	return t.answered.Sub(t.invited)
}

// datagrams are all that came over the media ports so far, in order.
func (t *tap) datagrams() []datagram {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]datagram(nil), t.seen...)
}
