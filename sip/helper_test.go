package sip

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"

	"sotto/internal/netsim"
)

// offerSDP and answerSDP are descriptions that parse. What they say is the
// business of package sdp.
var (
	offerSDP  = describe(1)
	answerSDP = describe(2)
)

func describe(version int) []byte {
	return fmt.Appendf(nil, "v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", version)
}

// patience bounds waits that succeed at once in a run that is right.
func patience(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// loopback starts an agent on real sockets of 127.0.0.1.
func loopback(t testing.TB, user string) *Agent {
	t.Helper()
	a, err := New(Config{Bind: "127.0.0.1:0", Identity: "sip:" + user + "@sotto.test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func uriOf(a *Agent) string { return fmt.Sprintf("sip:bob@%s", a.Addr()) }

// next waits for the next event, which must be a T.
func next[T Event](t testing.TB, d *Dialog) T {
	t.Helper()
	e, err := d.Next(patience(t))
	if err != nil {
		t.Fatalf("waiting for %T: %v", *new(T), err)
	}
	want, ok := e.(T)
	if !ok {
		t.Fatalf("got %T %+v, want %T", e, e, *new(T))
	}
	return want
}

// ends waits for Ended of the given kind, and that nothing comes after it.
func ends(t testing.TB, d *Dialog, kind Kind, remote bool) Reason {
	t.Helper()
	r := next[Ended](t, d).Reason
	if r.Kind != kind || r.Remote != remote {
		t.Errorf("ended with %+v (%v), want %v, remote %t", r, r, kind, remote)
	}
	if e, err := d.Next(patience(t)); e != nil || err != ErrEnded {
		t.Errorf("after the end: %+v, %v", e, err)
	}
	return r
}

func call(t testing.TB, a *Agent, uri string) *Dialog {
	t.Helper()
	d, err := a.Invite(t.Context(), uri, offerSDP)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func accept(t testing.TB, a *Agent) *Dialog {
	t.Helper()
	d, err := a.Accept(patience(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// establish makes a call from a to b and returns both ends of it.
func establish(t testing.TB, a, b *Agent) (caller, callee *Dialog) {
	t.Helper()
	caller = call(t, a, uriOf(b))
	callee = accept(t, b)
	must(t, callee.Answer(answerSDP))
	next[Answered](t, caller)
	next[Confirmed](t, callee)
	return caller, callee
}

// world is a simulated network, for tests in virtual time.
type world struct {
	t   testing.TB
	net *netsim.Net
	mu  sync.Mutex
	tcp map[netip.AddrPort]*memoryListener
}

func newWorld(t testing.TB, cfg netsim.Config) *world {
	return &world{t: t, net: netsim.NewNet(cfg), tcp: map[netip.AddrPort]*memoryListener{}}
}

var (
	aliceAt = netip.MustParseAddrPort("192.0.2.1:5060")
	bobAt   = netip.MustParseAddrPort("192.0.2.2:5060")
)

func (w *world) agent(at netip.AddrPort) *Agent {
	w.t.Helper()
	conn, err := w.net.Listen(at)
	if err != nil {
		w.t.Fatal(err)
	}
	l := &memoryListener{at: at, conns: make(chan net.Conn), closed: make(chan struct{})}
	w.mu.Lock()
	w.tcp[at] = l
	w.mu.Unlock()
	a, err := newAgent(Config{Identity: "sip:user@" + at.Addr().String()}, conn, l, w.dial)
	if err != nil {
		w.t.Fatal(err)
	}
	a.resolver = func(_ context.Context, host string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Name: host, IsNotFound: true}
	}
	return a
}

// dial makes an in-memory connection to an agent of the world.
func (w *world) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	w.mu.Lock()
	l := w.tcp[to]
	from := netip.AddrPortFrom(netip.MustParseAddr("192.0.2.99"), uint16(40000+len(w.tcp)))
	w.mu.Unlock()
	if l == nil {
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	select {
	case l.conns <- memoryConn{far, from}:
		return memoryConn{near, to}, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type memoryListener struct {
	at     netip.AddrPort
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *memoryListener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at) }

type memoryConn struct {
	net.Conn
	peer netip.AddrPort
}

func (c memoryConn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.peer) }

// script is a peer that says exactly what a test tells it to.
type script struct {
	t    testing.TB
	conn packetConn
	at   netip.AddrPort
	to   netip.AddrPort
	seen map[string]bool // on real sockets: what the agent may repeat, by its branch
}

// newScript opens a real socket that talks to an agent.
func newScript(t testing.TB, to *Agent) *script {
	t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(to.Addr().Addr(), 0)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	return &script{t, conn, conn.LocalAddr().(*net.UDPAddr).AddrPort(), to.Addr(), map[string]bool{}}
}

// script opens a simulated socket that talks to an agent.
func (w *world) script(at netip.AddrPort, to *Agent) *script {
	w.t.Helper()
	conn, err := w.net.Listen(at)
	if err != nil {
		w.t.Fatal(err)
	}
	return &script{w.t, conn, at, to.Addr(), nil}
}

// expand fills in what the lines of a message leave to it: {me}, {you} and
// Content-Length. A message is its lines, a blank one, and perhaps a body.
func (s *script) expand(text string) []byte {
	text = strings.NewReplacer("{me}", s.at.String(), "{you}", s.to.String()).Replace(text)
	head, body, _ := strings.Cut(text, "\n\n")
	head = strings.ReplaceAll(strings.TrimSpace(head), "\n", "\r\n")
	return fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

func (s *script) send(text string) {
	s.t.Helper()
	s.write(s.expand(text))
}

func (s *script) write(b []byte) {
	s.t.Helper()
	if _, err := s.conn.WriteToUDPAddrPort(b, s.to); err != nil {
		s.t.Fatal(err)
	}
}

func (s *script) read() sip.Message {
	s.t.Helper()
	b := make([]byte, 1<<16)
	n, _, err := s.conn.ReadFromUDPAddrPort(b)
	if err != nil {
		s.t.Fatalf("nothing more came: %v", err)
	}
	m, err := sip.ParseMessage(b[:n])
	if err != nil {
		s.t.Fatalf("%v in\n%s", err, b[:n])
	}
	return m
}

// again tells a message that the agent has repeated by itself, because half a
// second is not long on a busy machine: a request, or the final response to an
// INVITE. In virtual time a test has counted on it.
func (s *script) again(m sip.Message, what string) bool {
	if s.seen == nil {
		return false
	}
	key := what + m.Via().String() + m.To().Value()
	again := s.seen[key]
	s.seen[key] = true
	return again
}

// request reads until a request of the method comes.
func (s *script) request(method string) *sip.Request {
	s.t.Helper()
	for {
		r, ok := s.read().(*sip.Request)
		if ok && string(r.Method) == method && (method == "ACK" || !s.again(r, method)) {
			return r
		}
	}
}

// response reads until a response to the method that is not 100 comes.
func (s *script) response(method string) *sip.Response {
	s.t.Helper()
	for {
		r, ok := s.read().(*sip.Response)
		if !ok || string(r.CSeq().MethodName) != method || r.StatusCode == 100 {
			continue
		}
		if method != "INVITE" || r.StatusCode < 200 || !s.again(r, r.StartLine()) {
			return r
		}
	}
}

// expect reads the next response to the method and checks its code.
func (s *script) expect(method string, code int) *sip.Response {
	s.t.Helper()
	r := s.response(method)
	if r.StatusCode != code {
		s.t.Fatalf("%s got %d %s, want %d", method, r.StatusCode, r.Reason, code)
	}
	return r
}

// reply answers a request of the agent with a code, a tag, and maybe a body.
func (s *script) reply(r *sip.Request, code int, tag, extra string, body []byte) {
	s.t.Helper()
	res := sip.NewResponseFromRequest(r, code, "As Scripted", nil)
	if code > 100 {
		res.To().Params.Add("tag", tag)
	}
	text := strings.TrimSuffix(strings.ReplaceAll(res.String(), "\r\n", "\n"), "\n\n")
	text = strings.Replace(text, "\nContent-Length: 0", "", 1)
	text += "\nContact: <sip:phone@{me}>" + extra
	if body != nil {
		text += "\nContent-Type: application/sdp\n\n" + string(body)
	}
	s.send(text)
}

// invite is a call from the script; headers may add lines to it.
func invite(headers string, body []byte) string {
	return "INVITE sip:bob@{you} SIP/2.0\nVia: SIP/2.0/UDP {me};branch=z9hG4bKinvite;rport\n" +
		dialogHeaders("", "1 INVITE") + headers + "Content-Type: application/sdp\n\n" + string(body)
}

// dialogHeaders are the headers every request of the script has.
func dialogHeaders(toTag, cseq string) string {
	if toTag != "" {
		toTag = ";tag=" + toTag
	}
	return "Max-Forwards: 70\nFrom: \"Script\" <sip:script@example.org:5070>;tag=script\nTo: <sip:bob@{you}>" + toTag +
		"\nCall-ID: call-of-script\nCSeq: " + cseq + "\nContact: <sip:script@{me}>\n"
}

// within is a request of the script in a dialog with the agent's tag.
func within(method, tag string, cseq int, rest string) string {
	return fmt.Sprintf("%s sip:bob@{you} SIP/2.0\nVia: SIP/2.0/UDP {me};branch=z9hG4bK%s%d;rport\n", method, method, cseq) +
		dialogHeaders(tag, fmt.Sprintf("%d %s", cseq, method)) + rest
}

// bodied ends a request with a description.
func bodied(body []byte) string { return "Content-Type: application/sdp\n\n" + string(body) }

// toTag returns the tag that the agent gave itself.
func toTag(r *sip.Response) string { return tagOf(r.To().Params) }

// streamConn lets a script speak over a connection: one read, one message.
type streamConn struct{ net.Conn }

func (c streamConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, err := readMessage(c.Conn, b)
	return n, netip.AddrPort{}, err
}

func (c streamConn) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return c.Write(b) }

// readMessage reads one message of at most len(b) bytes.
func readMessage(r io.Reader, b []byte) (int, error) {
	n := 0
	for !bytes.HasSuffix(b[:n], []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, b[n:n+1]); err != nil {
			return n, err
		}
		n++
	}
	_, after, _ := bytes.Cut(b[:n], []byte("Content-Length: "))
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	if err != nil {
		return n, err
	}
	_, err = io.ReadFull(r, b[n:n+length])
	return n + length, err
}

// hangUp is the BYE of a script that was called, from a request it has got.
func (s *script) hangUp(r *sip.Request) string {
	r.To().Params.Add("tag", "x")
	return "BYE sip:alice@{you} SIP/2.0\nVia: SIP/2.0/UDP {me};branch=z9hG4bKbye;rport\nMax-Forwards: 70\n" +
		"From: " + r.To().Value() + "\nTo: " + r.From().Value() + "\nCall-ID: " + r.CallID().Value() + "\nCSeq: 1 BYE\n"
}

// replaceMethod turns a request into its CANCEL or the ACK of its failure.
func replaceMethod(text, method string) string {
	head, _, _ := strings.Cut(text, "Content-Type")
	return strings.ReplaceAll(strings.Replace(head, "INVITE sip", method+" sip", 1), " INVITE\n", " "+method+"\n")
}
