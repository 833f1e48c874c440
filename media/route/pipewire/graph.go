package pipewire

import (
	"strconv"

	"sotto/media/route"
)

// What a graph may have. A desktop has hundreds of objects, with some KB of
// properties each.
const (
	maxObjects = 16384
	maxBytes   = 16 << 20
	entryBytes = 64 // what a property takes besides its text
)

// kinds are the kinds of objects that matter.
type kind uint8

const (
	node kind = iota + 1
	device
	client
	link
	factory
	metadata
)

var kinds = map[string]kind{
	"PipeWire:Interface:Node":    node,
	"PipeWire:Interface:Device":  device,
	"PipeWire:Interface:Client":  client,
	"PipeWire:Interface:Link":    link,
	"PipeWire:Interface:Factory": factory,

	"PipeWire:Interface:Metadata": metadata,
}

// global is one object of the registry.
type global struct {
	kind   kind
	proxy  uint32            // by which we know the object; 0: we do not follow it
	serial uint32            // its other number, which is not used again
	props  map[string]string // nil until it has told them
}

// graph is what the registry has told, by the numbers of its objects. A number
// is used again when its object is gone.
type graph map[uint32]*global

// size is about how many bytes of memory props take.
func size(props map[string]string) (bytes int) {
	for key, value := range props {
		bytes += len(key) + len(value) + entryBytes
	}
	return bytes
}

func nodeID(number uint32) route.ID {
	return route.ID("node " + strconv.FormatUint(uint64(number), 10))
}
func linkID(number uint32) route.ID {
	return route.ID("link " + strconv.FormatUint(uint64(number), 10))
}

// orders are the keys of metadata by which the session manager is told on which
// device a stream is wanted.
var orders = []string{"target.object", "target.node"}

// orderFact is what such a key says of a node: nothing, if it has no value. The
// device is named by its name or a number.
func (g graph) orderFact(id uint32, key, value string) route.Fact {
	order := route.Order{ID: nodeID(id) + route.ID(" "+key), Stream: nodeID(id), Target: value}
	if value == "" || value == "-1" { // none in particular
		return route.Gone{ID: order.ID}
	}
	wanted, err := strconv.ParseUint(value, 10, 32)
	for number, o := range g {
		if key == "target.object" {
			number = o.serial
		}
		if name := o.props["node.name"]; err == nil && number == uint32(wanted) && o.kind == node && name != "" {
			order.Target = name
		}
	}
	return order
}

// number is a property that refers to another object.
func number(props map[string]string, key string) (uint32, bool) {
	n, err := strconv.ParseUint(props[key], 10, 32)
	return uint32(n), err == nil
}

// linkFact is a link as its first properties describe it.
func linkFact(id uint32, props map[string]string) (route.Fact, error) {
	from, ok := number(props, "link.output.node")
	to, also := number(props, "link.input.node")
	if !ok || !also {
		return nil, errMalformed
	}
	return route.Link{ID: linkID(id), From: nodeID(from), To: nodeID(to)}, nil
}

// learn takes an object's properties and returns what they change: the node
// itself, or the nodes of a device or a client.
func (g graph) learn(id uint32, props map[string]string) (facts []route.Fact) {
	g[id].props = props
	switch g[id].kind {
	case node:
		return []route.Fact{g.node(id)}
	case device:
		return g.nodesOf("device.id", id)
	case client:
		return g.nodesOf("client.id", id)
	}
	return nil
}

func (g graph) nodesOf(key string, owner uint32) (facts []route.Fact) {
	for id, o := range g {
		if o.kind != node || o.props == nil {
			continue
		}
		if n, ok := number(o.props, key); ok && n == owner {
			facts = append(facts, g.node(id))
		}
	}
	return facts
}

// node is what is known of a node, with what its device says that it does not
// say itself.
func (g graph) node(id uint32) route.Node {
	own := g[id].props
	props := make(map[string]string, len(own))
	for k, v := range g.of(own, "device.id", device) {
		props[k] = v
	}
	for k, v := range own {
		props[k] = v
	}
	n := route.Node{
		ID: nodeID(id), Kind: mediaClasses[own["media.class"]],
		Name: own["node.name"], Description: own["node.description"],
		Driver:  g.maker(own),
		Factory: own["factory.name"], Group: own["node.link-group"],
		Props: props,
	}
	if n.Kind == route.Playback || n.Kind == route.Capture {
		n.Owner = owner(own, g.of(own, "client.id", client))
		if n.Description == "" {
			n.Description = own["media.name"]
		}
	}
	return n
}

// maker is the factory that has made a node. What the node says of it is its
// own word where a program has brought it; but then it is another program than
// the one that has brought the device, which the daemon tells itself.
func (g graph) maker(node map[string]string) string {
	made := g.of(node, "factory.id", factory)["factory.name"]
	theirs := g.of(node, "device.id", device)["client.id"]
	if theirs != "" && theirs != node["client.id"] {
		return "client-node"
	}
	return made
}

// of are the properties of the object of some kind that props refer to.
func (g graph) of(props map[string]string, key string, want kind) map[string]string {
	if id, ok := number(props, key); ok && g[id] != nil && g[id].kind == want {
		return g[id].props
	}
	return nil
}

// mediaClasses says what a node does with audio. What is not listed is a video
// node, a clock, or something new.
var mediaClasses = map[string]route.Kind{
	"Audio/Sink":            route.Sink,
	"Audio/Sink/Internal":   route.Sink,
	"Audio/Duplex":          route.Sink,
	"Audio/Source":          route.Source,
	"Audio/Source/Internal": route.Source,
	"Audio/Source/Virtual":  route.Source,
	"Stream/Output/Audio":   route.Playback,
	"Stream/Input/Audio":    route.Capture,
}

// owner is the program behind a stream: the one at the other end of the socket,
// as the kernel says, or the one that a client of PipeWire's imitation of
// PulseAudio, which has the socket then, says it is.
func owner(node, client map[string]string) route.Process {
	p := route.Process{Name: node["application.name"]}
	if p.Name == "" {
		p.Name = client["application.name"]
	}
	pid := client["pipewire.sec.pid"]
	if client["client.api"] == "pipewire-pulse" {
		pid = client["application.process.id"]
	}
	if n, err := strconv.Atoi(pid); err == nil && n > 0 {
		p.PID = n
	}
	return p
}
