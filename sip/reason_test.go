package sip

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sotto/internal/netsim"
)

// TestFailures: each answer of the other side has its one clear reason.
func TestFailures(t *testing.T) {
	for code, want := range map[int]Kind{
		301: Redirected, 400: Malformed, 401: Forbidden, 403: Forbidden, 404: NotFound, 405: Unsupported,
		407: Forbidden, 408: NoAnswer, 415: NotAcceptable, 420: Unsupported, 433: Failed, 480: Unavailable,
		481: Lost, 486: Busy, 487: Cancelled, 488: NotAcceptable, 500: Failed, 501: Unsupported,
		502: Unreachable, 503: Unavailable, 600: Busy, 603: Declined, 604: NotFound, 606: NotAcceptable,
	} {
		alice := loopback(t, "alice")
		s := newScript(t, alice)
		d := call(t, alice, "sip:bob@"+s.at.String())
		s.reply(s.request("INVITE"), code, "x", "", nil)
		r := ends(t, d, want, true)
		if r.Code != code || !strings.Contains(r.Error(), "As Scripted") || strings.Contains(r.Error(), "\n") {
			t.Errorf("%d: %+v %q", code, r, r)
		}
		if ack := s.request("ACK"); tagOf(ack.To().Params) != "x" {
			t.Errorf("%d: ACK %s", code, ack)
		}
		must(t, d.Bye(patience(t), ""))
	}
}

// TestRejections: what our callee refuses with, our caller understands.
func TestRejections(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	for code, want := range map[int]Kind{486: Busy, 603: Declined, 480: Unavailable, 488: NotAcceptable, 404: NotFound} {
		caller := call(t, alice, uriOf(bob))
		callee := accept(t, bob)
		must(t, callee.Reject(code))
		ends(t, callee, want, false)
		if r := ends(t, caller, want, true); r.Code != code || r.Text != phrases[code] {
			t.Errorf("%d: %+v", code, r)
		}
		must(t, callee.Bye(patience(t), ""))
	}
}

func TestDeclineByHangingUp(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller := call(t, alice, uriOf(bob))
	callee := accept(t, bob)
	must(t, callee.Bye(patience(t), ""))
	ends(t, callee, Declined, false)
	ends(t, caller, Declined, true)
}

// TestUnknownHost asks a name server that knows no name.
func TestUnknownHost(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	must(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { server.Close(); <-done })
	go func() {
		defer close(done)
		b := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			b[2], b[3] = b[2]|0x80, b[3]&0xf0|0x83 // a response: recursion available, no such name
			server.WriteTo(b[:n], from)
		}
	}()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
	alice := loopback(t, "alice")
	alice.resolver = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, "ip", host)
	}
	ends(t, call(t, alice, "sip:bob@no-such-host.invalid"), UnknownHost, false)
}

func TestLookups(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	for name, c := range map[string]struct {
		addrs []netip.Addr
		err   error
		want  Kind
	}{
		"gone":  {nil, &net.DNSError{Name: "bob.test", IsNotFound: true}, UnknownHost},
		"slow":  {nil, &net.DNSError{Name: "bob.test", IsTimeout: true}, Unreachable},
		"other": {[]netip.Addr{netip.IPv6Loopback()}, nil, Unreachable},
	} {
		alice.resolver = func(context.Context, string) ([]netip.Addr, error) { return c.addrs, c.err }
		if r := ends(t, call(t, alice, "sip:bob@bob.test"), c.want, false); strings.Contains(r.Error(), "\n") {
			t.Errorf("%s: %v", name, r)
		}
	}
	alice.resolver = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.IPv6Loopback(), bob.Addr().Addr()}, nil
	}
	caller := call(t, alice, "sip:bob@bob.test:"+portOf(bob))
	must(t, accept(t, bob).Answer(answerSDP))
	next[Answered](t, caller)
}

func portOf(a *Agent) string {
	_, port, _ := net.SplitHostPort(a.Addr().String())
	return port
}

// TestRefused: a call to a port where nothing listens fails at once, and the
// calls to others go on.
func TestRefused(t *testing.T) {
	alice, bob := loopback(t, "alice"), loopback(t, "bob")
	caller, callee := establish(t, alice, bob)
	nobody := loopback(t, "nobody")
	nowhere := uriOf(nobody)
	nobody.Close()
	for _, uri := range []string{nowhere, nowhere + ";transport=tcp", nowhere} {
		d := call(t, alice, uri)
		r := ends(t, d, Refused, false)
		if r.Error() != "nothing listens at the address: connection refused" {
			t.Errorf("%s: %q", uri, r)
		}
		must(t, d.Bye(patience(t), ""))
	}
	exchangeOffers(t, callee, caller)
}

