package sip

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/internal/netsim"
)

// largeSDP does not fit into a datagram that RFC 3261 §18.1.1 allows.
func largeSDP() []byte {
	return append(bytes.Clone(offerSDP), []byte(strings.Repeat("a=candidate:1 1 UDP 2130706303 127.0.0.1 47078 typ host\r\n", 40))...)
}

// TestLargeByTCP: a call whose INVITE is too large for UDP goes by TCP, though
// its address says nothing of TCP; the requests after it need not.
func TestLargeByTCP(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller, err := alice.Invite(t.Context(), uriOf(bob), largeSDP())
	must(t, err)
	callee := accept(t, bob)
	if !callee.home.reliable() || !bytes.Equal(callee.RemoteOffer(), largeSDP()) {
		t.Errorf("INVITE came by %s with %d bytes", callee.home.network(), len(callee.RemoteOffer()))
	}
	must(t, callee.Answer(largeSDP()))
	next[Answered](t, caller)
	next[Confirmed](t, callee)
	exchangeOffers(t, caller, callee)
	must(t, callee.Bye(patience(t), ""))
	ends(t, caller, HungUp, true)
}

// TestLargeWithoutTCP: a peer that has no TCP gets a large datagram.
func TestLargeWithoutTCP(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d, err := alice.Invite(t.Context(), "sip:bob@"+s.at.String(), largeSDP())
	must(t, err)
	r := s.request("INVITE")
	if r.Via().Transport != "UDP" || !bytes.Equal(r.Body(), largeSDP()) {
		t.Errorf("INVITE\n%s", r)
	}
	s.reply(r, 200, "x", "", largeSDP())
	next[Answered](t, d)
}

// TestLargeAnswer: a response has to take the way of its request.
func TestLargeAnswer(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	s.send(invite("", offerSDP))
	must(t, accept(t, bob).Answer(largeSDP()))
	if res := s.expect("INVITE", 200); !bytes.Equal(res.Body(), largeSDP()) {
		t.Errorf("answer of %d bytes", len(res.Body()))
	}
}

// TestReplyPort: without rport a response goes to the port that Via names.
func TestReplyPort(t *testing.T) {
	bob := loopback(t, "bob")
	s, named := newScript(t, bob), newScript(t, bob)
	text := within("OPTIONS", "", 1, "")
	s.write(named.expand(strings.Replace(text, ";rport", "", 1)))
	if res := named.expect("OPTIONS", 200); res.Via().Params.Has("rport") {
		t.Errorf("rport in\n%s", res)
	}
	s.write(named.expand(strings.Replace(text, "Via: SIP/2.0/UDP {me}", "Via: SIP/2.0/UDP host.example:1", 1)))
	res := s.expect("OPTIONS", 200)
	received, _ := res.Via().Params.Get("received")
	rport, _ := res.Via().Params.Get("rport")
	if netip.MustParseAddrPort(received+":"+rport) != s.at {
		t.Errorf("received=%s rport=%s", received, rport)
	}
}

// TestRoute: a dialog follows its Record-Route, RFC 3261 §12.1, but for what
// could not be written.
func TestRoute(t *testing.T) {
	bob := loopback(t, "bob")
	s, proxy := newScript(t, bob), newScript(t, bob)
	route := "Record-Route: <sip:" + proxy.at.String() + ";lr>, <sip:second.example;lr>\nRecord-Route: <sip:a b@third.example;lr>\n"
	s.send(invite(route, offerSDP))
	d := accept(t, bob)
	must(t, d.Answer(answerSDP))
	res := s.expect("INVITE", 200)
	if len(res.GetHeaders("Record-Route")) != 3 {
		t.Errorf("answer\n%s", res)
	}
	s.send(within("ACK", toTag(res), 1, ""))
	next[Confirmed](t, d)
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "") }()
	bye := proxy.request("BYE")
	routes := bye.GetHeaders("Route")
	if len(routes) != 2 || routes[1].Value() != "<sip:second.example;lr>" || bye.Recipient.Port != int(s.at.Port()) {
		t.Errorf("BYE\n%s", bye)
	}
	proxy.reply(bye, 200, "", "", nil)
	must(t, <-done)

	alice := loopback(t, "alice")
	s, proxy = newScript(t, alice), newScript(t, alice)
	out := call(t, alice, "sip:bob@"+s.at.String())
	s.reply(s.request("INVITE"), 200, "x", "\nRecord-Route: <sip:first.example;lr>\nRecord-Route: <sip:"+proxy.at.String()+";lr>", answerSDP)
	next[Answered](t, out)
	ack := proxy.request("ACK")
	if r := ack.GetHeaders("Route"); len(r) != 2 || r[1].Value() != "<sip:first.example;lr>" {
		t.Errorf("ACK\n%s", ack)
	}
}

// dialStream connects a script to an agent by TCP.
func dialStream(t *testing.T, to *Agent) (*script, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", to.Addr().String())
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return &script{t, streamConn{c}, c.LocalAddr().(*net.TCPAddr).AddrPort(), to.Addr(), map[string]bool{}}, c
}

