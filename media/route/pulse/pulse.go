// Package pulse tells what PulseAudio says of sinks, sources and streams, in
// its native protocol, version 35. PipeWire's imitation of it does the same,
// but does not show links that other programs make: see media/route/pipewire.
package pulse

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// Server is where a sound server listens.
type Server struct {
	Socket string // path
	// OnPipeWire says that it is PipeWire's imitation, whose graph is watched
	// too. A server that is the other one is not understood.
	OnPipeWire bool
}

// ErrNoSocket says that the environment names no server on this machine.
var ErrNoSocket = errors.New("pulse: the sound server is not on this machine")

// Socket is the path of the user's server: of PULSE_SERVER, or else
// pulse/native in the runtime directory. The error is [ErrNoSocket].
func Socket() (string, error) {
	if named := os.Getenv("PULSE_SERVER"); named != "" {
		path := strings.TrimPrefix(named, "unix:")
		if !filepath.IsAbs(path) || strings.ContainsAny(path, " {}") {
			return "", fmt.Errorf("%w: PULSE_SERVER is %q", ErrNoSocket, named)
		}
		return path, nil
	}
	dir := os.Getenv("PULSE_RUNTIME_PATH")
	if dir == "" {
		runtime := os.Getenv("XDG_RUNTIME_DIR")
		if runtime == "" {
			runtime = fmt.Sprintf("/run/user/%d", os.Getuid())
		}
		dir = filepath.Join(runtime, "pulse")
	}
	return filepath.Join(dir, "native"), nil
}

// Watch tells what the server says until ctx ends, whenever it is there. All
// times are those at which a message was read.
func Watch(ctx context.Context, server Server, out chan<- route.Event) {
	attend.Run(ctx, route.Pulse, out, func(ctx context.Context, tell attend.Tell) error {
		s, err := open(server.Socket)
		if err != nil {
			return err
		}
		defer s.conn.Close()
		s.tell = tell
		return s.follow(ctx, server.OnPipeWire)
	})
}

// OnPipeWire asks the server at socket whether it is PipeWire's imitation.
func OnPipeWire(ctx context.Context, socket string) (bool, error) {
	s, err := open(socket)
	if err != nil {
		return false, err
	}
	defer s.conn.Close()
	if until, ok := ctx.Deadline(); ok {
		if err := s.conn.SetDeadline(until); err != nil {
			return false, err
		}
	}
	var name string
	s.onServer = func(server string) error {
		name = server
		return nil
	}
	if err := s.greet(); err != nil {
		return false, err
	}
	for name == "" {
		p, err := readPacket(s.conn)
		if err != nil {
			return false, err
		}
		if err := s.take(p, time.Now()); err != nil {
			return false, err
		}
	}
	return onPipeWire(name), nil
}

// open connects, without a word.
func open(socket string) (*session, error) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return nil, errors.New("it is not there")
	}
	return newSession(conn), nil
}

// cookie is the user's, which servers may ask for.
func cookie() []byte {
	path := os.Getenv("PULSE_COOKIE")
	if path == "" {
		config := os.Getenv("XDG_CONFIG_HOME")
		if config == "" {
			config = filepath.Join(os.Getenv("HOME"), ".config")
		}
		path = filepath.Join(config, "pulse", "cookie")
	}
	const size = 256
	if c, err := os.ReadFile(path); err == nil && len(c) == size {
		return c
	}
	return make([]byte, size) // our user ID on the socket is enough for most servers
}
