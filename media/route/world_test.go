package route_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

const (
	ourPID   = 4242
	theirPID = 666
)

var self = route.Self{PID: ourPID, Stream: "our call", Playback: true, Capture: true, Others: []string{"other call"}}

// tell feeds facts of one origin.
func tell(w *route.World, from route.Origin, facts ...route.Fact) {
	for _, f := range facts {
		w.Apply(route.Event{At: time.Unix(1, 0), From: from, Fact: f})
	}
}

// call is a call on the built-in devices, as one daemon shows it: sink 0,
// source 1, and our streams 10 and 11.
func call(from route.Origin) []route.Fact {
	s, m := speaker(), microphone()
	if from == route.PipeWire {
		s, m = pipewire(s), pipewire(m)
	}
	return []route.Fact{
		s, m,
		named("our call", "out 10", route.Playback), link("out 10", "sink 0"),
		named("our call", "in 11", route.Capture), link("source 1", "in 11"),
		route.Ready{},
	}
}

func stream(id route.ID, kind route.Kind, pid int) route.Node {
	return route.Node{ID: id, Kind: kind, Name: string(id), Owner: route.Process{PID: pid, Name: fmt.Sprint("program", pid)}}
}

// named is a stream of this process.
func named(name string, id route.ID, kind route.Kind) route.Node {
	n := stream(id, kind, ourPID)
	n.Props = map[string]string{"media.name": name}
	return n
}

func link(from, to route.ID) route.Link {
	return route.Link{ID: "link " + from + " " + to, From: from, To: to}
}

func headset(id route.ID) route.Node {
	return route.Node{ID: id, Kind: route.Sink, Name: "bluez_output.AC_80_0A_11_22_33.1", Description: "CheapHeadset",
		Factory: "api.bluez5.a2dp.sink", Driver: "module-bluez5-device.c", Hardware: true, Props: map[string]string{"device.api": "bluez5"}}
}

func kind(k route.Kind) func(*route.Node) { return func(n *route.Node) { n.Kind = k } }

// filter is a node of a filter called group.
func filter(id route.ID, kind route.Kind, group string) route.Node {
	return route.Node{ID: id, Kind: kind, Name: string(id), Group: group, Driver: "module-" + group + ".c"}
}

// split is a part of the speaker as PipeWire's session manager splits it: a filter
// that has the properties of the device behind it.
func split(number string) []route.Fact {
	part := with(pipewire(speaker()), func(n *route.Node) {
		n.ID, n.Name, n.Driver, n.Factory, n.Group = route.ID("sink "+number), "part "+number, "client-node", "", "loopback-7-"+number
		delete(n.Props, "factory.name")
		n.Props["node.link-group"], n.Props["api.alsa.split.position"], n.Props["node.virtual"] = n.Group, "[ FL, FR ]", "false"
	})
	out := route.Node{ID: route.ID("out " + number), Name: part.Name + ".split", Driver: "client-node", Group: part.Group}
	return []route.Fact{part, out, link(out.ID, "sink 0")}
}

// listed is a USB device that the policy of TestWaysOut lists.
func listed(id route.ID) route.Node {
	return with(pipewire(speaker()), func(n *route.Node) {
		n.ID, n.Name = id, "what"
		n.Props["device.bus"], n.Props["alsa.device"] = "usb", "7"
	})
}

// classes of the routes that a report has.
func classes(r route.Report) []route.Class {
	var all []route.Class
	for _, found := range r.Routes {
		all = append(all, found.Class)
	}
	return all
}

func TestCallOnBuiltinDevices(t *testing.T) {
	for _, from := range []route.Origin{route.Pulse, route.PipeWire} {
		w := route.NewWorld(from)
		tell(w, from, call(from)...)
		r := w.Report(self)
		if r.Unknown != "" || len(r.Taps) != 0 || !slices.Equal(classes(r), []route.Class{route.BuiltinSpeaker, route.BuiltinMic}) {
			t.Errorf("%v: %+v", from, r)
		}
		if v, err := (route.Policy{Strict: true, RefuseTaps: true, AdapterOff: true}).Check(r); err != nil || !v.Valid() {
			t.Errorf("%v: %v", from, err)
		}
		if again := w.Report(self); !r.Same(again) || r.Same(route.Report{}) {
			t.Errorf("%v: the same world is reported in two ways", from)
		}
	}
}

