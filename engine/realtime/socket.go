package realtime

import (
	"errors"
	"net"
	"net/netip"
	"time"
)

// maxDatagram is the longest datagram that is read.
const maxDatagram = 2048

// Read hands each datagram to take until the socket is closed. The buffer is
// this goroutine's own; take keeps nothing of it.
func Read(conn *net.UDPConn, take func(now time.Time, pkt []byte)) {
	var buf [maxDatagram]byte
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // an ICMP error of an earlier write; the socket lives
		}
		take(time.Now(), buf[:n])
	}
}

// Write sends one datagram. Its error is [net.ErrClosed]; whatever else fails is
// a packet lost on the way, and the next may arrive.
func Write(conn *net.UDPConn, to *netip.AddrPort, pkt []byte) error {
	if to == nil || !to.IsValid() || to.Addr().IsUnspecified() {
		return nil // nowhere; Linux would take 0.0.0.0 for this machine
	}
	_, err := conn.WriteToUDPAddrPort(pkt, *to)
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
