package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// sipMessage is a SIP datagram as the demo's tap sees it: as much of it
// as a stateless proxy between two phones of ours must understand.
type sipMessage struct {
	start   string   // request or status line
	headers []string // whole lines
	body    []byte
}

var errSIP = errors.New("not a SIP message")

func parseSIP(b []byte) (sipMessage, error) {
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return sipMessage{}, errSIP
	}
	lines := strings.Split(string(head), "\r\n")
	if len(lines) < 2 || !strings.Contains(lines[0], "SIP/2.0") {
		return sipMessage{}, errSIP
	}
	return sipMessage{start: lines[0], headers: lines[1:], body: body}, nil
}

// bytes is m as a datagram.
func (m *sipMessage) bytes() []byte {
	return []byte(m.start + "\r\n" + strings.Join(m.headers, "\r\n") + "\r\n\r\n" + string(m.body))
}

func (m *sipMessage) response() bool { return strings.HasPrefix(m.start, "SIP/2.0 ") }

// header is the index of the first header of that name, or -1.
func (m *sipMessage) header(name string) int {
	for i, line := range m.headers {
		if n, _, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(n), name) {
			return i
		}
	}
	return -1
}

// pushVia makes the response to a request come back to address (RFC 3261
// §16.11). The branch is the sender's own, which repetitions share.
func (m *sipMessage) pushVia(address string) error {
	i := m.header("Via")
	if i < 0 {
		return errSIP
	}
	_, branch, ok := strings.Cut(m.headers[i], "branch=")
	if !ok {
		return errSIP
	}
	branch, _, _ = strings.Cut(branch, ";")
	via := "Via: SIP/2.0/UDP " + address + ";branch=" + branch
	m.headers = append([]string{via}, m.headers...)
	return nil
}

// popVia takes back what pushVia has added.
func (m *sipMessage) popVia() error {
	i := m.header("Via")
	if i < 0 {
		return errSIP
	}
	if _, others, several := strings.Cut(m.headers[i], ","); several {
		m.headers[i] = "Via:" + others
		return nil
	}
	m.headers = append(m.headers[:i], m.headers[i+1:]...)
	return nil
}

// redirectAudio has the audio of the session description in m come to port
// and returns the port that stood there; 0 if m describes no audio.
func (m *sipMessage) redirectAudio(port uint16) (uint16, error) {
	var old uint64
	lines := strings.Split(string(m.body), "\r\n")
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, "m=audio "); ok && old == 0 {
			number, profile, _ := strings.Cut(rest, " ")
			var err error
			if old, err = strconv.ParseUint(number, 10, 16); err != nil {
				return 0, fmt.Errorf("%w: port %q", errSIP, number)
			}
			lines[i] = fmt.Sprintf("m=audio %d %s", port, profile)
		} else if strings.HasPrefix(line, "a=rtcp:") {
			lines[i] = fmt.Sprintf("a=rtcp:%d", port)
		}
	}
	if old == 0 {
		return 0, nil
	}
	m.body = []byte(strings.Join(lines, "\r\n"))
	if i := m.header("Content-Length"); i >= 0 {
		m.headers[i] = "Content-Length: " + strconv.Itoa(len(m.body))
	}
	return uint16(old), nil
}
