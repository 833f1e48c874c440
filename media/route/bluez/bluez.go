// Package bluez tells what BlueZ says of Bluetooth on the system bus: radios,
// devices and their audio transports; and it powers radios down.
package bluez

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/godbus/dbus/v5"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

const (
	service     = "org.bluez"
	manager     = "org.freedesktop.DBus.ObjectManager"
	properties  = "org.freedesktop.DBus.Properties"
	bus         = "org.freedesktop.DBus"
	adapterName = "org.bluez.Adapter1"

	// patience is how long BlueZ may take for an answer. It talks to hardware
	// in between, and what matters at once is told by the sound server too.
	patience = 2 * time.Second
	// queue is how many signals may wait.
	queue = 1024
	// maxQuestions is how many questions to BlueZ may be under way.
	maxQuestions = 256
)

var (
	errBusClosed = errors.New("the system bus is gone")
	errOverflow  = errors.New("more happens than can be followed")
	errRestarted = errors.New("the Bluetooth service was started or ended")
	errBusIsUp   = errors.New("the system bus was started")
)

// Watch tells what BlueZ says until ctx ends, whenever the system bus is there.
// A machine that never had a system bus has no Bluetooth.
func Watch(ctx context.Context, out chan<- route.Event) { watch(ctx, out, patience) }

// watch is [Watch] of a BlueZ that may take that long for an answer.
func watch(ctx context.Context, out chan<- route.Event, patience time.Duration) {
	had := false
	attend.Run(ctx, route.BlueZ, out, func(ctx context.Context, tell attend.Tell) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if !had && !haveBus() {
			return awaitBus(ctx, tell)
		}
		signals := &inbox{arrived: make(chan signal, queue)}
		conn, err := connect(ctx, signals)
		if err != nil {
			return err
		}
		defer conn.Close()
		had = true
		s := &session{conn: conn, patience: patience, tell: tell, objects: objects{}, answers: make(chan answer, maxQuestions)}
		return s.follow(ctx, signals)
	})
}

