//go:build interop

package interop

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

// ports hands out pairs of neighbouring loopback ports, each pair once, to
// tests that run in parallel. The range lies below the kernel's own choices.
type ports struct {
	mu   sync.Mutex
	next int
}

// pair returns an even port that is free for UDP and TCP, and whose odd
// neighbour is free too (RTP and RTCP, RFC 3550 §11).
func (p *ports) pair(t *testing.T) int {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.next < 32000 {
		port := p.next
		p.next += 2
		if free(port) && free(port+1) {
			return port
		}
	}
	t.Fatal("no free loopback port")
	return 0
}

func free(port int) bool {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	udp, err := net.ListenPacket("udp", addr)
	if err != nil {
		return false
	}
	udp.Close()
	tcp, err := net.Listen("tcp", addr)
	if err != nil {
		return false
	}
	tcp.Close()
	return true
}
