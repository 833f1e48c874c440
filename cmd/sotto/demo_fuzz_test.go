package main

import (
	"bytes"
	"testing"
	"time"
)

// FuzzTap feeds the tap whatever may come to its ports. What it passes on is
// what came, but for Via and the audio port.
func FuzzTap(f *testing.F) {
	f.Add([]byte("INVITE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=x\r\nContent-Length: 26\r\n\r\nm=audio 4000 RTP/AVP 0\r\n"))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: a;branch=1, b;branch=2\r\n\r\na=rtcp:1\r\nm=audio 1 x"))
	f.Add([]byte("\x90\x60\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\xbe\xde\xff\xff"))
	f.Add([]byte("\x80\xc8\x00\x01\x00\x00\x00\x00"))
	f.Add([]byte("\x10\x00\x00\x01ZRTP"))
	check, err := newClearCheck(frames(2))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		sent, _ := check.judge([]datagram{{time.UnixMilli(0), callee, b}})
		if all := sent[callee]; all.ZRTP+all.Clear != 1 || sent[caller] != (traffic{}) {
			t.Errorf("%+v", sent) // nothing is sealed before there are keys
		}
		m, err := parseSIP(b)
		if err != nil {
			return
		}
		if !bytes.Equal(m.bytes(), b) {
			t.Errorf("%q became %q", b, m.bytes())
		}
		if port, err := m.redirectAudio(6000); err != nil && port != 0 {
			t.Errorf("port %d and %v", port, err)
		}
		if m.pushVia("127.0.0.1:1") == nil && m.popVia() != nil {
			t.Error("a Via went in and does not come out")
		}
	})
}
