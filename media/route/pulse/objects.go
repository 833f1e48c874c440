package pulse

import (
	"fmt"
	"strconv"
	"strings"

	"sotto/media/route"
)

// facility is a kind of object, in the numbers of subscription events.
type facility uint32

const (
	sinks         facility = 0
	sources       facility = 1
	sinkInputs    facility = 2
	sourceOutputs facility = 3
	numFacilities          = 4
)

// facilities is indexed by facility.
var facilities = [numFacilities]struct {
	command uint32 // asks for one; the next number asks for all
	parse   func(*body) []route.Fact
}{
	sinks:         {cmdSink, func(b *body) []route.Fact { return device(b, route.Sink) }},
	sources:       {cmdSource, func(b *body) []route.Fact { return device(b, route.Source) }},
	sinkInputs:    {cmdSinkInput, playback},
	sourceOutputs: {cmdSourceOutput, capture},
}

// object is one sink, source or stream.
type object struct {
	facility facility
	index    uint32
}

func (o object) id() route.ID {
	name := [numFacilities]string{"sink", "source", "sink-input", "source-output"}[o.facility]
	return route.ID(name + " " + strconv.FormatUint(uint64(o.index), 10))
}

// link is the ID of the link between a stream and its device.
func (o object) link() route.ID { return o.id() + " link" }

// The types of ports, as PulseAudio numbers and names them.
var portTypes = [...]string{
	"Unknown", "Aux", "Speaker", "Headphones", "Line", "Mic", "Headset", "Handset", "Earpiece", "SPDIF", "HDMI", "TV",
	"Radio", "Video", "USB", "Bluetooth", "Portable", "Handsfree", "Car", "HiFi", "Phone", "Network", "Analog",
}

// Whether something is plugged into a port, as PulseAudio numbers it.
var availabilities = [...]string{"unknown", "no", "yes"}

// Flags of sinks and sources.
const (
	flagHardware = 0x0004
	flagNetwork  = 0x0008
)

// device takes a sink or a source. The two differ in which is whose monitor.
func device(b *body, kind route.Kind) []route.Fact {
	o := object{facility: sinks}
	if kind == route.Source {
		o.facility = sources
	}
	o.index = b.number()
	n := route.Node{ID: o.id(), Kind: kind, Name: b.text(), Description: b.text()}
	b.skip("am")
	module := b.number()
	b.skip("v")
	b.boolean() // muted
	monitor := b.number()
	b.text() // its name
	b.skip("U")
	n.Driver = b.text()
	flags := b.number()
	n.Props = b.props()
	b.skip("UV")
	b.number() // state
	b.number() // steps of volume
	card := b.number()
	n.Port = ports(b)
	formats(b)
	n.Hardware, n.Network = flags&flagHardware != 0, flags&flagNetwork != 0
	if kind == route.Source && monitor != undefined {
		n.MonitorOf = object{sinks, monitor}.id()
	}
	if card == undefined && module != undefined {
		n.Group = group(module)
	}
	return []route.Fact{n}
}

func group(module uint32) string { return fmt.Sprintf("module %d", module) }

// ports takes the ports of a device and returns the active one.
func ports(b *body) route.Port {
	count := b.count()
	known := make(map[string]route.Port, count)
	for range count {
		p := route.Port{Name: b.text(), Type: "Unknown", Available: "unknown"}
		b.text()   // description
		b.number() // priority
		if a := b.number(); a < uint32(len(availabilities)) {
			p.Available = availabilities[a]
		}
		b.text() // the group of ports that are so together
		if t := b.number(); t < uint32(len(portTypes)) {
			p.Type = portTypes[t]
		}
		known[p.Name] = p
	}
	return known[b.text()]
}

func formats(b *body) {
	for range b.octet() {
		format(b)
	}
}

func format(b *body) {
	b.letter("f")
	b.octet()
	b.props()
}

// playback takes a sink-input: a stream of a program, or the output of a module.
func playback(b *body) []route.Fact {
	s := stream{object: object{facility: sinkInputs}, node: route.Node{Kind: route.Playback}}
	s.head(b)
	b.skip("amvUU")
	b.text() // how it is resampled
	s.node.Driver = b.text()
	b.boolean() // muted
	s.node.Props = b.props()
	b.boolean() // corked
	b.boolean() // has a volume
	b.boolean() // and it can be set
	format(b)
	return s.facts(object{sinks, s.device}, false)
}

// capture takes a source-output.
func capture(b *body) []route.Fact {
	s := stream{object: object{facility: sourceOutputs}, node: route.Node{Kind: route.Capture}}
	s.head(b)
	b.skip("amUU")
	b.text() // how it is resampled
	s.node.Driver = b.text()
	s.node.Props = b.props()
	b.boolean() // corked
	b.skip("v")
	b.boolean() // muted
	b.boolean() // has a volume
	b.boolean() // and it can be set
	format(b)
	return s.facts(object{sources, s.device}, true)
}

// stream is what the two kinds of streams have in common.
type stream struct {
	object
	node                   route.Node
	module, client, device uint32
}

func (s *stream) head(b *body) {
	s.index = b.number()
	s.node.ID = s.id()
	s.node.Name = b.text()
	s.module, s.client, s.device = b.number(), b.number(), b.number()
}

// facts are the stream, and the link to its device if it has one.
func (s *stream) facts(device object, fromDevice bool) []route.Fact {
	s.node.Description = s.node.Name
	if s.client == undefined && s.module != undefined {
		s.node.Group = group(s.module)
	}
	if s.client != undefined {
		s.node.Owner = owner(s.node.Props)
	}
	if device.index == undefined {
		return []route.Fact{s.node, route.Gone{ID: s.link()}}
	}
	l := route.Link{ID: s.link(), From: s.id(), To: device.id()}
	if fromDevice {
		l.From, l.To = l.To, l.From
	}
	return []route.Fact{s.node, l}
}

// owner is the program that a client says it is.
func owner(props map[string]string) route.Process {
	p := route.Process{Name: props["application.process.binary"]}
	if name := props["application.name"]; name != "" {
		p.Name = name
	}
	if pid, err := strconv.Atoi(props["application.process.id"]); err == nil && pid > 0 {
		p.PID = pid
	}
	return p
}

// onPipeWire reports whether what a server calls itself is PipeWire.
func onPipeWire(server string) bool { return strings.Contains(server, "PipeWire") }
