package main

import (
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
)

// profiles is org.bluez.ProfileManager1. Hands-free profiles need sockets of
// the kernel's Bluetooth, so that nothing comes of them.
type profiles struct{}

// RegisterProfile is of org.bluez.ProfileManager1.
func (profiles) RegisterProfile(dbus.ObjectPath, string, map[string]dbus.Variant) *dbus.Error {
	return nil
}

// UnregisterProfile is of org.bluez.ProfileManager1.
func (profiles) UnregisterProfile(dbus.ObjectPath) *dbus.Error { return nil }

// media is org.bluez.Media1, where sound servers say what they can do.
type media struct{ *service }

// RegisterApplication is of org.bluez.Media1: the endpoints are asked for.
func (m media) RegisterApplication(sender dbus.Sender, path dbus.ObjectPath, _ map[string]dbus.Variant) *dbus.Error {
	go func() {
		var offered map[dbus.ObjectPath]interfaces
		if m.conn.Object(string(sender), path).Call(objectManager+".GetManagedObjects", 0).Store(&offered) != nil {
			return
		}
		for path, object := range offered {
			if props, ok := object["org.bluez.MediaEndpoint1"]; ok {
				m.register(string(sender), path, props)
			}
		}
	}()
	return nil
}

// RegisterEndpoint is of org.bluez.Media1.
func (m media) RegisterEndpoint(sender dbus.Sender, path dbus.ObjectPath, props map[string]dbus.Variant) *dbus.Error {
	m.register(string(sender), path, props)
	return nil
}

// UnregisterApplication is of org.bluez.Media1.
func (media) UnregisterApplication(dbus.ObjectPath) *dbus.Error { return nil }

// UnregisterEndpoint is of org.bluez.Media1.
func (media) UnregisterEndpoint(dbus.ObjectPath) *dbus.Error { return nil }

// RegisterPlayer is of org.bluez.Media1.
func (media) RegisterPlayer(dbus.ObjectPath, map[string]dbus.Variant) *dbus.Error { return nil }

// UnregisterPlayer is of org.bluez.Media1.
func (media) UnregisterPlayer(dbus.ObjectPath) *dbus.Error { return nil }

func (m media) register(owner string, path dbus.ObjectPath, props map[string]dbus.Variant) {
	uuid, _ := props["UUID"].Value().(string)
	codec, _ := props["Codec"].Value().(byte)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.endpoints = append(m.endpoints, endpoint{owner, path, strings.ToLower(uuid), codec})
}

// farEnd is the headset's own endpoint, by which PipeWire sets it up as it
// likes.
type farEnd struct {
	*service
	headset dbus.ObjectPath
}

// SetConfiguration is of org.bluez.MediaEndpoint1.
func (f farEnd) SetConfiguration(sender dbus.Sender, near dbus.ObjectPath, props map[string]dbus.Variant) *dbus.Error {
	configuration, _ := props["Capabilities"].Value().([]byte)
	go func() { // the caller has to be free to take the new transport
		if f.remove(f.headset+"/sep1/fd0") == nil {
			_ = f.open(endpoint{owner: string(sender), path: near}, f.headset, configuration)
		}
	}()
	return nil
}

// transport is a stream to a headset.
type transport struct {
	*service
	path dbus.ObjectPath
}

const (
	transportName = "org.bluez.MediaTransport1"
	largestPacket = 672 // as Bluetooth's L2CAP has it
	handOver      = 200 * time.Millisecond
)

// Acquire is of org.bluez.MediaTransport1: it returns a socket into which the
// sound server sends what is to go over the air.
func (t transport) Acquire() (dbus.UnixFD, uint16, uint16, *dbus.Error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, 0, dbus.MakeFailedError(err)
	}
	ours, theirs := pair[0], pair[1]
	go func() {
		defer syscall.Close(ours)
		packet := make([]byte, 8192)
		for {
			n, err := syscall.Read(ours, packet)
			if n <= 0 || err != nil {
				_ = t.set(t.path, transportName, "State", "idle")
				return
			}
			t.air.count(packet[:n])
		}
	}()
	if err := t.set(t.path, transportName, "State", "active"); err != nil {
		return 0, 0, 0, dbus.MakeFailedError(err)
	}
	time.AfterFunc(handOver, func() { syscall.Close(theirs) }) // the bus has a copy by then
	return dbus.UnixFD(theirs), largestPacket, largestPacket, nil
}

// TryAcquire is of org.bluez.MediaTransport1.
func (t transport) TryAcquire() (dbus.UnixFD, uint16, uint16, *dbus.Error) {
	return 0, 0, 0, dbus.NewError("org.bluez.Error.NotAvailable", nil)
}

// Release is of org.bluez.MediaTransport1.
func (t transport) Release() *dbus.Error { return nil }
