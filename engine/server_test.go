package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
)

// server is a SIP server between two engines that does what it likes with
// their messages, and sees all of their media. It is the Contact of each for
// the other, so that nothing goes around it.
type server struct {
	t        *testing.T
	sip      *net.UDPConn
	media    [2]*net.UDPConn // the port that each side takes for the other's
	spoil    func(body string) string
	dropZRTP bool
	wander   bool // each packet to the caller comes from another of its ports
	group    sync.WaitGroup

	mu     sync.Mutex
	phones [2]netip.AddrPort // SIP: of the caller, of the callee
	ends   [2]netip.AddrPort // media
	seen   []tapped
	agreed [2]sipText // the INVITE as the caller sent it, and the 200 as the callee did
	codes  chan int   // of the answers to what the server has asked itself
}

// tapped is a media packet that passed the server.
type tapped struct {
	from int
	b    []byte
}

// newServer starts a server before callee; behave says what it does beside
// forwarding.
func newServer(t *testing.T, callee *engine.Engine, behave func(*server)) *server {
	t.Helper()
	s := &server{t: t, codes: make(chan int, 8), spoil: func(body string) string { return body }}
	behave(s)
	s.phones[1] = callee.Addr()
	for _, conn := range []**net.UDPConn{&s.sip, &s.media[0], &s.media[1]} {
		var err error
		if *conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}); err != nil {
			t.Fatal(err)
		}
	}
	s.group.Go(func() { s.read(s.sip, s.onSIP) })
	for from := range s.media {
		s.group.Go(func() { s.read(s.media[from], func(_ netip.AddrPort, b []byte) { s.onMedia(from, b) }) })
	}
	t.Cleanup(func() {
		for _, conn := range []*net.UDPConn{s.sip, s.media[0], s.media[1]} {
			_ = conn.Close()
		}
		s.group.Wait()
	})
	return s
}

func (s *server) uri() string { return "sip:bob@" + s.address() }

func (s *server) address() string { return s.sip.LocalAddr().String() }

func (s *server) port(side int) uint16 {
	return s.media[side].LocalAddr().(*net.UDPAddr).AddrPort().Port()
}

func (s *server) read(conn *net.UDPConn, take func(netip.AddrPort, []byte)) {
	var buf [8192]byte
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			take(netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), bytes.Clone(buf[:n]))
		}
	}
}

func (s *server) onMedia(from int, b []byte) {
	s.mu.Lock()
	s.seen = append(s.seen, tapped{from, bytes.Clone(b)})
	to := s.ends[1-from]
	s.mu.Unlock()
	if to.IsValid() && !(s.dropZRTP && media.Classify(b) == media.KindZRTP) {
		by := s.media[1-from]
		if s.wander && from == 1 && len(s.packets())%2 == 0 {
			by = s.sip
		}
		_, _ = by.WriteToUDPAddrPort(b, to)
	}
}

// sipText is a SIP message, its lines as they are.
type sipText struct {
	head []string
	body string
}

func parseText(b []byte) sipText {
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	return sipText{strings.Split(head, "\r\n"), body}
}

func (m sipText) append() []byte {
	return []byte(strings.Join(m.head, "\r\n") + "\r\n\r\n" + m.body)
}

// header is the first line of that name, and what follows the name in it.
func (m sipText) header(name string) (line int, value string) {
	for i, h := range m.head {
		if n, v, ok := strings.Cut(h, ":"); ok && strings.EqualFold(strings.TrimSpace(n), name) {
			return i, strings.TrimSpace(v)
		}
	}
	return -1, ""
}

func (m sipText) set(name, value string) {
	if i, _ := m.header(name); i >= 0 {
		m.head[i] = name + ": " + value
	}
}

