package route

import "time"

// Origin is the system that an [Event] was read from.
type Origin uint8

// The systems.
const (
	Pulse    Origin = iota + 1 // PulseAudio, or PipeWire's imitation of it
	PipeWire                   // PipeWire's own graph
	BlueZ                      // Bluetooth, over the system bus
	ALSA                       // the kernel's cards, without a daemon
	numOrigins
)

// String is the system's name.
func (o Origin) String() string {
	if name, ok := map[Origin]string{Pulse: "PulseAudio", PipeWire: "PipeWire", BlueZ: "BlueZ", ALSA: "ALSA"}[o]; ok {
		return name
	}
	return "unknown system"
}

// Event is one thing that a monitor has seen.
type Event struct {
	At   time.Time // when the monitor read it, with the monotonic clock
	From Origin
	Fact Fact
}

// Fact is what an [Event] says: one of the types of this file. A fact about an
// object replaces the earlier one with the same ID.
type Fact interface{ fact() }

// ID names an object of one [Origin] from its first fact until [Gone]. Objects
// of different kinds have different IDs too: where the system numbers them
// apart, the monitor says which kind it is ("sink 3").
type ID string

// Ready says that all there is has been told: from here on the monitor reports
// changes.
type Ready struct{}

// Lost says that the monitor is gone, does not answer in time or does not
// understand what it reads. All it has said is forgotten, and the route is
// unknown until it has told everything anew and is [Ready].
type Lost struct{ Reason string }

// Gone says that an object of any kind is no more.
type Gone struct{ ID ID }

// Kind is what a [Node] does with audio.
type Kind uint8

// The kinds of nodes. Filters are several nodes of one group: what goes in is
// a sink or a capture stream, what comes out is a source or a playback stream.
const (
	Sink     Kind = iota + 1 // a device that plays
	Source                   // a device that records, or the monitor of a sink
	Playback                 // a stream of a program that plays
	Capture                  // a stream of a program that records
	numKinds
)

// String is the kind in a word.
func (k Kind) String() string {
	if k >= numKinds || k == 0 {
		return "unknown kind"
	}
	return [numKinds]string{Sink: "sink", Source: "source", Playback: "playback stream", Capture: "capture stream"}[k]
}

// Node is a device or a stream, as its system describes it. What the system
// does not say stays empty.
type Node struct {
	ID   ID
	Kind Kind
	// Name is the same whenever the device is there: node.name, or hw:PCH,0.
	// A policy lists devices by it.
	Name        string
	Description string // for people
	// Driver is what made the device: PulseAudio's module ("module-alsa-card.c",
	// or "PipeWire" from the imitation), PipeWire's factory ("adapter", or
	// "client-node" for what a program has brought), or the driver of ALSA's
	// card ("HDA-Intel").
	Driver string
	// Factory is what PipeWire's node itself says: factory.name, such as
	// "api.alsa.pcm.sink".
	Factory string
	// Port is where on the device the signal goes now.
	Port Port
	// Hardware and Network are PulseAudio's flags of that name.
	Hardware, Network bool
	// MonitorOf is the sink whose signal this source repeats.
	MonitorOf ID
	// Group is shared by the nodes of one filter: the owning module of
	// PulseAudio's remap, combine, loopback and the like, or PipeWire's
	// node.link-group. Empty for cards and for streams of clients.
	Group string
	// Owner is the program behind a stream.
	Owner Process
	// Props are the properties. Those of the device that a node of PipeWire
	// belongs to are among them, the node's own first. Of ALSA's cards they
	// have PulseAudio's names: alsa.card, alsa.id, alsa.driver_name (the
	// module), device.bus, sysfs.path. The map is not changed any more.
	Props map[string]string
}

// Port is a jack or a speaker of a device.
type Port struct {
	Name string // such as "analog-output-speaker"
	Type string // in the system's own word, such as "Speaker" or "Headset"
	// Available is "yes" or "no" where a jack tells, "unknown" where there is
	// none, and empty if the system does not say.
	Available string
}

// Process is a program. The PID is as good as its source: what the kernel says
// of a socket's other end cannot be forged, a property can.
type Process struct {
	PID  int // 0: not known, or a module of the daemon
	Name string
}

// Link says that audio flows from one node to another. PulseAudio's monitor
// makes one of each stream's device; links out of a sink are from its monitor.
type Link struct {
	ID       ID
	From, To ID
}

// Order says that somebody wants a stream elsewhere, and has told whoever links
// streams and devices. A pinned stream stays where it is.
type Order struct {
	ID     ID
	Stream ID
	Target string // the name of a device, or what else was said of it
}

// BluetoothDevice is a paired or connected device (org.bluez.Device1).
type BluetoothDevice struct {
	ID        ID
	Address   string
	Name      string
	Connected bool
	Class     uint32 // class of device; 0: not said
	Icon      string // such as "audio-headset"
	UUIDs     []string
}

// BluetoothTransport is a way for audio (org.bluez.MediaTransport1).
type BluetoothTransport struct {
	ID     ID
	Device ID
	UUID   string
	State  string // "idle", "pending" or "active"
}

// BluetoothAdapter is a radio of this machine (org.bluez.Adapter1).
type BluetoothAdapter struct {
	ID      ID
	Powered bool
}

// Jacks are all sockets of a card that ALSA's controls tell of. They come in one
// piece, as some of them without the others would say that nothing is plugged in.
type Jacks struct {
	ID   ID
	Card string // as in the names of the card's nodes: "PCH" of hw:PCH,0
	All  []Jack
}

// Jack is a socket, or what is fixed where a socket could be: then it is called a
// phantom.
type Jack struct {
	Name    string // such as "Headphone Jack" or "Speaker Phantom Jack"
	Plugged bool   // always so of a phantom
}

func (Ready) fact()              {}
func (Lost) fact()               {}
func (Gone) fact()               {}
func (Node) fact()               {}
func (Link) fact()               {}
func (Order) fact()              {}
func (BluetoothDevice) fact()    {}
func (BluetoothTransport) fact() {}
func (BluetoothAdapter) fact()   {}
func (Jacks) fact()              {}
