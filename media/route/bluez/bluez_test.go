package bluez

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sotto/media/route"
)

const (
	radio   = dbus.ObjectPath("/org/bluez/hci0")
	headset = dbus.ObjectPath("/org/bluez/hci0/dev_AA")
	stream  = dbus.ObjectPath("/org/bluez/hci0/dev_AA/fd0")
)

func is(value any) dbus.Variant { return dbus.MakeVariant(value) }

func adapterObject(powered bool) interfaces {
	return interfaces{adapterName: {"Address": is("00:11"), "Powered": is(powered)}, "org.bluez.Media1": {}}
}

func deviceObject(connected bool) interfaces {
	return interfaces{"org.bluez.Device1": {
		"Address": is("AA"), "Name": is("Buds"), "Connected": is(connected), "Paired": is(true), "Class": is(uint32(0x240404)), "Icon": is("audio-headset"),
		"UUIDs": is([]string{"0000110b-0000-1000-8000-00805f9b34fb"}), "RSSI": is(int16(-40)),
	}}
}

// start is a Watch whose facts arrive on the channel.
func start(t *testing.T) <-chan route.Event {
	t.Helper()
	return startPatient(t, patience)
}

// startPatient is one for which a bus may take that long: a whole minute where there
// is much to read, as the bus is ours, and as slow as the machine.
func startPatient(t *testing.T, patience time.Duration) <-chan route.Event {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan route.Event)
	var ended sync.WaitGroup
	ended.Go(func() { watch(ctx, events, patience) })
	t.Cleanup(func() {
		cancel()
		ended.Wait()
	})
	return events
}