var (
	hostPort  = regexp.MustCompile(`127\.0\.0\.1:\d+`)
	audioLine = regexp.MustCompile(`m=audio (\d+) `)
	rtcpLine  = regexp.MustCompile(`a=rtcp:\d+`)
	hashLine  = regexp.MustCompile(`a=zrtp-hash:[^\r\n]*\r\n`)
	sdesLine  = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr\r\n" // signalledKey
	takeHash  = func(body string) string { return hashLine.ReplaceAllString(body, "") }
	otherHash = func(body string) string {
		return hashLine.ReplaceAllString(body, "a=zrtp-hash:1.10 "+strings.Repeat("ab", 32)+"\r\n")
	}
	addSDES    = func(body string) string { return takeHash(body) + sdesLine }
	insistSDES = func(body string) string { return strings.Replace(addSDES(body), "RTP/AVP", "RTP/SAVP", 1) }
	record     = func(body string) string { return body + "a=record:on\r\n" }
)

// onSIP passes a message on, spoilt, with the server for its sender.
func (s *server) onSIP(from netip.AddrPort, b []byte) {
	m := parseText(b)
	_, cseq := m.header("CSeq")
	if _, via := m.header("Via"); strings.Contains(via, "z9hG4bKserver") {
		if code, _ := strconv.Atoi(strings.Fields(m.head[0])[1]); code >= 200 {
			s.codes <- code
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	side := 0
	if from == s.phones[1] {
		side = 1
	} else {
		s.phones[0] = from
	}
	if port := audioLine.FindStringSubmatch(m.body); port != nil {
		n, _ := strconv.ParseUint(port[1], 10, 16)
		s.ends[side] = netip.AddrPortFrom(from.Addr(), uint16(n))
	}
	if strings.HasPrefix(m.head[0], "INVITE ") && side == 0 && s.agreed[0].head == nil {
		s.agreed[0] = parseText(b)
	}
	if strings.HasPrefix(m.head[0], "SIP/2.0 200") && side == 1 && strings.HasSuffix(cseq, "INVITE") && s.agreed[1].head == nil {
		s.agreed[1] = parseText(b)
	}
	if m.body != "" {
		m.body = s.spoil(s.redirected(m.body, 1-side))
		m.set("Content-Length", strconv.Itoa(len(m.body)))
	}
	if _, contact := m.header("Contact"); contact != "" {
		m.set("Contact", hostPort.ReplaceAllString(contact, s.address()))
	}
	if strings.HasPrefix(m.head[0], "SIP/2.0") {
		i, _ := m.header("Via")
		m.head = append(m.head[:i:i], m.head[i+1:]...)
	} else {
		m.head[0] = hostPort.ReplaceAllString(m.head[0], s.phones[1-side].String())
		_, via := m.header("Via")
		_, branch, _ := strings.Cut(via, "branch=")
		branch, _, _ = strings.Cut(branch, ";")
		m.head = append([]string{m.head[0], "Via: SIP/2.0/UDP " + s.address() + ";branch=" + branch}, m.head[1:]...)
	}
	_, _ = s.sip.WriteToUDPAddrPort(m.append(), s.phones[1-side])
}

// redirected is a description whose media comes to the server's port for a
// side.
func (s *server) redirected(body string, side int) string {
	body = audioLine.ReplaceAllString(body, fmt.Sprintf("m=audio %d ", s.port(side)))
	return rtcpLine.ReplaceAllString(body, fmt.Sprintf("a=rtcp:%d", s.port(side)))
}

// ask sends the caller a change of the call, as if the callee had, and returns
// the status that it answers with.
func (s *server) ask(method string, cseq int, change func(string) string) int {
	s.t.Helper()
	s.mu.Lock()
	invite, ok := s.agreed[0], s.agreed[1]
	to := s.phones[0]
	body := change(s.redirected(ok.body, 0))
	s.mu.Unlock()
	_, callID := ok.header("Call-ID")
	_, callee := ok.header("To")
	_, caller := invite.header("From")
	m := sipText{body: body, head: []string{
		method + " sip:alice@" + to.String() + " SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/UDP %s;branch=z9hG4bKserver%d", s.address(), cseq),
		"Max-Forwards: 70", "From: " + callee, "To: " + caller, "Call-ID: " + callID,
		fmt.Sprintf("CSeq: %d %s", cseq, method), "Contact: <" + s.uri() + ">",
		"Content-Type: application/sdp", fmt.Sprintf("Content-Length: %d", len(body)),
	}}
	_, _ = s.sip.WriteToUDPAddrPort(m.append(), to)
	select {
	case code := <-s.codes:
		if method == "INVITE" {
			m.body = ""
			m.head[0] = strings.Replace(m.head[0], "INVITE", "ACK", 1)
			m.set("CSeq", fmt.Sprintf("%d ACK", cseq))
			m.set("Content-Length", "0")
			if code < 300 {
				m.set("Via", fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bKserverACK%d", s.address(), cseq))
			}
			_, _ = s.sip.WriteToUDPAddrPort(m.append(), to)
		}
		return code
	case <-time.After(limit):
		s.t.Fatalf("%s is not answered", method)
		return 0
	}
}

// packets are all that passed so far.
func (s *server) packets() []tapped {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]tapped(nil), s.seen...)
}

