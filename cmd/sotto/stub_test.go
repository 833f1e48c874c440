package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"sotto/media"
)

// stub is a SIP peer over UDP that says what a test has it say.
type stub struct {
	conn    *net.UDPConn
	methods chan string // of what arrived, retransmissions included
}

// newStub answers each request but ACK with the responses that answer gives.
func newStub(t *testing.T, answer func(*stub, sipMessage) []string) *stub {
	t.Helper()
	s := &stub{conn: listenUDP(t), methods: make(chan string, 1000)}
	var reader sync.WaitGroup
	reader.Go(func() {
		var buf [4096]byte
		for {
			n, from, err := s.conn.ReadFromUDPAddrPort(buf[:])
			if errors.Is(err, net.ErrClosed) {
				return
			}
			m, err := parseSIP(buf[:n])
			if err != nil || m.response() {
				continue
			}
			method, _, _ := strings.Cut(m.start, " ")
			s.methods <- method
			if method == "ACK" {
				continue
			}
			for _, response := range answer(s, m) {
				_, _ = s.conn.WriteToUDPAddrPort([]byte(response), from) // lost like any datagram
			}
		}
	})
	t.Cleanup(func() {
		_ = s.conn.Close()
		reader.Wait()
	})
	return s
}

func listenUDP(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func (s *stub) uri() string { return "sip:stub@" + s.conn.LocalAddr().String() }

// await waits until a request of that method has arrived.
func (s *stub) await(t *testing.T, method string) {
	t.Helper()
	for {
		select {
		case m := <-s.methods:
			if m == method {
				return
			}
		case <-t.Context().Done():
			t.Fatalf("no %s came", method)
		}
	}
}

// invite calls uri with a session description, once, and does not hear what follows.
func (s *stub) invite(t *testing.T, uri, description string) {
	t.Helper()
	_, at, _ := strings.Cut(uri, "@")
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		t.Fatal(err)
	}
	request := strings.Join([]string{
		"INVITE " + uri + " SIP/2.0", "Via: SIP/2.0/UDP " + s.conn.LocalAddr().String() + ";branch=z9hG4bK-stub",
		"From: <" + s.uri() + ">;tag=stub", "To: <" + uri + ">", "Call-ID: stub", "CSeq: 1 INVITE", "Max-Forwards: 70",
		"Contact: <" + s.uri() + ">", "Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(description)), "", description,
	}, "\r\n")
	if _, err := s.conn.WriteToUDPAddrPort([]byte(request), to); err != nil {
		t.Fatal(err)
	}
}

// respond makes a response to m; body may be empty.
func (s *stub) respond(m sipMessage, status, body string) string {
	lines := []string{"SIP/2.0 " + status}
	for _, line := range m.headers {
		name, _, _ := strings.Cut(line, ":")
		switch name {
		case "To":
			if !strings.Contains(line, "tag=") {
				line += ";tag=stub"
			}
			lines = append(lines, line)
		case "Via", "From", "Call-ID", "CSeq":
			lines = append(lines, line)
		}
	}
	lines = append(lines, fmt.Sprintf("Contact: <%s>", s.uri()))
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	return strings.Join(lines, "\r\n")
}

// newRefuser answers an INVITE with one status.
func newRefuser(t *testing.T, status string) *stub {
	return newStub(t, func(s *stub, m sipMessage) []string { return []string{s.respond(m, status, "")} })
}

// newAnswerer takes every call with a session description.
func newAnswerer(t *testing.T, description string) *stub {
	return newStub(t, func(s *stub, m sipMessage) []string {
		if strings.HasPrefix(m.start, "INVITE ") {
			return []string{s.respond(m, "180 Ringing", ""), s.respond(m, "200 OK", description)}
		}
		return []string{s.respond(m, "200 OK", "")}
	})
}

// newRinger rings for ever; it lets itself be cancelled if obedient.
func newRinger(t *testing.T, obedient bool) *stub {
	var invite sipMessage
	return newStub(t, func(s *stub, m sipMessage) []string {
		switch {
		case strings.HasPrefix(m.start, "INVITE "):
			invite = m
			return []string{s.respond(m, "180 Ringing", "")}
		case obedient:
			return []string{s.respond(m, "200 OK", ""), s.respond(invite, "487 Request Terminated", "")}
		}
		return nil
	})
}

// plainSDP is the answer of a phone without ZRTP.
func plainSDP(port uint16) string {
	return strings.Join([]string{
		"v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
		fmt.Sprintf("m=audio %d RTP/AVP 0", port), "a=rtpmap:0 PCMU/8000", "a=sendrecv", "",
	}, "\r\n")
}

// received counts by kind what has arrived at conn so far.
func received(t *testing.T, conn *net.UDPConn) map[media.Kind]int {
	t.Helper()
	const end = "\xffend"
	to := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), portOf(conn))
	if _, err := conn.WriteToUDPAddrPort([]byte(end), to); err != nil {
		t.Fatal(err)
	}
	counts := map[media.Kind]int{}
	var buf [2048]byte
	for {
		n, _, err := conn.ReadFromUDPAddrPort(buf[:])
		if err != nil {
			t.Fatal(err)
		}
		if string(buf[:n]) == end {
			return counts
		}
		counts[media.Classify(buf[:n])]++
	}
}
