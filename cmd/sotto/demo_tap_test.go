package main

import (
	"net/netip"
	"strings"
	"testing"
)

// sipText joins lines as SIP does.
func sipText(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n")) }

func TestSIPThroughTap(t *testing.T) {
	m, err := parseSIP(sipText("INVITE sip:b@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKx;rport",
		"content-length: 55", "", "v=0", "m=audio 4000 RTP/AVP 96", "a=rtcp:4001", "m=video 0 RTP/AVP 1", ""))
	if err != nil || m.response() {
		t.Fatal(err, m)
	}
	port, err := m.redirectAudio(6000)
	if err != nil || port != 4000 {
		t.Fatal(port, err)
	}
	if err := m.pushVia("127.0.0.1:7"); err != nil {
		t.Fatal(err)
	}
	body := sipText("v=0", "m=audio 6000 RTP/AVP 96", "a=rtcp:6000", "m=video 0 RTP/AVP 1", "")
	want := string(sipText("INVITE sip:b@127.0.0.1 SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:7;branch=z9hG4bKx",
		"Via: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKx;rport", "Content-Length: 64", "", string(body)))
	if got := string(m.bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := m.popVia(); err != nil || m.headers[0] != "Via: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKx;rport" {
		t.Error(err, m.headers)
	}
	joined := sipMessage{headers: []string{"Via: a;branch=1, b;branch=2"}}
	if err := joined.popVia(); err != nil || joined.headers[0] != "Via: b;branch=2" {
		t.Error(err, joined.headers)
	}
}

func TestSIPThroughTapRefuses(t *testing.T) {
	for _, text := range []string{"", "\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "INVITE sip:b SIP/2.0\r\n"} {
		if m, err := parseSIP([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, m)
		}
	}
	for _, headers := range [][]string{{}, {"Via: SIP/2.0/UDP 127.0.0.1"}} {
		m := sipMessage{headers: headers}
		if m.pushVia("x") == nil {
			t.Errorf("%q: no error", headers)
		}
	}
	if err := (&sipMessage{}).popVia(); err == nil {
		t.Error("no error without Via")
	}
	m := sipMessage{body: []byte("m=audio 70000 RTP/AVP 0\r\n")}
	if port, err := m.redirectAudio(1); err == nil {
		t.Errorf("port %d, no error", port)
	}
}

// What the tap can't read ends at the tap, and it survives.
func TestTapDropsGarbage(t *testing.T) {
	phone, peer := listenUDP(t), listenUDP(t)
	line, err := newTap(peer.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer line.close()
	to, err := netip.ParseAddrPort(line.sip.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	const good = "OPTIONS sip:b@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5;branch=z9hG4bKx\r\n\r\n"
	for _, text := range []string{"x", "SIP/2.0 200 OK\r\n\r\n", "INVITE sip:b SIP/2.0\r\n\r\nm=audio x RTP\r\n", good} {
		send(phone, []byte(text), to)
	}
	var buf [2000]byte
	n, _, err := peer.ReadFromUDPAddrPort(buf[:])
	if err != nil || !strings.HasPrefix(string(buf[:n]), "OPTIONS ") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
