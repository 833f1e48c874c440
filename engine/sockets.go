package engine

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// mediaSockets are a call's RTP port and, next above it, its RTCP port
// (RFC 3550 §11). ZRTP shares the RTP port (RFC 6189 §4).
type mediaSockets struct {
	rtp, rtcp *net.UDPConn
}

// openMedia binds an even port and the odd one above it on host.
func openMedia(host netip.Addr) (*mediaSockets, error) {
	const tries = 32
	var last error
	for range tries {
		rtp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, 0)))
		if err != nil {
			return nil, fmt.Errorf("engine: no media port on %s: %w", host, err)
		}
		port := portOf(rtp)
		if port%2 == 1 || port == 65534 {
			last = errors.New("odd port")
			_ = rtp.Close()
			continue
		}
		rtcp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(host, port+1)))
		if err != nil {
			last = err
			_ = rtp.Close()
			continue
		}
		return &mediaSockets{rtp: rtp, rtcp: rtcp}, nil
	}
	return nil, fmt.Errorf("engine: no pair of media ports on %s: %w", host, last)
}

func portOf(c *net.UDPConn) uint16 {
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func (s *mediaSockets) port() uint16 { return portOf(s.rtp) }

func (s *mediaSockets) close() {
	_ = s.rtp.Close()
	_ = s.rtcp.Close()
}
