package pulse

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/media/route"
)

// recorded are the answers of a real server, by command.
func recorded(t testing.TB, file string) map[uint32][]byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	answers := map[uint32][]byte{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var command uint32
		var text string
		if _, err := fmt.Sscan(lines.Text(), &command, &text); err != nil {
			t.Fatal(err)
		}
		if answers[command], err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	if len(answers) != 5 {
		t.Fatalf("%d answers are recorded, want 5", len(answers))
	}
	return answers
}

// server gives recorded answers on a socket.
type server struct {
	socket  string
	mu      sync.Mutex // guards what follows
	answers map[uint32][]byte
	silent  bool
	conn    net.Conn // the latest
}

func startServer(t *testing.T, file string) *server {
	t.Helper()
	s := &server{socket: filepath.Join(t.TempDir(), "native"), answers: recorded(t, file)}
	s.answers[cmdAuth] = appendNumber(nil, version)
	s.answers[cmdSetClientName] = appendNumber(nil, 7)
	s.answers[cmdSubscribe] = nil
	listener, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() { // until the test ends
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.do(func() { s.conn = conn })
			go s.serve(conn)
		}
	}()
	return s
}

func (s *server) do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// serve answers until the connection ends.
func (s *server) serve(conn net.Conn) {
	for {
		request, err := readPacket(conn)
		if err != nil {
			return
		}
		s.do(func() {
			if s.silent {
				return
			}
			answer, known := s.answers[request.command]
			if !known {
				conn.Write(appendPacket(nil, cmdError, request.tag, appendNumber(nil, noEntity)))
				return
			}
			conn.Write(appendPacket(nil, cmdReply, request.tag, answer))
		})
	}
}

// send sends what nobody has asked for.
func (s *server) send(command uint32, body []byte) {
	s.do(func() { s.conn.Write(appendPacket(nil, command, control, body)) })
}

// watch is a Watch of s whose facts arrive on the channel.
func (s *server) watch(t *testing.T, onPipeWire bool) <-chan route.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan route.Event)
	var ended sync.WaitGroup
	ended.Go(func() { Watch(ctx, Server{s.socket, onPipeWire}, events) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return events
}

// until returns the first fact that wanted accepts, and all before it.
func until(t *testing.T, events <-chan route.Event, wanted func(route.Fact) bool) (route.Fact, []route.Fact) {
	t.Helper()
	var before []route.Fact
	for {
		select {
		case e := <-events:
			if e.From != route.Pulse || e.At.IsZero() {
				t.Errorf("%+v: from %v at %v", e.Fact, e.From, e.At)
			}
			if wanted(e.Fact) {
				return e.Fact, before
			}
			before = append(before, e.Fact)
		case <-time.After(10 * time.Second):
			t.Fatalf("no such fact after %+v", before)
		}
	}
}

func is[F route.Fact](f route.Fact) bool {
	_, ok := f.(F)
	return ok
}

func lost(reason string) func(route.Fact) bool {
	return func(f route.Fact) bool {
		l, ok := f.(route.Lost)
		return ok && strings.Contains(l.Reason, reason)
	}
}

// discard is a connection to nobody.
type discard struct{ net.Conn }

func (discard) Write(b []byte) (int, error)      { return len(b), nil }
func (discard) SetWriteDeadline(time.Time) error { return nil }