func overTCP(text string) string { return strings.ReplaceAll(text, "/UDP", "/TCP") }

// TestStream: messages on a connection may come in any pieces, with empty
// lines between them to keep it alive.
func TestStream(t *testing.T) {
	bob := loopback(t, "bob")
	s, c := dialStream(t, bob)
	text := append([]byte("\r\n\r\n"), s.expand(overTCP(other("OPTIONS")))...)
	for range 2 {
		for i := range text {
			_, err := c.Write(text[i : i+1])
			must(t, err)
		}
		s.expect("OPTIONS", 200)
	}
	s.write(bytes.Repeat(text, 3))
	for range 3 {
		s.expect("OPTIONS", 200)
	}
}

// TestStreamGarbage: a connection that makes no sense is closed, others are not.
func TestStreamGarbage(t *testing.T) {
	bob := loopback(t, "bob")
	good, _ := dialStream(t, bob)
	for _, text := range []string{
		"garbage\r\n\r\n",
		"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP x\r\n\r\n",                    // no length
		"OPTIONS sip:x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",              // too long
		"OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n",                    // nonsense
		"OPTIONS sip:x SIP/2.0\r\nX: " + strings.Repeat("x", 1<<17) + "\r\n\r\n", // endless
	} {
		_, c := dialStream(t, bob)
		c.Write([]byte(text))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%.60q: %d, %v", text, n, err)
		}
	}
	good.send(overTCP(other("OPTIONS")))
	good.expect("OPTIONS", 200)
}

// TestStreamStalls: the rest of a message must not take for ever.
func TestStreamStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		bob := w.agent(bobAt)
		defer bob.Close()
		c, err := w.dial(t.Context(), bobAt)
		must(t, err)
		start := time.Now()
		_, err = c.Write([]byte("OPTIONS sip:x SIP/2.0\r\nVia:"))
		must(t, err)
		if _, err := c.Read(make([]byte, 1)); err != io.EOF || time.Since(start) != partialTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestStreamBreaks: a call whose connection breaks before any response fails.
func TestStreamBreaks(t *testing.T) {
	alice := loopback(t, "alice")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	d := call(t, alice, "sip:bob@"+l.Addr().String()+";transport=tcp")
	c, err := l.Accept()
	must(t, err)
	b := make([]byte, 1<<16)
	_, err = readMessage(c, b)
	must(t, err)
	c.Close()
	if r := ends(t, d, Unreachable, false); r.Text != errBroken.Error() {
		t.Errorf("reason %+v", r)
	}
}

// TestStreamComesBack: requests to a caller who listens nowhere go back on the
// connection on which it called.
func TestStreamComesBack(t *testing.T) {
	bob := loopback(t, "bob")
	s, _ := dialStream(t, bob)
	text := strings.Replace(overTCP(invite("", offerSDP)), "Contact: <sip:script@{me}>", "Contact: <sip:script@127.0.0.1:9;transport=tcp>", 1)
	s.send(text)
	d := accept(t, bob)
	must(t, d.Answer(answerSDP))
	res := s.expect("INVITE", 200)
	if transport, _ := res.Contact().Address.UriParams.Get("transport"); transport != "tcp" {
		t.Errorf("Contact %s", res.Contact())
	}
	s.send(overTCP(within("ACK", toTag(res), 1, "")))
	next[Confirmed](t, d)
	done := make(chan error)
	go func() { done <- d.Bye(patience(t), "") }()
	s.reply(s.request("BYE"), 200, "", "", nil)
	must(t, <-done)
}

// TestStrayResponses: responses that answer nothing of ours are dropped.
func TestStrayResponses(t *testing.T) {
	alice := loopback(t, "alice")
	s := newScript(t, alice)
	d := call(t, alice, "sip:bob@"+s.at.String())
	r := s.request("INVITE")
	res := string(responseBytes(r, 486))
	for _, forged := range []string{
		strings.Replace(res, r.CallID().Value(), "other", 1),
		strings.Replace(res, tagOf(r.From().Params), "other", 1),
		strings.Replace(res, "z9hG4bK", "z9hG4bKx", 1),
		strings.Replace(res, "Via: ", "Via: SIP/2.0/UDP other;branch=z9hG4bKx\r\nVia: ", 1),
		strings.Replace(res, "\r\nFrom: ", "\r\nVia: SIP/2.0/UDP other;branch=z9hG4bKx\r\nFrom: ", 1),
		strings.Replace(res, "Content-Length: 0", "Content-Length: 9", 1),
		strings.Replace(res, " 486 ", " 999 ", 1),
		strings.Replace(res, " 486 ", " 5 ", 1),
	} {
		s.write([]byte(forged))
	}
	s.reply(r, 200, "x", "", answerSDP)
	next[Answered](t, d)
}

func responseBytes(r *sip.Request, code int) []byte {
	return []byte(sip.NewResponseFromRequest(r, code, "Forged", nil).String())
}