// expect reads the next facts.
func expect(t *testing.T, events <-chan route.Event, wanted ...route.Fact) {
	t.Helper()
	for _, want := range wanted {
		select {
		case e := <-events:
			if e.From != route.BlueZ || e.At.IsZero() || !reflect.DeepEqual(e.Fact, want) {
				t.Fatalf("got %T %+v, want %T %+v", e.Fact, e, want, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("nothing came, want %T %+v", want, want)
		}
	}
}

// Nobody has any business with us, and who calls all the same costs us nothing.
func TestCallsOfOthers(t *testing.T) {
	bus := startBus(t)
	bus.do(func() { bus.objects[radio] = adapterObject(true) })
	events := startPatient(t, time.Minute)
	expect(t, events, route.BluetoothAdapter{ID: route.ID(radio), Powered: true}, route.Ready{})
	for range 1000 {
		bus.call("/", "org.freedesktop.DBus.Peer", "Ping")
		bus.call("/", "org.freedesktop.DBus.Introspectable", "Introspect")
	}
	bus.signal(blueZ, radio, properties+".PropertiesChanged", adapterName, map[string]dbus.Variant{"Powered": is(false)}, []string{})
	expect(t, events, route.BluetoothAdapter{ID: route.ID(radio)}) // so all calls have been read
	bus.do(func() {
		if bus.answers > 0 {
			t.Errorf("%d calls were answered", bus.answers)
		}
	})
}

func TestWatch(t *testing.T) {
	bus := startBus(t)
	bus.do(func() { bus.objects[radio] = adapterObject(true) })
	events := start(t)
	expect(t, events, route.BluetoothAdapter{ID: route.ID(radio), Powered: true}, route.Ready{})

	buds := route.BluetoothDevice{
		ID: route.ID(headset), Address: "AA", Name: "Buds", Class: 0x240404, Icon: "audio-headset",
		UUIDs: []string{"0000110b-0000-1000-8000-00805f9b34fb"},
	}
	bus.signal(blueZ, "/", manager+".InterfacesAdded", headset, deviceObject(false))
	expect(t, events, buds)
	// A stranger says the opposite of everything.
	bus.signal(stranger, "/", manager+".InterfacesRemoved", headset, []string{"org.bluez.Device1"})
	bus.signal(stranger, headset, properties+".PropertiesChanged", "org.bluez.Device1", map[string]dbus.Variant{"Name": is("None")}, []string{})
	bus.signal(stranger, "/org/freedesktop/DBus", "org.freedesktop.DBus.NameOwnerChanged", service, blueZ, stranger)
	bus.signal(blueZ, headset, properties+".PropertiesChanged", "org.bluez.Device1", map[string]dbus.Variant{"Connected": is(true), "Alias": is("My Buds")}, []string{"RSSI"})
	buds.Connected, buds.Name = true, "My Buds"
	expect(t, events, buds)
	bus.signal(blueZ, "/", manager+".InterfacesAdded", stream, interfaces{"org.bluez.MediaTransport1": {"Device": is(headset), "UUID": is("110a"), "State": is("idle")}})
	transport := route.BluetoothTransport{ID: route.ID(stream), Device: route.ID(headset), UUID: "110a", State: "idle"}
	expect(t, events, transport)
	bus.signal(blueZ, stream, properties+".PropertiesChanged", "org.bluez.MediaTransport1", map[string]dbus.Variant{"State": is("active")}, []string{})
	transport.State = "active"
	expect(t, events, transport)
	bus.signal(blueZ, radio, properties+".PropertiesChanged", adapterName, map[string]dbus.Variant{"Powered": is(false)}, []string{})
	expect(t, events, route.BluetoothAdapter{ID: route.ID(radio)})
	bus.signal(blueZ, "/", manager+".InterfacesRemoved", stream, []string{"org.bluez.MediaTransport1"})
	expect(t, events, route.Gone{ID: route.ID(stream)})

	// BlueZ ends and starts; then the bus does.
	bus.do(func() { bus.absent = true })
	bus.signal("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameOwnerChanged", service, blueZ, "")
	expect(t, events, route.Lost{Reason: errRestarted.Error()}, route.Ready{})
	bus.do(func() { bus.absent = false })
	bus.signal("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.NameOwnerChanged", service, "", blueZ)
	expect(t, events, route.Lost{Reason: errRestarted.Error()}, route.BluetoothAdapter{ID: route.ID(radio), Powered: true}, route.Ready{})
	bus.end()
	for range 3 { // it does not pass for a machine without Bluetooth
		select {
		case e := <-events:
			if _, ok := e.Fact.(route.Lost); !ok {
				t.Fatalf("got %+v", e)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the end of the bus is not told")
		}
	}
}

// Thousands of devices in view, some of which say that they are for audio, are
// passed over. One of them that connects counts at once, and what it is BlueZ is
// asked; paired ones are known before.
func TestCrowd(t *testing.T) {
	const many = 3 * maxObjects
	stranger := func(i int) (dbus.ObjectPath, interfaces) {
		d := deviceObject(false)
		d[deviceName]["Address"], d[deviceName]["Paired"] = is(fmt.Sprint(i)), is(false)
		return dbus.ObjectPath(fmt.Sprintf("%s/dev_%d", radio, i)), d
	}
	bus := startBus(t)
	bus.do(func() {
		bus.objects[headset] = deviceObject(false)
		for i := range many {
			path, d := stranger(i)
			bus.objects[path] = d
		}
	})
	events := startPatient(t, time.Minute)
	buds := route.BluetoothDevice{
		ID: route.ID(headset), Address: "AA", Name: "Buds", Class: 0x240404, Icon: "audio-headset",
		UUIDs: []string{"0000110b-0000-1000-8000-00805f9b34fb"},
	}
	expect(t, events, buds, route.Ready{})
	change := func(path dbus.ObjectPath, name string, value any, invalid ...string) {
		bus.do(func() { bus.objects[path][deviceName][name] = is(value) })
		bus.signal(blueZ, path, properties+".PropertiesChanged", deviceName, map[string]dbus.Variant{name: is(value)}, append([]string{}, invalid...))
	}
	for i := range many {
		path, d := stranger(many + i)
		bus.signal(blueZ, "/", manager+".InterfacesAdded", path, d)
		bus.signal(blueZ, path, properties+".PropertiesChanged", deviceName, map[string]dbus.Variant{"UUIDs": is([]string{"0000184e"})}, []string{})
		if i%(queue/4) == 0 { // no faster than they are taken
			change(headset, "Alias", fmt.Sprint(i))
			buds.Name = fmt.Sprint(i)
			expect(t, events, buds)
		}
	}
	path, _ := stranger(7)
	change(path, "Connected", true)
	theirs := buds
	theirs.ID, theirs.Address, theirs.Name, theirs.Connected = route.ID(path), "7", "Buds", true
	expect(t, events, route.BluetoothDevice{ID: route.ID(path), Connected: true}, theirs)
	change(path, "RSSI", int16(-20), "Alias") // which is another now, and not said
	expect(t, events, theirs, theirs)
	change(path, "Connected", false)
	expect(t, events, route.Gone{ID: route.ID(path)})
	change(headset, "Connected", true)
	buds.Connected = true
	expect(t, events, buds)

	// One that is gone before it can be asked about is told as far as it is known.
	gone, _ := stranger(2 * many)
	bus.signal(blueZ, gone, properties+".PropertiesChanged", deviceName, map[string]dbus.Variant{"Connected": is(true)}, []string{})
	expect(t, events, route.BluetoothDevice{ID: route.ID(gone), Connected: true})
	bus.signal(blueZ, "/", manager+".InterfacesRemoved", gone, []string{deviceName})
	expect(t, events, route.Gone{ID: route.ID(gone)})
}

// BlueZ does not answer a question, and what it tells meanwhile is told at once:
// not after the question has been given up, when it would be lost.
func TestToldWhileAsked(t *testing.T) {
	bus := startBus(t)
	bus.objects[headset] = deviceObject(false)
	bus.objects[headset][deviceName]["Paired"] = is(true)
	events := start(t)
	away := (<-events).Fact.(route.BluetoothDevice)
	expect(t, events, route.Ready{})
	bus.do(func() { bus.stuck = blueZ })
	change := func(changed map[string]dbus.Variant, invalid ...string) {
		bus.signal(blueZ, headset, properties+".PropertiesChanged", deviceName, changed, append([]string{}, invalid...))
	}
	change(map[string]dbus.Variant{}, "Alias") // which is asked for
	expect(t, events, away)
	change(map[string]dbus.Variant{"Connected": is(true)})
	here := away
	here.Connected = true
	expect(t, events, here)
	if lost, is := (<-events).Fact.(route.Lost); !is || !strings.Contains(lost.Reason, "deadline") {
		t.Errorf("%+v", lost)
	}
}

// Without a bus there is no Bluetooth, until there is one.
func TestNoBus(t *testing.T) {
	bus := startBus(t)
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+bus.path+"-later")
	events := start(t)
	expect(t, events, route.Ready{})
	bus.path += "-later"
	bus.listen(t)
	expect(t, events, route.Lost{Reason: errBusIsUp.Error()}, route.Ready{})
}

// What cannot be understood or followed is told as such.
func TestConfused(t *testing.T) {
	for name, confuse := range map[string]func(*fakeBus){
		"cannot be understood": func(b *fakeBus) {
			b.signal(blueZ, "/", manager+".InterfacesAdded", "no path", uint32(3))
		},
		"does not answer": func(b *fakeBus) {
			b.do(func() { b.stuck = blueZ })
		},
		"UUIDs of another type": func(b *fakeBus) {
			b.signal(blueZ, "/", manager+".InterfacesAdded", headset, interfaces{"org.bluez.Device1": {"Connected": is(true), "UUIDs": is("0000110b")}})
		},
		"another type later": func(b *fakeBus) {
			b.signal(blueZ, radio, properties+".PropertiesChanged", adapterName, map[string]dbus.Variant{"Powered": is("no")}, []string{})
		},
		"signals": func(b *fakeBus) {
			b.signal(blueZ, headset, properties+".PropertiesChanged", "org.bluez.Device1")
		},
	} {
		t.Run(name, func(t *testing.T) {
			bus := startBus(t)
			events := start(t)
			expect(t, events, route.Ready{})
			confuse(bus)
			e := <-events
			if l, ok := e.Fact.(route.Lost); !ok || !strings.Contains(l.Reason, errMalformed.Error()) && (name != "does not answer" || !strings.Contains(l.Reason, "deadline")) {
				t.Errorf("%+v", e)
			}
		})
	}
	i := &inbox{arrived: make(chan signal, 1)}
	for range 2 {
		i.DeliverSignal("", "", &dbus.Signal{})
	}
	if !i.full.Load() {
		t.Error("a lost signal is not noticed")
	}
	many := deviceObject(true)
	services := append(make([]string, 100), "0000110b-0000-1000-8000-00805f9b34fb")
	many["org.bluez.Device1"]["UUIDs"] = is(services)
	facts, err := objects{}.add(headset, many)
	if err != nil || len(facts) != 1 || !slices.Equal(facts[0].(route.BluetoothDevice).UUIDs, services) {
		t.Errorf("a service hides behind others: %+v, %v", facts, err)
	}
	all := objects{}
	for n := range maxObjects {
		all[dbus.ObjectPath(strings.Repeat("/a", n+1))] = nil
	}
	if _, _, err := all.take(&dbus.Signal{Name: manager + ".InterfacesAdded", Body: []any{dbus.ObjectPath("/b"), deviceObject(true)}}); !errors.Is(err, errTooMany) {
		t.Error(err)
	}
}

// Whatever BlueZ, or who poses as it, puts in a signal: no panic.
func FuzzTake(f *testing.F) {
	f.Add(uint8(0), "/a", "org.bluez.Device1", "Connected", "y", uint8(1))
	f.Add(uint8(1), "/a", "org.bluez.Device1", "UUIDs", "", uint8(2))
	f.Add(uint8(2), "/b", "org.bluez.MediaTransport1", "State", "active", uint8(3))
	f.Add(uint8(3), "/b", "org.bluez.Adapter1", "Powered", "x", uint8(0))
	f.Fuzz(func(t *testing.T, which uint8, path, name, key, text string, shape uint8) {
		p := dbus.ObjectPath(path)
		value := []dbus.Variant{is(true), is(text), is([]string{text}), is(map[string]dbus.Variant{text: is(uint32(7))}), is(p), {}}[shape%6]
		bodies := [][]any{
			{p, interfaces{name: {key: value}}},
			{p, []string{name, text}},
			{name, map[string]dbus.Variant{key: value}, []string{text}},
			{value, key}, {}, {nil, nil, nil},
		}
		o := objects{}
		_, _ = o.add(p, interfaces{name: {key: value}})
		if _, err := o.add("/a", deviceObject(true)); err != nil {
			t.Error(err)
		}
		for _, signal := range []string{manager + ".InterfacesAdded", manager + ".InterfacesRemoved", properties + ".PropertiesChanged"} {
			facts, _, _ := o.take(&dbus.Signal{Path: p, Name: signal, Body: bodies[int(which)%len(bodies)]})
			if len(facts) > 2 || len(o) > 3 {
				t.Errorf("%d facts, %d objects", len(facts), len(o))
			}
		}
	})
}

// TestMillionSignals: a million signals with what does not belong there, in the
// short form thousands; what they tell goes to a World.
func TestMillionSignals(t *testing.T) {
	signals := 10_000
	if os.Getenv("SOTTO_LONG") != "" {
		signals = 1_000_000
	}
	random := rand.New(rand.NewPCG(6, 4))
	path := func() dbus.ObjectPath {
		return dbus.ObjectPath(fmt.Sprintf("/org/bluez/hci0/dev_%d", random.IntN(100)))
	}
	text := func() string {
		return []string{"org.bluez.Device1", "org.bluez.MediaTransport1", adapterName, "Connected", "Powered", "UUIDs", "State", "Alias", "\x00\xff", ""}[random.IntN(10)]
	}
	value := func() any {
		return []any{true, text(), []string{text()}, map[string]dbus.Variant{text(): is(path())}, path(), random.Uint32(), is(text()), nil, dbus.Variant{}}[random.IntN(9)]
	}
	several := func() map[string]dbus.Variant {
		if v, ok := value().(dbus.Variant); ok {
			return map[string]dbus.Variant{text(): v, text(): is(true)}
		}
		return map[string]dbus.Variant{text(): is(true)}
	}
	world := route.NewWorld(route.BlueZ)
	o := objects{}
	told, refused := 0, 0
	for range signals {
		s := &dbus.Signal{Path: path(), Name: properties + ".PropertiesChanged", Body: []any{text(), several(), []string{text()}}}
		switch random.IntN(5) {
		case 0:
			s.Name, s.Body = manager+".InterfacesAdded", []any{path(), interfaces{text(): several(), "org.bluez.Device1": deviceObject(true)["org.bluez.Device1"]}}
		case 1:
			s.Name, s.Body = manager+".InterfacesRemoved", []any{path(), []string{text(), "org.bluez.Device1"}}
		case 2:
			s.Body = []any{value(), value(), value()}[:random.IntN(4)]
		}
		facts, _, err := o.take(s)
		if err != nil {
			refused++
		}
		for _, fact := range facts {
			told++
			world.Apply(route.Event{At: time.Now(), From: route.BlueZ, Fact: fact})
		}
		if len(o) > 100 {
			t.Fatalf("%d objects", len(o))
		}
	}
	world.Report(route.Self{PID: 1})
	t.Logf("%d signals: %d facts told, %d signals refused", signals, told, refused)
	if told < signals/10 || refused < signals/100 {
		t.Error("the signals are too wild, or too tame, to show anything")
	}
}