// awaitBus tells that there is nothing, and returns once there is a bus.
func awaitBus(ctx context.Context, tell attend.Tell) error {
	if err := tell(time.Now(), route.Ready{}); err != nil {
		return err
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-look.C:
			if haveBus() {
				return errBusIsUp
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// haveBus reports whether there is a socket of a system bus, or an address that
// is not a path.
func haveBus() bool {
	paths := []string{"/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"}
	if address := os.Getenv("DBUS_SYSTEM_BUS_ADDRESS"); address != "" {
		path, isPath := strings.CutPrefix(address, "unix:path=")
		if !isPath || strings.ContainsAny(path, ",;%") {
			return true
		}
		paths = []string{path}
	}
	return slices.ContainsFunc(paths, func(path string) bool {
		_, err := os.Stat(path)
		return !errors.Is(err, fs.ErrNotExist)
	})
}

// connect connects to the system bus. The connection ends with ctx.
func connect(ctx context.Context, signals dbus.SignalHandler) (*dbus.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	slow := time.AfterFunc(patience, cancel)
	conn, err := dbus.ConnectSystemBus(dbus.WithContext(ctx), dbus.WithSignalHandler(signals), dbus.WithIncomingInterceptor(dropCall))
	if !slow.Stop() {
		err = errors.Join(attend.ErrSlow, err)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(conn.Context(), cancel)
	return conn, nil
}

// dropCall makes of a call to us a message that the library passes over. We offer
// nothing, and it would answer each in a goroutine of its own, however many come.
func dropCall(m *dbus.Message) {
	if m.Type == dbus.TypeMethodCall {
		m.Type = 0 // which the specification calls invalid, and has ignored
	}
}

// signal is one signal with the time at which it was read.
type signal struct {
	*dbus.Signal
	at time.Time
}

// inbox takes signals on the connection's read loop, which it never blocks.
type inbox struct {
	arrived chan signal
	full    atomic.Bool // a signal was lost
}

// DeliverSignal implements [dbus.SignalHandler].
func (i *inbox) DeliverSignal(_, _ string, s *dbus.Signal) {
	select {
	case i.arrived <- signal{s, time.Now()}:
	default:
		i.full.Store(true)
	}
}

// session is one connection to the bus, owned by one goroutine.
type session struct {
	conn     *dbus.Conn
	patience time.Duration // that there is with BlueZ
	tell     attend.Tell
	owner    string // the unique name of BlueZ; empty if it does not run

	objects objects
	heard   dbus.Sequence // the last signal that was handled
	asking  int           // questions under way
	answers chan answer   // of those; has room for all
}

// answer is what came of a question, and who is to know. Signals are handled while
// it is awaited: BlueZ may hang, and a headset connect all the same.
type answer struct {
	call *dbus.Call
	then func(*dbus.Call) error
}

func (s *session) follow(ctx context.Context, signals *inbox) error {
	from, err := s.begin(ctx)
	if err != nil {
		return err
	}
	alive := time.NewTicker(s.patience)
	defer alive.Stop()
	for {
		select {
		case sig := <-signals.arrived:
			if sig.Sequence > from {
				s.heard = sig.Sequence
				err = s.take(ctx, sig)
			}
			if signals.full.Load() {
				err = errOverflow
			}
		case <-alive.C:
			err = s.ping(ctx)
		case a := <-s.answers:
			s.asking--
			err = a.then(a.call)
		case <-s.conn.Context().Done():
			err = errBusClosed
		}
		if err != nil {
			return err
		}
	}
}

// begin subscribes, tells all there is, and returns which message said so:
// older signals are in it already.
func (s *session) begin(ctx context.Context) (dbus.Sequence, error) {
	for _, match := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(manager)},
		{dbus.WithMatchSender(service), dbus.WithMatchInterface(properties), dbus.WithMatchMember("PropertiesChanged")},
		{dbus.WithMatchSender(bus), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, service)},
	} {
		ctx, cancel := context.WithTimeout(ctx, s.patience)
		err := s.conn.AddMatchSignalContext(ctx, match...)
		cancel()
		if err != nil {
			return 0, err
		}
	}
	owner := s.call(ctx, s.conn.BusObject(), bus+".GetNameOwner", service)
	if failed := new(dbus.Error); errors.As(owner.Err, failed) && failed.Name == bus+".Error.NameHasNoOwner" {
		return owner.ResponseSequence, s.tell(time.Now(), route.Ready{})
	}
	if err := owner.Store(&s.owner); err != nil {
		return 0, err
	}
	list := s.call(ctx, s.conn.Object(s.owner, "/"), manager+".GetManagedObjects")
	listed, err := managed(list)
	if err != nil {
		return 0, err
	}
	now := time.Now()
	for path, added := range listed {
		facts, err := s.objects.add(path, added)
		if err != nil {
			return 0, err
		}
		if err := s.tellAll(now, facts); err != nil {
			return 0, err
		}
	}
	return list.ResponseSequence, s.tell(now, route.Ready{})
}

// ping asks BlueZ for a sign of life, or the bus if BlueZ does not run. Every
// program that the bus knows answers this.
func (s *session) ping(ctx context.Context) error {
	object := s.conn.Object(cmp.Or(s.owner, bus), "/")
	return s.question(func() *dbus.Call { return s.call(ctx, object, bus+".Peer.Ping") }, func(answer *dbus.Call) error { return answer.Err })
}

// question asks without waiting for the answer.
func (s *session) question(call func() *dbus.Call, then func(*dbus.Call) error) error {
	if s.asking == maxQuestions {
		return errOverflow
	}
	s.asking++
	go func() { // until there is an answer, or patience ends
		s.answers <- answer{call(), then}
	}()
	return nil
}

// call waits for an answer for as long as patience lasts.
func (s *session) call(ctx context.Context, object dbus.BusObject, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	return object.CallWithContext(ctx, method, 0, args...)
}

// take handles a signal. Any program can send us one with BlueZ's names in it,
// so the sender is looked at.
func (s *session) take(ctx context.Context, sig signal) error {
	if sig.Sender == bus && sig.Name == bus+".NameOwnerChanged" {
		if len(sig.Body) > 0 && sig.Body[0] == any(service) {
			return errRestarted
		}
		return nil
	}
	if s.owner == "" || sig.Sender != s.owner {
		return nil
	}
	facts, ask, err := s.objects.take(sig.Signal)
	if err != nil {
		return fmt.Errorf("%s: %w", sig.Name, err)
	}
	if err := s.tellAll(sig.at, facts); err != nil || ask == "" {
		return err
	}
	return s.ask(ctx, sig.Path, ask)
}

// ask asks for all properties of an object's interface. What is told until the
// answer comes holds on if there is none because the object is gone.
func (s *session) ask(ctx context.Context, path dbus.ObjectPath, name string) error {
	then := func(answer *dbus.Call) error {
		if errors.As(answer.Err, new(dbus.Error)) {
			return nil
		}
		if answer.Err != nil {
			return answer.Err
		}
		if s.heard > answer.ResponseSequence { // and what that said may be newer
			return s.ask(ctx, path, name)
		}
		all, ok := at[map[string]dbus.Variant](answer.Body, 0)
		if !ok {
			return fmt.Errorf("%s: %w", name, errMalformed)
		}
		facts, err := s.objects.add(path, interfaces{name: all})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return s.tellAll(time.Now(), facts)
	}
	object := s.conn.Object(s.owner, path)
	return s.question(func() *dbus.Call { return s.call(ctx, object, properties+".GetAll", name) }, then)
}

func (s *session) tellAll(at time.Time, facts []route.Fact) error {
	for _, fact := range facts {
		if err := s.tell(at, fact); err != nil {
			return err
		}
	}
	return nil
}