// readable counts the voice that the server could understand: in the clear, or
// under the key that it has put into the signalling.
func (s *server) readable() (voice, readable int) {
	const opusFrame, tag = 80, 10
	firsts := [2]map[byte]bool{{}, {}}
	var keyed [2]int
	for _, p := range s.packets() {
		if media.Classify(p.b) != media.KindRTP {
			continue
		}
		voice++
		opener, err := protect.NewOpener(protect.AESCM128HMACSHA1_80, signalledKey[:16], signalledKey[16:])
		if err != nil {
			s.t.Fatal(err)
		}
		_, err = opener.Open(bytes.Clone(p.b))
		if len(p.b) < 12+opusFrame+4 || err == nil {
			readable++
			continue
		}
		keyed[p.from]++
		firsts[p.from][p.b[12]] = true
	}
	for from, n := range keyed { // the first byte of an Opus frame hardly changes
		if n >= 16 && len(firsts[from]) < min(n, 256)/4 {
			readable += n
		}
	}
	return voice, readable
}

// through places a call through the server. It is answered unless the server
// has spoilt it.
func (s *server) through(a, b *engine.Engine) (caller, callee *engine.Call) {
	s.t.Helper()
	caller, err := a.Dial(s.t.Context(), s.uri())
	if err != nil {
		s.t.Fatal(err)
	}
	if callee, err = b.Accept(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	_ = callee.Answer()
	s.t.Cleanup(func() { // while the server is still there to pass the BYE on
		_ = caller.Close()
		_ = callee.Close()
	})
	return caller, callee
}

// The server hears what can be heard: phones without secure mode that it keeps
// from agreeing keys.
func TestServerReadsClearVoice(t *testing.T) {
	t.Parallel()
	cfgA, cfgB := withAudio(audio.NewTone(440, 0.5), audio.Discard{}), withAudio(audio.NewTone(880, 0.5), audio.Discard{})
	cfgA.AllowInsecure, cfgB.AllowInsecure = true, true
	a, b := newEngine(t, cfgA), newEngine(t, cfgB)
	s := newServer(t, b, func(s *server) { s.spoil, s.dropZRTP = addSDES, true })
	s.through(a, b)
	s.hear(20)
	if voice, readable := s.readable(); voice == 0 || readable != voice {
		t.Errorf("of %d voice packets the server can read %d", voice, readable)
	}
}

// A server that spoils the descriptions of a call gets no voice: either ZRTP
// agrees keys all the same, or the call ends and says why.
func TestAdversary_F1_ServerSpoilsTheCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil    func(string) string
		dropZRTP bool
		secure   bool
	}{
		"nothing":                      {func(body string) string { return body }, false, true},
		"takes the hash":               {takeHash, false, true},
		"offers a key instead of ZRTP": {addSDES, true, false},
		"offers a key beside ZRTP":     {func(body string) string { return body + sdesLine }, false, true},
		"insists on its key":           {insistSDES, true, false},
		"records":                      {record, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newEngine(t, withAudio(audio.NewTone(440, 0.5), audio.Discard{})), newEngine(t, withAudio(audio.NewTone(880, 0.5), audio.Discard{}))
			s := newServer(t, b, func(s *server) { s.spoil, s.dropZRTP = c.spoil, c.dropZRTP })
			caller, callee := s.through(a, b)
			if c.secure {
				until[engine.Secured](t, caller)
				until[engine.Secured](t, callee)
				s.hear(20)
			} else {
				for _, call := range []*engine.Call{caller, callee} {
					if e := until[engine.Ended](t, call); e.Reason.Text == "" || e.Level.Encrypted() ||
						!e.Reason.Remote && e.Reason.Kind != engine.NotSecure && e.Reason.Kind != engine.Incompatible {
						t.Errorf("ended with %+v, %v", e.Reason, e.Level)
					}
				}
			}
			voice, readable := s.readable()
			if readable != 0 || c.secure != (voice > 0) {
				t.Errorf("of %d voice packets the server can read %d", voice, readable)
			}
		})
	}
}