// Devices of one card that do not say which they are there are no twins.
func TestDevicesOfOneCard(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	some := with(speaker(), unset("alsa.device"))
	tell(w, route.Pulse, append(call(route.Pulse), some, with(some, func(n *route.Node) { n.ID, n.Name = "sink 9", "other" }))...)
	if r := w.Report(self); !slices.Equal(classes(r), []route.Class{route.BuiltinSpeaker, route.BuiltinMic}) {
		t.Errorf("%+v", r)
	}
}

// waysOut are ways to elsewhere, each to be added to a call that is fine.
var waysOut = []struct {
	name  string
	facts []route.Fact
	want  route.Class
	way   string
}{
	{"our stream is moved", []route.Fact{headset("sink 9"), link("out 10", "sink 9"), route.Gone{"link out 10 sink 0"}}, route.BluetoothA2DP, ""},
	{"our stream is linked to a headset too", []route.Fact{headset("sink 9"), link("out 10", "sink 9")}, route.BluetoothA2DP, ""},
	{"our microphone is linked to a headset", []route.Fact{headset("sink 9"), link("source 1", "sink 9")}, route.BluetoothA2DP, ""},
	{"the speaker's monitor is linked to a headset", []route.Fact{headset("sink 9"), link("sink 0", "sink 9")}, route.BluetoothA2DP, "through=alsa_output.pci-0000_00_1f.3.analog-stereo"},
	{"remap", []route.Fact{
		headset("sink 9"), filter("sink 20", route.Sink, "remap-sink"), filter("out 21", route.Playback, "remap-sink"),
		link("out 10", "sink 20"), link("out 21", "sink 9"),
	}, route.BluetoothA2DP, "through=sink 20, out 21"},
	{"remap of the speaker", []route.Fact{
		filter("sink 20", route.Sink, "remap-sink"), filter("out 21", route.Playback, "remap-sink"), link("out 10", "sink 20"), link("out 21", "sink 0"),
	}, route.Virtual, ""},
	{"combine", []route.Fact{
		headset("sink 9"), filter("sink 20", route.Sink, "combine-sink"), filter("out 21", route.Playback, "combine-sink"), filter("out 22", route.Playback, "combine-sink"),
		link("out 10", "sink 20"), link("out 21", "sink 0"), link("out 22", "sink 9"),
	}, route.BluetoothA2DP, "through=sink 20, out 22"},
	{"three filters in a row", []route.Fact{
		headset("sink 9"),
		filter("sink 20", route.Sink, "a"), filter("out 21", route.Playback, "a"), link("out 10", "sink 20"),
		filter("sink 22", route.Sink, "b"), filter("out 23", route.Playback, "b"), link("out 21", "sink 22"),
		filter("sink 24", route.Sink, "c"), filter("out 25", route.Playback, "c"), link("out 23", "sink 24"), link("out 25", "sink 9"),
	}, route.BluetoothA2DP, "through=sink 20, out 21, sink 22, out 23, sink 24, out 25"},
	{"filters in a circle", []route.Fact{
		filter("sink 20", route.Sink, "a"), filter("out 21", route.Playback, "a"), link("out 10", "sink 20"),
		filter("sink 22", route.Sink, "b"), filter("out 23", route.Playback, "b"), link("out 21", "sink 22"), link("out 23", "sink 20"),
	}, route.Virtual, ""},
	{"loopback of our microphone", []route.Fact{
		headset("sink 9"), filter("in 20", route.Capture, "loopback"), filter("out 21", route.Playback, "loopback"), link("source 1", "in 20"), link("out 21", "sink 9"),
	}, route.BluetoothA2DP, "through=in 20, out 21"},
	{"loopback of the speaker's monitor", []route.Fact{
		headset("sink 9"), with(microphone(), func(n *route.Node) { n.ID, n.MonitorOf, n.Name = "source 2", "sink 0", "x.monitor" }),
		filter("in 20", route.Capture, "loopback"), filter("out 21", route.Playback, "loopback"), link("source 2", "in 20"), link("out 21", "sink 9"),
	}, route.BluetoothA2DP, "through=alsa_output.pci-0000_00_1f.3.analog-stereo, x.monitor, in 20, out 21"},
	{"tunnel", []route.Fact{
		with(speaker(), func(n *route.Node) { n.ID, n.Name, n.Network = "sink 9", "tunnel-sink.host", true }), link("out 10", "sink 9"),
	}, route.Network, ""},
	{"echo canceller before our stream", []route.Fact{
		filter("source 20", route.Source, "echo-cancel"), filter("in 21", route.Capture, "echo-cancel"),
		link("source 20", "in 11"), link("source 1", "in 21"), route.Gone{"link source 1 in 11"},
	}, route.Virtual, ""},
	{"a filter whose microphone is a headset's", []route.Fact{
		with(headset("source 9"), func(n *route.Node) { n.Kind = route.Source }), filter("source 20", route.Source, "echo-cancel"),
		filter("in 21", route.Capture, "echo-cancel"), link("source 20", "in 11"), link("source 9", "in 21"),
	}, route.BluetoothA2DP, "through=in 21, source 20"},
	{"our stream records the speaker", []route.Fact{link("sink 0", "in 11")}, route.Monitor, ""},
	{"a program plays into our stream", []route.Fact{stream("out 30", route.Playback, theirPID), link("out 30", "in 11")}, route.Virtual, ""},
	{"a link to what nobody has told of", []route.Fact{link("out 10", "node 99")}, route.Unknown, ""},
	{"a link from what nobody has told of", []route.Fact{link("node 99", "in 11")}, route.Unknown, ""},
	{"a microphone's link to what nobody has told of", []route.Fact{link("source 1", "node 99")}, route.Unknown, ""},
	{"a node without a kind before our stream", []route.Fact{route.Node{ID: "node 99", Name: "filter"}, link("node 99", "in 11")}, route.Unknown, ""},
	{"a node without a kind that takes our microphone", []route.Fact{route.Node{ID: "node 99", Name: "filter", Owner: route.Process{PID: theirPID}}, link("source 1", "node 99")}, route.Unknown, ""},
	{"the same, with our PID", []route.Fact{route.Node{ID: "node 99", Name: "filter", Owner: route.Process{PID: ourPID}}, link("source 1", "node 99")}, route.Unknown, ""},
	{"a headset without a kind", []route.Fact{with(headset("node 99"), kind(0)), link("source 1", "node 99")}, route.BluetoothA2DP, ""},
	{"a headset that is a stream, after our stream", []route.Fact{with(headset("in 30"), kind(route.Capture)), link("out 10", "in 30")}, route.BluetoothA2DP, ""},
	{"a headset that is a stream, after our microphone", []route.Fact{with(headset("in 30"), kind(route.Capture)), link("source 1", "in 30")}, route.BluetoothA2DP, ""},
	{"a headset that is a stream, before our stream", []route.Fact{with(headset("out 30"), kind(route.Playback)), link("out 30", "in 11")}, route.BluetoothA2DP, ""},
	{"a sender that is a stream", []route.Fact{with(stream("in 30", route.Capture, theirPID), func(n *route.Node) { n.Name = "rtp-sink" }), link("sink 0", "in 30")}, route.Network, ""},
	{"a stream that cannot be read", []route.Fact{with(stream("in 30", route.Capture, theirPID), func(n *route.Node) { n.Description = "ear\u202ebuds" }), link("source 1", "in 30")}, route.Unknown, ""},
	{"a headset's microphone that our microphone is linked to", []route.Fact{with(headset("source 30"), kind(route.Source)), link("source 1", "source 30")}, route.BluetoothA2DP, ""},
	{"a node without a kind between us and a headset", []route.Fact{
		route.Node{ID: "node 99", Name: "filter"}, headset("sink 9"), link("out 10", "node 99"), link("node 99", "sink 9"),
	}, route.BluetoothA2DP, "through=filter"},
	{"a twin of the speaker", []route.Fact{with(pipewire(speaker()), func(n *route.Node) { n.ID = "sink 9" })}, route.Unknown, ""},
	{"a twin of the speaker by its name", []route.Fact{with(pipewire(speaker()), func(n *route.Node) { n.ID, n.Props["alsa.device"] = "sink 9", "7" })}, route.Unknown, ""},
	{"a twin of the speaker by its card", []route.Fact{with(pipewire(speaker()), func(n *route.Node) { n.ID, n.Name = "sink 9", "what" })}, route.Unknown, ""},
	{"a twin of a listed headset", []route.Fact{listed("sink 8"), listed("sink 9"), link("out 10", "sink 9")}, route.Unknown, ""},
	{"a part of a device that PipeWire has split", append(split("20"), link("out 10", "sink 20")), route.Virtual, ""},
	{"the hidden device behind the parts", slices.Concat(split("20"), split("30")), route.Unknown, ""},
	{"a program that calls what it sends a stream that records", []route.Fact{stream("in 30", route.Capture, theirPID), link("in 30", "in 11")}, route.Virtual, ""},
	{"a device that nobody has described", []route.Fact{route.Node{ID: "sink 9", Kind: route.Sink, Name: "what"}, link("out 10", "sink 9")}, route.Unknown, ""},
}