// TestSilence: an address that never answers is given up after 32 seconds.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{})
		alice := w.agent(aliceAt)
		defer alice.Close()
		start := time.Now()
		d := call(t, alice, "sip:bob@"+bobAt.String())
		e, err := d.Next(t.Context())
		must(t, err)
		if r := e.(Ended).Reason; r.Kind != NoAnswer || r.Code != 408 || r.Remote {
			t.Errorf("ended with %+v", r)
		}
		if took := time.Since(start); took != timeout {
			t.Errorf("after %v", took)
		}
	})
}

// TestNoAnswer: the deadline of the call passes while it rings.
func TestNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, netsim.Config{Delay: time.Millisecond})
		alice, bob := w.agent(aliceAt), w.agent(bobAt)
		defer alice.Close()
		defer bob.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		caller, err := alice.Invite(ctx, uriOf(bob), offerSDP)
		must(t, err)
		callee := accept(t, bob)
		must(t, callee.Ring())
		next[Ringing](t, caller)
		e, err := caller.Next(t.Context())
		must(t, err)
		if r := e.(Ended).Reason; r.Kind != NoAnswer || r.Remote || r.Error() != "nobody answered" {
			t.Errorf("ended with %+v", r)
		}
		ends(t, callee, Cancelled, true)
		must(t, caller.Bye(t.Context(), ""))
	})
}

// TestMalformedAnswer: an answer that cannot be read ends the call on both sides.
func TestMalformedAnswer(t *testing.T) {
	for name, body := range map[string][]byte{"none": nil, "broken": []byte("v=0\r\no=?\r\n")} {
		alice := loopback(t, "alice")
		s := newScript(t, alice)
		d := call(t, alice, "sip:bob@"+s.at.String())
		s.reply(s.request("INVITE"), 200, "x", "", body)
		if r := ends(t, d, Malformed, true); !strings.Contains(r.Error(), "session description") {
			t.Errorf("%s: %v", name, r)
		}
		s.request("ACK")
		bye := s.request("BYE")
		if got := reasonText(bye); got != "malformed session description" {
			t.Errorf("%s: BYE says %q", name, got)
		}
		s.reply(bye, 200, "x", "", nil)
		must(t, d.Bye(patience(t), ""))
	}
}

func TestPortInUse(t *testing.T) {
	alice := loopback(t, "alice")
	if a, err := New(Config{Bind: alice.Addr().String()}); a != nil || !errors.Is(err, ErrPortInUse) {
		t.Errorf("got %v, %v", a, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") // its UDP port is free
	must(t, err)
	defer l.Close()
	if a, err := New(Config{Bind: l.Addr().String()}); a != nil || !errors.Is(err, ErrPortInUse) {
		t.Errorf("got %v, %v", a, err)
	}
}

func TestBadConfig(t *testing.T) {
	for _, cfg := range []Config{
		{Bind: "0.0.0.0:0"}, {Bind: "[::]:0"}, {Bind: ":5060"}, {Bind: "127.0.0.1"}, {Bind: "127.0.0.1:port"},
		{Bind: "127.0.0.1:0", Identity: "alice"}, {Bind: "127.0.0.1:0", Identity: "sips:alice@x"},
	} {
		if a, err := New(cfg); a != nil || err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v, %v", cfg, a, err)
		}
	}
}

func TestBadAddress(t *testing.T) {
	alice := loopback(t, "alice")
	for _, uri := range []string{
		"", "bob", "bob@host", "sips:bob@host", "tel:+1234", "sip:", "sip:bob@", "sip:bob@host:99999", "sip:bob@host:-1",
		"sip:bob@host;transport=tls", "sip:bob@host?Subject=x", "sip:bob@host\r\nVia: x", "<sip:bob@host>", "sip:b ob@host",
	} {
		if d, err := alice.Invite(t.Context(), uri, offerSDP); d != nil || !errors.Is(err, ErrBadAddress) {
			t.Errorf("%q: %v, %v", uri, d, err)
		}
	}
	if d, err := alice.Invite(t.Context(), "sip:bob@127.0.0.1", []byte("nonsense")); d != nil || err == nil {
		t.Errorf("nonsense offered: %v, %v", d, err)
	}
}

func TestReasonTexts(t *testing.T) {
	for k := Failed; k <= Closing; k++ {
		if s := k.String(); s == "" || strings.Contains(s, "kind") {
			t.Errorf("kind %d: %q", k, s)
		}
	}
	if got := printable("a\x1b[2Jb\r\nc\u202ed\xff" + strings.Repeat("x", 200)); strings.ContainsAny(got, "\x1b\r\n\u202e") || len(got) > maxText {
		t.Errorf("printable left %q", got)
	}
}
