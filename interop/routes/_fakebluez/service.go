package main

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
)

const (
	radio        = dbus.ObjectPath("/org/bluez/hci0")
	audioSource  = "0000110a-0000-1000-8000-00805f9b34fb"
	audioSink    = "0000110b-0000-1000-8000-00805f9b34fb"
	headsetClass = uint32(0x240404) // audio, wearable headset
	sbc          = byte(0)          // the codec that every headset has
)

// stereo is how a transport is set up: 44.1 kHz joint stereo, 16 blocks of 8
// subbands by loudness, bit pools from 2 to 53.
var stereo = []byte{0x21, 0x15, 2, 53}

// service is org.bluez.
type service struct {
	*tree
	air air

	mu        sync.Mutex // guards what follows
	endpoints []endpoint
}

// endpoint is a codec that a sound server offers.
type endpoint struct {
	owner string
	path  dbus.ObjectPath
	uuid  string
	codec byte
}

func newService(conn *dbus.Conn) (*service, error) {
	objects, err := newTree(conn)
	if err != nil {
		return nil, err
	}
	s := &service{tree: objects}
	v := func(x any) dbus.Variant { return dbus.MakeVariant(x) }
	uuids := []string{audioSource, audioSink}
	err = errors.Join(
		s.add("/org/bluez", interfaces{"org.bluez.ProfileManager1": {}}, map[string]any{"org.bluez.ProfileManager1": profiles{}}),
		s.add(radio, interfaces{
			"org.bluez.Adapter1": {
				"Address": v("02:00:00:00:00:01"), "Name": v("test"), "Alias": v("test"), "Powered": v(true), "Class": v(uint32(0x1c010c)), "UUIDs": v(uuids),
			},
			"org.bluez.Media1": {"SupportedUUIDs": v(uuids)},
		}, map[string]any{"org.bluez.Media1": media{s}}))
	if err != nil {
		return nil, err
	}
	reply, err := conn.RequestName("org.bluez", dbus.NameFlagDoNotQueue)
	if err == nil && reply != dbus.RequestNameReplyPrimaryOwner {
		err = errors.New("there is an org.bluez on this bus")
	}
	return s, err
}

func headsetPath(address string) dbus.ObjectPath {
	return radio + dbus.ObjectPath("/dev_"+strings.ReplaceAll(address, ":", "_"))
}

// connect makes a headset appear, connect and open a stream with the sound
// server. It returns when the headset was told of.
func (s *service) connect(address, name string) (time.Time, error) {
	v := func(x any) dbus.Variant { return dbus.MakeVariant(x) }
	path := headsetPath(address)
	far := path + "/sep1"
	now := time.Now()
	err := s.add(path, interfaces{"org.bluez.Device1": {
		"Address": v(address), "AddressType": v("public"), "Name": v(name), "Alias": v(name), "Adapter": v(radio),
		"Class": v(headsetClass), "Icon": v("audio-headset"), "UUIDs": v([]string{audioSink}),
		"Paired": v(true), "Trusted": v(true), "Connected": v(true), "ServicesResolved": v(true),
	}}, nil)
	if err != nil {
		return now, err
	}
	err = s.add(far, interfaces{"org.bluez.MediaEndpoint1": {
		"UUID": v(audioSink), "Codec": v(sbc), "Capabilities": v([]byte{0xff, 0xff, 2, 53}), "Device": v(path), "DelayReporting": v(false),
	}}, map[string]any{"org.bluez.MediaEndpoint1": farEnd{s, path}})
	if err != nil {
		return now, err
	}
	near, err := s.nearEnd()
	if err != nil {
		return now, err
	}
	return now, s.open(near, path, stereo)
}

// nearEnd is an endpoint of a sound server that is there and sends SBC.
func (s *service) nearEnd() (endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.endpoints {
		var alive bool
		err := s.conn.BusObject().Call("org.freedesktop.DBus.NameHasOwner", 0, e.owner).Store(&alive)
		if err == nil && alive && e.uuid == audioSource && e.codec == sbc && !strings.Contains(string(e.path), "sbc_xq") {
			return e, nil
		}
	}
	return endpoint{}, errors.New("no sound server is there for a headset")
}

// open makes a transport between a sound server and a headset.
func (s *service) open(near endpoint, headset dbus.ObjectPath, configuration []byte) error {
	v := func(x any) dbus.Variant { return dbus.MakeVariant(x) }
	path := headset + "/sep1/fd0"
	props := map[string]dbus.Variant{
		"Device": v(headset), "UUID": v(audioSource), "Codec": v(sbc), "Configuration": v(configuration),
		"State": v("idle"), "Volume": v(uint16(100)), "Delay": v(uint16(1500)),
	}
	object := interfaces{"org.bluez.MediaTransport1": props}
	told := object.clone()["org.bluez.MediaTransport1"]
	if err := s.add(path, object, map[string]any{"org.bluez.MediaTransport1": transport{s, path}}); err != nil {
		return err
	}
	return s.conn.Object(near.owner, near.path).Call("org.bluez.MediaEndpoint1.SetConfiguration", 0, path, told).Err
}

// disconnect takes a headset away.
func (s *service) disconnect(address string) error {
	path := headsetPath(address)
	if near, err := s.nearEnd(); err == nil {
		s.conn.Object(near.owner, near.path).Go("org.bluez.MediaEndpoint1.ClearConfiguration", 0, nil, path+"/sep1/fd0")
	}
	return errors.Join(
		s.remove(path+"/sep1/fd0"),
		s.remove(path+"/sep1"),
		s.set(path, "org.bluez.Device1", "Connected", false),
		s.remove(path),
	)
}