// What leads from our streams or our microphone to elsewhere is found, however
// long the way.
func TestWaysOut(t *testing.T) {
	for _, c := range waysOut {
		w := route.NewWorld(route.PipeWire)
		tell(w, route.PipeWire, append(call(route.PipeWire), c.facts...)...)
		r := w.Report(self)
		_, err := route.Policy{Wired: []string{"what"}}.Check(r)
		refusal, ok := err.(*route.Refusal)
		if !ok || refusal.Class != c.want {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if c.way != "" && !slices.Contains(refusal.Evidence, c.way) {
			t.Errorf("%s: %q", c.name, refusal.Evidence)
		}
	}
}

// A device that the policy lists is accepted, unless the kernel has no such card.
func TestListedDevice(t *testing.T) {
	w := route.NewWorld(route.PipeWire)
	tell(w, route.PipeWire, append(call(route.PipeWire), listed("sink 9"), link("out 10", "sink 9"))...)
	listing := route.Policy{Wired: []string{"what"}}
	if _, err := listing.Check(w.Report(self)); err != nil {
		t.Error(err)
	}
	if _, err := (route.Policy{}).Check(w.Report(self)); err == nil {
		t.Error("accepted without being listed")
	}
	tell(w, route.ALSA, route.Ready{})
	if _, err := listing.Check(w.Report(self)); err == nil || !strings.Contains(err.Error(), "the kernel has no such sound card") {
		t.Error(err)
	}
}

const moreStreams = "PulseAudio shows more streams than this program plays"

// Another call of this process plays and records: it is no decoy and no spy, and
// its devices are not this call's.
func TestTwoCalls(t *testing.T) {
	for _, from := range []route.Origin{route.Pulse, route.PipeWire} {
		w := route.NewWorld(from)
		tell(w, from, call(from)...)
		alone := w.Report(self)
		tell(w, from,
			named("other call", "out 20", route.Playback), link("out 20", "sink 0"), named("other call", "in 21", route.Capture), link("source 1", "in 21"))
		if r := w.Report(self); r.Unknown != "" || !r.Same(alone) || len(r.Routes) != 2 {
			t.Errorf("%v: %+v, want %+v", from, r, alone)
		}
		tell(w, from, route.Node{ID: "sink 9", Kind: route.Sink, Name: "null", Driver: "module-null-sink.c"}, link("out 20", "sink 9"))
		if r := w.Report(self); !r.Same(alone) {
			t.Errorf("%v: the other call goes elsewhere: %+v", from, r)
		}
		other := route.Self{PID: ourPID, Stream: "other call", Playback: true, Capture: true, Others: []string{"our call"}}
		if r := w.Report(other); r.Unknown != "" || len(r.Routes) != 3 {
			t.Errorf("%v, of the other call: %+v", from, r)
		}
	}
}

// The route is not known while a monitor is missing, and none of what it said
// counts then; nor while it does not show our streams on a device.
func TestUnknownRoute(t *testing.T) {
	for _, c := range []struct {
		name  string
		facts []route.Fact
		want  string
	}{
		{"nothing told", nil, "PulseAudio has not been looked at yet"},
		{"half told", call(route.Pulse)[:6], "PulseAudio has not been looked at yet"},
		{"lost", append(call(route.Pulse), route.Lost{Reason: "it does not answer"}), "PulseAudio cannot be watched: it does not answer"},
		{"lost without a word", append(call(route.Pulse), route.Lost{}), "PulseAudio cannot be watched: its monitor is lost"},
		{"lost and ready, but nothing told", append(call(route.Pulse), route.Lost{}, route.Ready{}), "PulseAudio does not show where this call is played"},
		{"our playback is gone", append(call(route.Pulse), route.Gone{"out 10"}), "PulseAudio does not show where this call is played"},
		{"a decoy with our PID plays too", append(call(route.Pulse), stream("out 30", route.Playback, ourPID), link("out 30", "sink 0")), moreStreams},
		{"a decoy with a name of its own", append(call(route.Pulse), named("third call", "out 30", route.Playback)), moreStreams},
		{"a decoy with our call's name", append(call(route.Pulse), named("our call", "out 30", route.Playback), link("out 30", "sink 0")), moreStreams},
		{"a decoy with the other call's name", append(call(route.Pulse), named("other call", "out 30", route.Playback), named("other call", "out 31", route.Playback)), moreStreams},
		{"a decoy in the place of our call", append(call(route.Pulse), route.Gone{"out 10"}, named("other call", "out 30", route.Playback), link("out 30", "sink 0")), "PulseAudio does not show where this call is played"},
		{"our capture is gone", append(call(route.Pulse), route.Gone{"in 11"}), "PulseAudio does not show where this call is recorded"},
		{"our playback is linked to nothing", append(call(route.Pulse), route.Gone{"link out 10 sink 0"}), "no device plays this call"},
		{"our capture is linked to nothing", append(call(route.Pulse), route.Gone{"link source 1 in 11"}), "no device records this call"},
		{"no fact", append(call(route.Pulse), nil), "PulseAudio cannot be watched: it tells of something without a proper name"},
		{"a fact of the wrong form", append(call(route.Pulse), &route.Node{ID: "x"}), "PulseAudio cannot be watched: it tells of something without a proper name"},
		{"no name", append(call(route.Pulse), route.Node{}), "PulseAudio cannot be watched: it tells of something without a proper name"},
		{"an odd name", append(call(route.Pulse), link("\x00", "sink 0")), "PulseAudio cannot be watched: it tells of something without a proper name"},
	} {
		w := route.NewWorld(route.Pulse)
		tell(w, route.Pulse, c.facts...)
		r := w.Report(self)
		if r.Unknown != c.want || len(r.Routes) != 0 {
			t.Errorf("%s: %+v", c.name, r)
		}
		if v, err := (route.Policy{}).Check(r); v.Valid() || err == nil || !strings.Contains(err.Error(), c.want+"; nothing is sent or played") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if r := route.NewWorld().Report(self); r.Unknown == "" {
		t.Error("without a monitor, the route is known")
	}
	w := route.NewWorld(route.Pulse, route.BlueZ)
	tell(w, route.Pulse, call(route.Pulse)...)
	tell(w, 0, route.Ready{})
	tell(w, 200, route.Ready{})
	if r := w.Report(self); r.Unknown != "BlueZ has not been looked at yet" {
		t.Errorf("%+v", r)
	}
}

// A monitor that comes back and tells everything anew is believed again.
func TestMonitorComesBack(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	tell(w, route.Pulse, call(route.Pulse)...)
	before := w.Report(self)
	tell(w, route.Pulse, route.Lost{Reason: "killed"})
	tell(w, route.Pulse, call(route.Pulse)...)
	if r := w.Report(self); !r.Same(before) {
		t.Errorf("%+v", r)
	}
}

// More than a machine can have is not remembered, and not believed, until the
// monitor begins again.
func TestAdversary_F6_FloodOfDevices(t *testing.T) {
	terse := map[string]string{}
	for i := range 2000 {
		terse[fmt.Sprint(i)] = ""
	}
	for name, flood := range map[string]func(i int) route.Fact{
		"nodes":   func(i int) route.Fact { return stream(route.ID(fmt.Sprint("x", i)), route.Playback, theirPID) },
		"links":   func(i int) route.Fact { return link("source 1", route.ID(fmt.Sprint("x", i))) },
		"devices": func(i int) route.Fact { return route.BluetoothDevice{ID: route.ID(fmt.Sprint("x", i))} },
		"text": func(i int) route.Fact {
			return route.Jacks{ID: route.ID(fmt.Sprint("x", i%100)), All: []route.Jack{{Name: strings.Repeat("y", i*100)}}}
		},
		"properties": func(i int) route.Fact {
			return route.Node{ID: route.ID(fmt.Sprint("x", i%100)), Kind: route.Sink, Props: terse}
		},
	} {
		w := route.NewWorld(route.Pulse)
		tell(w, route.Pulse, call(route.Pulse)...)
		for i := range 3000 {
			tell(w, route.Pulse, flood(i))
		}
		tell(w, route.Pulse, route.Ready{})
		if r := w.Report(self); !strings.Contains(r.Unknown, "more than 2048 things") || !slices.Equal(w.Broken(), []route.Origin{route.Pulse}) {
			t.Errorf("%s: %+v", name, r)
		}
		tell(w, route.Pulse, append([]route.Fact{route.Lost{}}, call(route.Pulse)...)...)
		if r := w.Report(self); r.Unknown != "" || w.Broken() != nil {
			t.Errorf("%s: not recovered: %+v", name, r)
		}
	}
}

// Things that come and go are no flood.
func TestComingAndGoing(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	tell(w, route.Pulse, call(route.Pulse)...)
	for i := range 3000 {
		id := route.ID(fmt.Sprint("x", i))
		tell(w, route.Pulse, with(speaker(), func(n *route.Node) { n.ID = id }), with(speaker(), func(n *route.Node) { n.ID = id }), route.Gone{id}, route.Gone{id})
	}
	if r := w.Report(self); r.Unknown != "" {
		t.Errorf("%+v", r)
	}
}
