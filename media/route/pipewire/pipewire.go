// Package pipewire tells what PipeWire's graph is: nodes, and the links between
// them, whoever has made them. It speaks the native protocol, version 3, and
// only listens.
package pipewire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// Socket is the path of the user's PipeWire, as PIPEWIRE_REMOTE and the runtime
// directory say.
func Socket() string {
	name := os.Getenv("PIPEWIRE_REMOTE")
	if name == "" {
		name = "pipewire-0"
	}
	if filepath.IsAbs(name) {
		return name
	}
	for _, key := range []string{"PIPEWIRE_RUNTIME_DIR", "XDG_RUNTIME_DIR"} {
		if dir := os.Getenv(key); dir != "" {
			return filepath.Join(dir, name)
		}
	}
	return filepath.Join(fmt.Sprintf("/run/user/%d", os.Getuid()), name)
}

// Watch tells what the graph is until ctx ends, whenever PipeWire is there. All
// times are those at which a message was read.
func Watch(ctx context.Context, socket string, out chan<- route.Event) {
	attend.Run(ctx, route.PipeWire, out, func(ctx context.Context, tell attend.Tell) error {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			return errors.New("it is not there")
		}
		defer conn.Close()
		return newSession(conn, tell).follow(ctx)
	})
}