// hear waits until n more packets of voice have passed each way.
func (s *server) hear(n int) {
	s.t.Helper()
	var want [2]int
	count := func() (c [2]int) {
		for _, p := range s.packets() {
			if media.Classify(p.b) == media.KindRTP {
				c[p.from]++
			}
		}
		return c
	}
	now := count()
	want = [2]int{now[0] + n, now[1] + n}
	tick := time.NewTicker(media.FrameDuration)
	defer tick.Stop()
	for start := time.Now(); now[0] < want[0] || now[1] < want[1]; now = count() {
		if time.Since(start) > limit {
			s.t.Fatalf("%v packets of voice, want %v", now, want)
		}
		<-tick.C
	}
}

// A server that sends a change of its own in the midst of a call, by re-INVITE
// or by UPDATE, is refused and gets no voice that it could read; or the call
// ends. Nor does it get any where it has the media sent elsewhere.
func TestAdversary_F1_ServerChangesTheCall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(string) string
		code   int
		ends   bool
	}{
		"takes the hash":               {takeHash, 488, false},
		"names another hash":           {otherHash, 488, false},
		"offers a key instead of ZRTP": {addSDES, 488, false},
		"insists on its key":           {insistSDES, 488, false},
		"offers a key beside ZRTP":     {func(body string) string { return body + sdesLine }, 200, false},
		"records":                      {record, 488, true},
		"nothing but a new version":    {func(body string) string { return body }, 200, false},
	} {
		for _, method := range []string{"INVITE", "UPDATE"} {
			t.Run(name+" by "+method, func(t *testing.T) {
				t.Parallel()
				a, b := newEngine(t, withAudio(audio.NewTone(440, 0.5), audio.Discard{})), newEngine(t, withAudio(audio.NewTone(880, 0.5), audio.Discard{}))
				s := newServer(t, b, func(*server) {})
				caller, callee := s.through(a, b)
				until[engine.Secured](t, caller)
				until[engine.Secured](t, callee)
				s.hear(2)
				if code := s.ask(method, 1000, raised(c.change)); code != c.code {
					t.Errorf("answered with %d", code)
				}
				if c.code != 200 {
					if r := until[engine.Refused](t, caller); r.Text == "" {
						t.Error("refused without a word")
					}
				}
				if c.ends {
					if e := until[engine.Ended](t, caller); e.Reason.Kind != engine.NotSecure {
						t.Errorf("ended with %+v", e.Reason)
					}
				} else {
					s.hear(20)
					if l := caller.Level(); l != engine.LevelEncrypted {
						t.Errorf("level is %v", l)
					}
				}
				if voice, readable := s.readable(); readable != 0 || voice == 0 {
					t.Errorf("of %d voice packets the server can read %d", voice, readable)
				}
			})
		}
	}
}

var originLine = regexp.MustCompile(`o=(\S+ \d+) (\d+) `)

// raised is change of a description of the next version (RFC 3264 §8).
func raised(change func(string) string) func(string) string {
	return func(body string) string {
		return change(originLine.ReplaceAllString(body, "o=$1 9${2} "))
	}
}
