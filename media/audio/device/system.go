package device

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/gen2brain/malgo"

	"sotto/media/audio"
)

// What malgo has to be told and does not say: a stream of PulseAudio is only
// pinned if it was opened with an ID (PA_STREAM_DONT_MOVE). A stream whose
// device is gone, or whose server has died, is silent for ever and notifies
// nobody. An alias like @DEFAULT_SINK@ is an ID to it, and with one that the
// server does not know, Context.DeviceInfo crashes; InitDevice fails, so a device
// that goes between the two is not taken for another. A server that has stopped, but
// lives, blocks every call. Uninit alone waits until the device moves again; Stop
// wakes it up. A context is no better than its connection, which a server that
// dies takes along, so each is for one use.

// periods are what a server is asked to keep of a stream, in ms. PulseAudio and
// PipeWire take playback in quarters of it and bring capture whole.
var periods = map[Direction]uint32{Capture: 10, Playback: 20}

// ErrNotFound is that there is no device of that ID.
var ErrNotFound = errors.New("device: not found")

// connect reaches a sound system, for one use.
func connect(backend malgo.Backend) (*malgo.AllocatedContext, error) {
	return malgo.InitContext([]malgo.Backend{backend}, malgo.ContextConfig{}, nil)
}

func disconnect(c *malgo.AllocatedContext) {
	_ = c.Uninit() // it fails only for what is not initialized
	c.Free()
}

// listServed asks PulseAudio or PipeWire for its devices.
func listServed() ([]Device, error) {
	return list(malgo.BackendPulseaudio, func(id string) (string, bool) { return id, true })
}

// listCards asks ALSA for its cards. It numbers them in the order in which they
// were found, so a card goes by its name instead.
func listCards() ([]Device, error) {
	return list(malgo.BackendAlsa, func(id string) (string, bool) {
		number, device, ok := strings.Cut(strings.TrimPrefix(id, ":"), ",")
		if !ok || !strings.HasPrefix(id, ":") {
			return "", false // a plugin, which leads elsewhere
		}
		name, err := os.ReadFile("/proc/asound/card" + number + "/id")
		return "hw:" + strings.TrimSpace(string(name)) + "," + device, err == nil
	})
}

// list takes the devices of a system whose ID rename knows.
func list(backend malgo.Backend, rename func(id string) (string, bool)) ([]Device, error) {
	c, err := connect(backend)
	if err != nil {
		return nil, err
	}
	defer disconnect(c)
	var all []Device
	for _, d := range []Direction{Capture, Playback} {
		infos, err := c.Devices(deviceType(d))
		if err != nil {
			return nil, err
		}
		for i := range infos {
			if id, ok := rename(idOf(&infos[i])); ok {
				all = append(all, Device{ID: id, Name: infos[i].Name(), Direction: d, Default: infos[i].IsDefault != 0})
			}
		}
	}
	return all, nil
}

func deviceType(d Direction) malgo.DeviceType {
	if d == Capture {
		return malgo.Capture
	}
	return malgo.Playback
}

// idOf is the ID as text: malgo keeps it with zeros behind it.
func idOf(info *malgo.DeviceInfo) string {
	id, _, _ := strings.Cut(string(info.ID[:]), "\x00")
	return id
}

// card is what a stream is told by the thread of the card, or of the server's
// client library. Both are called from that thread, and must not wait.
type card interface {
	// exchange takes the samples of a microphone, or fills those of a
	// loudspeaker, mono at 48 kHz.
	exchange(samples []int16)
	// stopped says that the device has stopped by itself.
	stopped()
}

// stream is a device at work.
type stream struct {
	system *malgo.AllocatedContext
	device *malgo.Device
}

// named opens devices with streams of that name.
func named(name string) opener {
	return func(id string, d Direction, c card) (io.Closer, error) {
		return open(id, name, d, c)
	}
}

// open starts the device of exactly that ID, with a stream of that name. It may
// block for as long as the sound system does, and so may the stream's Close.
func open(id, name string, d Direction, c card) (io.Closer, error) {
	if id == "" || len(id) >= len(malgo.DeviceID{}) || strings.ContainsRune(id, 0) {
		return nil, fmt.Errorf("%w: %q is no ID of a device", ErrNotFound, id)
	}
	backend := malgo.Backend(malgo.BackendPulseaudio)
	if ofALSA(id) {
		backend = malgo.BackendAlsa
	}
	system, err := connect(backend)
	if err != nil {
		return nil, fmt.Errorf("device: %q: %w", id, err)
	}
	device, err := start(system, malgo.DeviceConfig{
		DeviceType: deviceType(d), SampleRate: audio.SampleRate,
		PeriodSizeInMilliseconds: periods[d], Periods: 3,
		NoFixedSizedCallback: 1, // the ring takes what comes
		Pulse:                malgo.PulseDeviceConfig{StreamNameCapture: name, StreamNamePlayback: name},
	}, id, c)
	if err != nil {
		disconnect(system)
		return nil, fmt.Errorf("device: %q: %w", id, err)
	}
	return &stream{system, device}, nil
}

// start starts the device of that ID as config has it.
func start(system *malgo.AllocatedContext, config malgo.DeviceConfig, id string, c card) (*malgo.Device, error) {
	var exact malgo.DeviceID
	copy(exact[:], id)
	if !ofALSA(id) { // ALSA opens a hw device as it is named, or not at all
		infos, err := system.Devices(config.DeviceType)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(infos, func(info malgo.DeviceInfo) bool { return idOf(&info) == id }) {
			return nil, ErrNotFound
		}
	}
	var pin runtime.Pinner // C reads the ID while the device is made
	defer pin.Unpin()
	pin.Pin(&exact)
	end := malgo.SubConfig{DeviceID: unsafe.Pointer(&exact), Format: malgo.FormatS16, Channels: 1}
	config.Capture, config.Playback = end, end
	device, err := malgo.InitDevice(system.Context, config, malgo.DeviceCallbacks{
		Data: func(out, in []byte, _ uint32) { c.exchange(samples(out, in)) },
		Stop: c.stopped,
	})
	if err != nil {
		return nil, err
	}
	if err := device.Start(); err != nil {
		device.Uninit()
		return nil, err
	}
	return device, nil
}

// samples are those of whichever there is.
func samples(out, in []byte) []int16 {
	if len(out) == 0 {
		out = in
	}
	return unsafe.Slice((*int16)(unsafe.Pointer(unsafe.SliceData(out))), len(out)/2)
}

// Close ends it: after that the card is not told anything any more.
func (s *stream) Close() error {
	_ = s.device.Stop() // for a device that is gone this fails
	s.device.Uninit()
	disconnect(s.system)
	return nil
}
