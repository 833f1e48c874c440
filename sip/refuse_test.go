package sip

import (
	"fmt"
	"strings"
	"testing"
)

// TestRefusals: what an agent does not understand outside a call gets the
// right code, and nobody hears of it.
func TestRefusals(t *testing.T) {
	bob := loopback(t, "bob")
	good := invite("", offerSDP)
	for name, c := range map[string]struct {
		text   string
		code   int
		header string // a header of the answer, and what it must contain
	}{
		"options":          {other("OPTIONS"), 200, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE"},
		"known method":     {other("MESSAGE"), 405, "Allow: INVITE"},
		"unknown method":   {other("FROBNICATE"), 501, ""},
		"stray bye":        {other("BYE"), 481, ""},
		"stray update":     {other("UPDATE"), 481, ""},
		"stray cancel":     {other("CANCEL"), 481, ""},
		"unknown dialog":   {within("INFO", "nobody", 3, ""), 481, ""},
		"version":          {strings.Replace(good, "SIP/2.0\n", "SIP/3.0\n", 1), 505, ""},
		"no From tag":      {strings.Replace(good, ";tag=script", "", 1), 400, "Warning: Missing From Tag"},
		"other CSeq":       {strings.Replace(good, "1 INVITE", "1 OPTIONS", 1), 400, "Warning: CSeq"},
		"unprintable From": {strings.Replace(good, "sip:script", "sip:sc\x1bript", 1), 400, "Warning: Unprintable"},
		"many headers":     {invite(strings.Repeat("X: y\n", maxHeaders), offerSDP), 513, ""},
		"long headers":     {invite("X: "+strings.Repeat("y", maxHead)+"\n", offerSDP), 513, ""},
		"extension":        {invite("Require: 100rel\nRequire: timer\n", offerSDP), 420, "Unsupported: 100rel, timer"},
		"scheme":           {strings.Replace(good, "INVITE sip:bob@{you}", "INVITE tel:+123", 1), 416, ""},
		"no offer":         {strings.Replace(invite("", nil), "Content-Type: application/sdp\n", "", 1), 488, "Warning: offer"},
		"other content":    {strings.Replace(good, "application/sdp", "text/plain", 1), 415, "Accept: application/sdp"},
		"encoded":          {invite("Content-Encoding: gzip\n", offerSDP), 415, ""},
		"malformed SDP":    {invite("", []byte("v=0\r\nnonsense")), 400, "Warning: Malformed session"},
		"no Contact":       {strings.Replace(good, "Contact:", "X-Contact:", 1), 400, "Warning: Contact"},
		"unwritable":       {strings.Replace(good, "Contact: <sip:script", "Contact: <sip:sc ript", 1), 400, "Warning: Contact"},
		"unusable Contact": {strings.Replace(good, "Contact: <sip:", "Contact: <http:", 1), 400, "Warning: Contact"},
	} {
		s := newScript(t, bob)
		s.send(c.text)
		res := s.read().String()
		if line, _, _ := strings.Cut(res, "\r\n"); !strings.Contains(line, fmt.Sprintf("SIP/2.0 %d ", c.code)) {
			t.Errorf("%s: got %s, want %d", name, line, c.code)
		}
		field, part, _ := strings.Cut(c.header, ": ")
		if _, after, found := strings.Cut(res, field); !found || !strings.Contains(after, part) {
			t.Errorf("%s: no %q in\n%s", name, c.header, res)
		}
		s.send(c.text) // the same again gets the same answer, tag and all
		if again := s.read().String(); again != res {
			t.Errorf("%s: a second answer is\n%s", name, again)
		}
	}
	if n := len(bob.all()); n != 0 {
		t.Errorf("%d dialogs made", n)
	}
}

// other is a request of the script outside any dialog.
func other(method string) string { return within(method, "", 1, "") }

// TestGarbage: what is no SIP at all, or cannot be answered, is dropped, and
// the agent goes on.
func TestGarbage(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	for _, text := range []string{
		"\r\n\r\n", "\x00\x00\x00\x00", "garbage", "INVITE sip:bob@x SIP/2.0\r\n\r\n",
		"SIP/2.0 200 OK\r\n\r\n", "SIP/2.0 99999999999 x\r\n\r\n",
		strings.ReplaceAll("ACK sip:bob@x SIP/2.0\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\nFrom: <sip:a@x>;tag=1\nTo: <sip:b@x>;tag=2\nCall-ID: 1\nCSeq: 1 ACK\n\n", "\n", "\r\n"),
	} {
		s.write([]byte(text))
	}
	truncated := s.expand(invite("", offerSDP))
	s.write(truncated[:len(truncated)-10])
	if w := s.expect("INVITE", 400).GetHeader("Warning"); w == nil || !strings.Contains(w.Value(), "Incomplete") {
		t.Errorf("warning %v", w)
	}
	s.send(other("OPTIONS"))
	s.expect("OPTIONS", 200)
}

// TestLoop: the same INVITE by another way is refused, RFC 3261 §8.2.2.2.
func TestLoop(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	s.send(invite("", offerSDP))
	d := accept(t, bob)
	s.send(strings.Replace(invite("", offerSDP), "z9hG4bKinvite", "z9hG4bKother", 1))
	s.expect("INVITE", 482)
	must(t, d.Answer(answerSDP))
	s.expect("INVITE", 200)
}

// TestBacklog: more calls than anyone accepts are turned away.
func TestBacklog(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	for round := range backlog {
		s.send(numbered(invite("", offerSDP), round))
	}
	s.send(numbered(invite("", offerSDP), backlog))
	if res := s.expect("INVITE", 503); res.GetHeader("Retry-After") == nil {
		t.Errorf("no Retry-After in\n%s", res)
	}
}

// TestTooManyDialogs: an agent does not remember more than it has room for.
func TestTooManyDialogs(t *testing.T) {
	bob := loopback(t, "bob")
	d := newDialog(bob, "call", "tag")
	bob.mu.Lock()
	for i := range maxDialogs {
		bob.dialogs[dialogKey{fmt.Sprint(i), "tag"}] = d
	}
	bob.mu.Unlock()
	s := newScript(t, bob)
	s.send(invite("", offerSDP))
	s.expect("INVITE", 503)
	if d, err := bob.Invite(t.Context(), "sip:alice@"+s.at.String(), offerSDP); d != nil || err == nil {
		t.Errorf("our own call: %v, %v", d, err)
	}
}

// TestACKGetsNothing: an ACK has no answer, whatever it belongs to.
func TestACKGetsNothing(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	s.send(within("ACK", "nobody", 1, ""))
	s.send(strings.Replace(within("ACK", "", 1, ""), ";tag=script", "", 1))
	s.send(other("OPTIONS"))
	if m := s.read(); m.CSeq().MethodName != "OPTIONS" {
		t.Errorf("got\n%s", m)
	}
}

// TestRequestsInCall: the codes of requests within a call.
func TestRequestsInCall(t *testing.T) {
	bob := loopback(t, "bob")
	s := newScript(t, bob)
	d, tag := answeredCall(t, s, bob, 0)
	send := func(method string, cseq int, rest string) {
		s.send(numbered(within(method, tag, cseq, rest), 0))
	}
	send("ACK", 1, "")
	next[Confirmed](t, d)
	for i, c := range []struct {
		method, rest string
		code         int
	}{
		{"OPTIONS", "", 200},
		{"INFO", "", 405},
		{"FROBNICATE", "", 501},
		{"OPTIONS", "Require: x\n", 420},
		{"UPDATE", "", 200}, // a refresh without an offer
		{"INVITE", "", 488}, // an offer would come with the ACK
		{"INVITE", "Content-Type: text/plain\n\nhello", 415},
		{"INVITE", "Content-Type: application/sdp\n\nv=0\r\n", 400},
		{"UPDATE", "Content-Type: application/sdp\n\nv=0\r\n", 400},
	} {
		send(c.method, i+2, c.rest)
		s.expect(c.method, c.code)
	}
	send("OPTIONS", 2, "X-Late: yes\n") // seen before: the same answer
	s.expect("OPTIONS", 200)
	s.send(strings.Replace(numbered(within("OPTIONS", tag, 2, ""), 0), "branch=", "branch=z9hG4bKlate", 1))
	s.expect("OPTIONS", 500) // out of order
	s.send(strings.Replace(numbered(within("BYE", tag, 90, ""), 0), ";tag=script", ";tag=stranger", 1))
	s.expect("BYE", 481)
	s.send(numbered(within("CANCEL", tag, 1, ""), 0))
	s.expect("CANCEL", 481)
	send("BYE", 91, "Reason: Q.850;cause=16;text=\"done\"\n")
	s.expect("BYE", 200)
	if r := ends(t, d, HungUp, true); r.Text != "done" {
		t.Errorf("reason %+v", r)
	}
	send("BYE", 92, "")
	s.expect("BYE", 200)
	send("OPTIONS", 93, "")
	s.expect("OPTIONS", 481)
}
