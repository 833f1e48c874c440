package sip

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// An unconnected UDP socket learns of ICMP errors on Linux only through its
// error queue: without it, a call to a port where nothing listens would fail
// after 32 seconds of silence instead of at once. ip(7), IP_RECVERR.

const (
	ipRecvErr   = 11      // IP_RECVERR
	ipv6RecvErr = 25      // IPV6_RECVERR
	errQueue    = 1 << 13 // MSG_ERRQUEUE
)

// lostPeer is a peer that a datagram could not be delivered to.
type lostPeer struct {
	peer netip.AddrPort
	err  error
}

// reportUnreachable makes the kernel queue ICMP errors on c.
func reportUnreachable(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	level, option := syscall.IPPROTO_IP, ipRecvErr
	if c.LocalAddr().(*net.UDPAddr).IP.To4() == nil {
		level, option = syscall.IPPROTO_IPV6, ipv6RecvErr
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), level, option, 1)
	})
	return errors.Join(err, failed)
}

// unreachable empties the error queue of c.
func unreachable(c *net.UDPConn) []lostPeer {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	var lost []lostPeer
	// Control runs even while another goroutine waits to read. It fails only
	// on a closed socket, whose errors matter to nobody.
	_ = raw.Control(func(fd uintptr) {
		var payload, oob [512]byte
		for range 64 {
			_, n, _, to, err := syscall.Recvmsg(int(fd), payload[:], oob[:], errQueue|syscall.MSG_DONTWAIT)
			if err != nil {
				return
			}
			peer, ok := addrPort(to)
			if errno := queuedError(oob[:n]); ok && errno != 0 {
				lost = append(lost, lostPeer{peer, errno})
			}
		}
	})
	return lost
}

// queuedError returns the errno of a struct sock_extended_err, which begins
// with it, or 0.
func queuedError(oob []byte) syscall.Errno {
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for _, m := range msgs {
		v4 := m.Header.Level == syscall.IPPROTO_IP && m.Header.Type == ipRecvErr
		v6 := m.Header.Level == syscall.IPPROTO_IPV6 && m.Header.Type == ipv6RecvErr
		if (v4 || v6) && len(m.Data) >= 4 {
			return syscall.Errno(binary.NativeEndian.Uint32(m.Data))
		}
	}
	return 0
}

// addrPort returns the address a lost datagram was sent to.
func addrPort(sa syscall.Sockaddr) (netip.AddrPort, bool) {
	switch a := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), true
	case *syscall.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port)), true
	}
	return netip.AddrPort{}, false
}

// isICMP reports whether a write failed for an ICMP error of an earlier one.
func isICMP(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH) ||
		errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EPROTO)
}
