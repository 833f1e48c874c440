package bluez

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
)

// The names of the fake bus.
const (
	blueZ    = ":1.1" // BlueZ's unique name
	stranger = ":1.9" // another program's
	us       = ":1.2"
)

// fakeBus is a system bus with BlueZ on it, as far as one client can tell.
type fakeBus struct {
	path string

	mu      sync.Mutex // guards what follows
	absent  bool       // BlueZ does not run
	objects map[dbus.ObjectPath]interfaces
	matches []string
	refuse  string // the member that fails
	onSet   func() // nil: nothing
	stuck   string // who does not answer
	answers int    // that we have given
	out     *bufio.Writer
	conn    net.Conn // the latest
}

// startBus makes a bus the system bus of this test.
func startBus(t *testing.T) *fakeBus {
	t.Helper()
	b := &fakeBus{path: filepath.Join(t.TempDir(), "bus"), objects: map[dbus.ObjectPath]interfaces{}}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+b.path)
	b.listen(t)
	return b
}

func (b *fakeBus) listen(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("unix", b.path)
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
			go b.serve(conn)
		}
	}()
}

// serve authenticates and answers until the connection ends.
func (b *fakeBus) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for begun := false; !begun; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch words := strings.Fields(strings.TrimLeft(line, "\x00")); {
		case len(words) == 1 && words[0] == "AUTH":
			fmt.Fprint(conn, "REJECTED EXTERNAL\r\n")
		case words[0] == "AUTH":
			fmt.Fprint(conn, "OK 0123456789abcdef0123456789abcdef\r\n")
		case words[0] == "BEGIN":
			begun = true
		default:
			fmt.Fprint(conn, "ERROR\r\n")
		}
	}
	b.do(func() { b.conn, b.out = conn, bufio.NewWriter(conn) })
	for {
		m, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		b.do(func() { b.answer(m) })
	}
}

func (b *fakeBus) do(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// answer answers one call.
func (b *fakeBus) answer(call *dbus.Message) {
	if call.Type != dbus.TypeMethodCall {
		b.answers++
		return
	}
	member := call.Headers[dbus.FieldMember].Value().(string)
	path := call.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	var body []any
	failure := ""
	if call.Headers[dbus.FieldDestination].Value() == b.stuck {
		return
	}
	switch member {
	case "Hello":
		body = []any{us}
	case "AddMatch":
		b.matches = append(b.matches, call.Body[0].(string))
	case "GetNameOwner":
		if body = []any{blueZ}; b.absent {
			failure = "org.freedesktop.DBus.Error.NameHasNoOwner"
		}
	case "GetManagedObjects":
		if body = []any{b.objects}; b.absent {
			failure = "org.freedesktop.DBus.Error.ServiceUnknown"
		}
	case "GetAll":
		props, there := b.objects[path][call.Body[0].(string)]
		if body = []any{props}; !there {
			failure = "org.freedesktop.DBus.Error.UnknownObject"
		}
	case "Set":
		b.objects[path][call.Body[0].(string)][call.Body[1].(string)] = call.Body[2].(dbus.Variant)
		if b.onSet != nil {
			b.onSet()
		}
	}
	if member == b.refuse {
		failure = "org.bluez.Error.Failed"
	}
	b.reply(call, failure, body)
}

func (b *fakeBus) reply(call *dbus.Message, failure string, body []any) {
	m := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
		dbus.FieldDestination: dbus.MakeVariant(us),
	}}
	if failure != "" {
		m.Type, body = dbus.TypeError, nil
		m.Headers[dbus.FieldErrorName] = dbus.MakeVariant(failure)
	}
	b.write(m, body)
}

// signal sends a signal of BlueZ, or of who says that he is.
func (b *fakeBus) signal(sender string, path dbus.ObjectPath, name string, body ...any) {
	dot := strings.LastIndexByte(name, '.')
	b.do(func() {
		b.write(&dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldSender: dbus.MakeVariant(sender), dbus.FieldPath: dbus.MakeVariant(path),
			dbus.FieldInterface: dbus.MakeVariant(name[:dot]), dbus.FieldMember: dbus.MakeVariant(name[dot+1:]),
		}}, body)
	})
}

// call calls us, as another program.
func (b *fakeBus) call(path dbus.ObjectPath, iface, member string) {
	b.do(func() {
		b.write(&dbus.Message{Type: dbus.TypeMethodCall, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldSender: dbus.MakeVariant(stranger), dbus.FieldDestination: dbus.MakeVariant(us), dbus.FieldPath: dbus.MakeVariant(path),
			dbus.FieldInterface: dbus.MakeVariant(iface), dbus.FieldMember: dbus.MakeVariant(member),
		}}, nil)
	})
}

func (b *fakeBus) write(m *dbus.Message, body []any) {
	if len(body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body...))
		m.Body = body
	}
	if m.EncodeTo(b.out, binary.LittleEndian) == nil {
		b.out.Flush()
	}
}

// end takes the bus down.
func (b *fakeBus) end() {
	os.Remove(b.path)
	b.do(func() { b.conn.Close() })
}
