package route_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"sotto/media/route"
)

// speaker is the built-in speaker of a laptop, as PulseAudio shows it. The
// other genuine devices below are made like it.
func speaker() route.Node {
	return route.Node{
		ID: "sink 0", Kind: route.Sink, Name: "alsa_output.pci-0000_00_1f.3.analog-stereo", Description: "Built-in Audio Analog Stereo",
		Driver: "module-alsa-card.c", Hardware: true, Port: route.Port{Name: "analog-output-speaker", Type: "Speaker", Available: "unknown"},
		Props: map[string]string{
			"alsa.card": "0", "alsa.device": "0", "alsa.card_name": "HDA Intel PCH", "alsa.driver_name": "snd_hda_intel", "alsa.id": "ALC257 Analog",
			"alsa.long_card_name": "HDA Intel PCH at 0x603d1c8000 irq 145", "device.api": "alsa", "device.class": "sound", "device.bus": "pci",
			"device.bus_path": "pci-0000:00:1f.3", "device.form_factor": "internal", "device.string": "front:0", "device.profile.name": "analog-stereo",
			"sysfs.path": "/devices/pci0000:00/0000:00:1f.3/sound/card0", "device.description": "Built-in Audio",
		},
	}
}

func microphone() route.Node {
	return with(speaker(), func(n *route.Node) {
		n.ID, n.Kind, n.Name = "source 1", route.Source, "alsa_input.pci-0000_00_1f.3.analog-stereo"
		n.Port = route.Port{Name: "analog-input-internal-mic", Type: "Mic", Available: "unknown"}
	})
}

// pipewire is what PipeWire's own graph says of the same devices.
func pipewire(n route.Node) route.Node {
	return with(n, func(n *route.Node) {
		n.Driver, n.Hardware = "adapter", false
		n.Factory = "api.alsa.pcm.sink"
		if n.Kind == route.Source {
			n.Factory = "api.alsa.pcm.source"
		}
		n.Props["factory.name"] = n.Factory
		n.Props["api.alsa.pcm.card"] = "0"
		n.Props["media.class"] = "Audio/Sink"
		n.Port.Type = strings.ToLower(n.Port.Type)
	})
}

// imitated is what PipeWire's imitation of PulseAudio says.
func imitated(n route.Node) route.Node {
	return with(pipewire(n), func(n *route.Node) { n.Driver, n.Hardware, n.Factory = "PipeWire", true, "" })
}

// card is what the kernel says.
func card(n route.Node) route.Node {
	return with(n, func(n *route.Node) {
		n.Name, n.Driver, n.Port.Name = "hw:PCH,0", "HDA-Intel", "Speaker"
		n.Props["alsa.name"] = "ALC257 Analog"
		if n.Kind == route.Source {
			n.Port.Name = "Internal Mic"
		}
	})
}

// with is a changed copy.
func with(n route.Node, change func(*route.Node)) route.Node {
	n.Props = maps.Clone(n.Props)
	change(&n)
	return n
}

func set(key, value string) func(*route.Node) {
	return func(n *route.Node) { n.Props[key] = value }
}

func unset(keys ...string) func(*route.Node) {
	return func(n *route.Node) {
		for _, key := range keys {
			delete(n.Props, key)
		}
	}
}

func port(name, kind string) func(*route.Node) {
	return func(n *route.Node) { n.Port = route.Port{Name: name, Type: kind, Available: "yes"} }
}

func TestBuiltinDevices(t *testing.T) {
	fixed := func(n *route.Node) { n.Port = route.Port{} }
	for _, c := range []struct {
		from route.Origin
		node route.Node
		want route.Class
	}{
		{route.Pulse, speaker(), route.BuiltinSpeaker},
		{route.Pulse, microphone(), route.BuiltinMic},
		{route.Pulse, with(speaker(), func(n *route.Node) { n.Driver = "module-alsa-sink.c" }), route.BuiltinSpeaker},
		{route.Pulse, with(speaker(), fixed), route.BuiltinSpeaker}, // no ports: its form says it
		{route.Pulse, with(speaker(), func(n *route.Node) { n.Port.Type = "" }), route.BuiltinSpeaker},
		{route.Pulse, with(speaker(), unset("device.form_factor")), route.BuiltinSpeaker}, // its port says it
		{route.Pulse, with(speaker(), set("device.form_factor", "handset")), route.BuiltinEarpiece},
		{route.Pulse, with(speaker(), func(n *route.Node) { n.Port = route.Port{Name: "[Out] Earpiece", Type: "Earpiece"} }), route.BuiltinEarpiece},
		{route.Pulse, with(speaker(), func(n *route.Node) { // a phone with a system on a chip
			unset("device.bus", "device.form_factor")(n)
			n.Props["device.bus_path"], n.Props["sysfs.path"] = "platform-sound", "/devices/platform/sound/sound/card0"
		}), route.BuiltinSpeaker},
		{route.Pulse, imitated(speaker()), route.BuiltinSpeaker},
		{route.Pulse, imitated(microphone()), route.BuiltinMic},
		{route.PipeWire, pipewire(speaker()), route.BuiltinSpeaker},
		{route.PipeWire, with(pipewire(speaker()), func(n *route.Node) {
			n.Props["api.alsa.path"] = "_ucm0001.hw:sofhdadsp"
			delete(n.Props, "device.string")
		}), route.BuiltinSpeaker},
		{route.PipeWire, pipewire(microphone()), route.BuiltinMic},
		{route.PipeWire, with(pipewire(microphone()), func(n *route.Node) { n.Port = route.Port{Name: "[In] Mic1", Type: "mic", Available: "unknown"} }), route.BuiltinMic},
		{route.PipeWire, with(pipewire(speaker()), func(n *route.Node) { n.Port = route.Port{Name: "analog-output", Type: "analog"} }), route.BuiltinSpeaker},
		{route.ALSA, card(speaker()), route.BuiltinSpeaker},
		{route.ALSA, card(microphone()), route.BuiltinMic},
	} {
		got := route.Classify(c.from, c.node)
		if got.Class != c.want || got.Reason != "" || len(got.Evidence) == 0 || got.Device != c.node.Name || got.Capture != (c.node.Kind == route.Source) {
			t.Errorf("%v: %+v\nis %+v, not %v", c.from, c.node, got, c.want)
		}
	}
}

// The kernel's cards by the places that use cases (UCM), jacks and input devices
// name.
func TestKernelPlaces(t *testing.T) {
	usb := func(n *route.Node) { n.Driver = "USB-Audio" }
	for _, c := range []struct {
		base   route.Node
		change func(*route.Node)
		want   route.Class
	}{
		{speaker(), port("Earpiece", ""), route.BuiltinEarpiece},
		{speaker(), port("Handset", ""), route.BuiltinEarpiece},
		{speaker(), port("Speaker", ""), route.BuiltinSpeaker},
		{microphone(), port("Mic", ""), route.BuiltinMic},
		{microphone(), port("Internal Mic", ""), route.BuiltinMic},
		{speaker(), port("Headphones", ""), route.WiredHeadphones},
		{speaker(), port("SW_HEADPHONE_INSERT", ""), route.WiredHeadphones},
		{speaker(), port("Headset", ""), route.WiredHeadset},
		{microphone(), port("Headset", ""), route.WiredHeadset},
		{speaker(), port("Line Out Jack", ""), route.LineOut},
		{speaker(), port("SW_LINEOUT_INSERT", ""), route.LineOut},
		{microphone(), port("SW_LINEIN_INSERT", ""), route.LineOut},
		{speaker(), port("HDMI/DP,pcm=3 Jack", ""), route.HDMI},
		{speaker(), port("SPDIF", ""), route.Digital},
		{speaker(), usb, route.USBAudio},
		{speaker(), func(n *route.Node) { n.Driver = "Loopback" }, route.Virtual},
		{speaker(), func(n *route.Node) { n.Driver = "Dummy" }, route.Virtual},
		{speaker(), port("", ""), route.Unknown},
		{speaker(), port("Mic", ""), route.Unknown},
	} {
		n := card(c.base)
		c.change(&n)
		n.Port.Available = ""
		if got := route.Classify(route.ALSA, n); got.Class != c.want {
			t.Errorf("%+v, %q: %v", n.Port, n.Driver, got)
		}
	}
}

// traps are genuine devices with one thing changed, and what they are then.
var traps = []struct {
	name   string
	change func(*route.Node)
	want   route.Class
}{
	// A radio, said anywhere, before anything that says internal.
	{"the real node of PipeWire", func(n *route.Node) {
		unset("device.bus", "device.form_factor")(n)
		n.Name, n.Factory, n.Driver = "bluez_output.AC_80_0A_11_22_33.1", "api.bluez5.a2dp.sink", ""
		n.Props["device.api"], n.Props["api.bluez5.profile"] = "bluez5", "a2dp-sink"
	}, route.BluetoothA2DP},
	{"a device that could do more than its node does", func(n *route.Node) {
		n.Name, n.Factory, n.Driver = "bluez_output.AC_80_0A_11_22_33.1", "api.bluez5.a2dp.sink", "adapter"
		n.Props["factory.name"], n.Props["bluez5.auto-connect"] = "api.bluez5.a2dp.sink", "[ hfp_hf hsp_hs a2dp_sink ]"
	}, route.BluetoothA2DP},
	{"its other node", func(n *route.Node) {
		n.Name, n.Factory, n.Driver = "bluez_output.AC_80_0A_11_22_33.2", "api.bluez5.sco.sink", "adapter"
		n.Props["bluez5.codecs"] = "[ a2dp sbc ]"
	}, route.BluetoothSCO},
	{"bluez in the name alone", func(n *route.Node) { n.Name = "bluez_sink.AC_80_0A_11_22_33" }, route.BluetoothA2DP},
	{"profile of a headset", set("device.profile.name", "headset_head_unit"), route.BluetoothSCO},
	{"profile with hyphens", set("api.bluez5.profile", "headset-head-unit"), route.BluetoothSCO},
	{"a property's name", set("api.bluez5.codec", "sbc"), route.BluetoothA2DP},
	{"a property's name, without a value", set("api.bluez5.codec", ""), route.BluetoothA2DP},
	{"LE audio", set("api.bluez5.profile", "bap-sink"), route.BLEAudio},
	{"hearing aid", set("api.bluez5.profile", "asha-sink"), route.HearingAid},
	{"case", set("device.api", "BlueZ5"), route.BluetoothA2DP},
	{"key's case", set("API.Bluez5.Address", "AC:80:0A:11:22:33"), route.BluetoothA2DP},
	{"Bluetooth bus", set("device.bus", "bluetooth"), route.BluetoothA2DP},
	{"Bluetooth port", port("headset-output", "Bluetooth"), route.BluetoothA2DP},
	{"Bluetooth icon", set("device.icon_name", "audio-headset-bluetooth"), route.BluetoothA2DP},
	{"description only", func(n *route.Node) { n.Description = "CheapHeadset (Bluetooth)" }, route.BluetoothA2DP},
	{"another radio, with a stick", func(n *route.Node) {
		n.Name, n.Description = "alsa_output.usb-Logitech_PRO_X_Wireless-00.analog-stereo", "PRO X Wireless Gaming Headset"
		n.Props["device.bus"] = "usb"
	}, route.Unknown},

	// A network.
	{"network flag", func(n *route.Node) { n.Network = true }, route.Network},
	{"tunnel", func(n *route.Node) { n.Driver = "module-tunnel-sink-new.c" }, route.Network},
	{"RTP", func(n *route.Node) { n.Name = "rtp-sink" }, route.Network},
	{"RAOP", func(n *route.Node) { n.Driver = "module-raop-sink.c" }, route.Network},
	{"node.network", set("node.network", "true"), route.Network},
	{"ROC", func(n *route.Node) { n.Name = "roc-sink" }, route.Network},

	// No device at all.
	{"null sink that calls itself built in", func(n *route.Node) { n.Driver, n.Hardware = "module-null-sink.c", false }, route.Virtual},
	{"null sink with the flag", func(n *route.Node) { n.Driver = "module-null-sink.c" }, route.Virtual},
	{"null factory", set("factory.name", "support.null-audio-sink"), route.Virtual},
	{"null factory of the node", func(n *route.Node) { n.Factory = "support.null-audio-sink" }, route.Virtual},
	{"remap", set("device.master_device", "bluez_free"), route.BluetoothA2DP},
	{"remap of a built-in one", set("device.master_device", "alsa_output.pci-0000_00_1f.3.analog-stereo"), route.Virtual},
	{"remap by its driver", func(n *route.Node) { n.Driver = "module-remap-sink.c" }, route.Virtual},
	{"combine", func(n *route.Node) { n.Driver = "module-combine-sink.c" }, route.Virtual},
	{"echo canceller", func(n *route.Node) { n.Driver = "module-echo-cancel.c" }, route.Virtual},
	{"filter chain", set("node.link-group", "filter-chain-1-2"), route.Virtual},
	{"a group", func(n *route.Node) { n.Group = "7" }, route.Virtual},
	{"node.virtual", set("node.virtual", "true"), route.Virtual},
	{"class filter", set("device.class", "filter"), route.Virtual},
	{"virtual source", set("media.class", "Audio/Source/Virtual"), route.Virtual},
	{"kernel's loopback", set("alsa.driver_name", "snd_aloop"), route.Virtual},
	{"kernel's dummy", func(n *route.Node) { n.Props["sysfs.path"] = "/devices/platform/snd_dummy.0/sound/card1" }, route.Virtual},
	{"monitor", func(n *route.Node) { n.MonitorOf = "sink 0" }, route.Monitor},
	{"monitor by its class", set("device.class", "monitor"), route.Monitor},
	{"monitor by its name", func(n *route.Node) { n.Name += ".monitor" }, route.Monitor},

	// The end of a wire.
	{"USB", set("device.bus", "usb"), route.USBAudio},
	{"USB by the path, which begins with pci", set("device.bus_path", "pci-0000:00:14.0-usb-0:2:1.0"), route.USBAudio},
	{"USB by sysfs", set("sysfs.path", "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/sound/card1"), route.USBAudio},
	{"USB by its driver", set("alsa.driver_name", "snd_usb_audio"), route.USBAudio},
	{"USB headset", func(n *route.Node) {
		n.Props["device.bus"], n.Props["device.form_factor"] = "usb", "headset"
	}, route.USBHeadset},
	{"wired headset, which has the port type of a Bluetooth one", port("analog-output-headset", "Headset"), route.WiredHeadset},
	{"headphones", port("analog-output-headphones", "Headphones"), route.WiredHeadphones},
	{"headphones by type", port("[Out] Something", "Headphones"), route.WiredHeadphones},
	{"line out", port("analog-output-lineout", "Line"), route.LineOut},
	{"HDMI says internal and pci too", set("device.profile.name", "hdmi-stereo"), route.HDMI},
	{"HDMI by its port", port("hdmi-output-0", "HDMI"), route.HDMI},
	{"HDMI by its name", set("alsa.name", "HDMI 0"), route.HDMI},
	{"S/PDIF", set("device.profile.name", "iec958-stereo"), route.Digital},
	{"car", set("device.form_factor", "car"), route.Car},
	{"modem", set("device.class", "modem"), route.Telephony},

	// What a policy may list takes a sound card too.
	{"USB, but no driver", func(n *route.Node) {
		n.Driver, n.Factory, n.Props["factory.name"], n.Props["device.bus"] = "", "", "", "usb"
	}, route.Unknown},
	{"USB, but another driver", func(n *route.Node) { n.Driver, n.Factory, n.Props["device.bus"] = "module-waveout.c", "other", "usb" }, route.Unknown},
	{"USB, but no card", func(n *route.Node) {
		unset("alsa.card", "api.alsa.pcm.card")(n)
		n.Props["device.bus"] = "usb"
	}, route.Unknown},
	{"headphones of another api", func(n *route.Node) {
		port("analog-output-headphones", "Headphones")(n)
		n.Props["device.api"] = "oss"
	}, route.Unknown},
	{"headset on a plug-in", func(n *route.Node) {
		port("analog-output-headset", "Headset")(n)
		n.Props["api.alsa.path"] = "tee:hw,file"
	}, route.Unknown},

	// Not enough, or odd.
	{"another driver", func(n *route.Node) { n.Driver = "module-something.c" }, route.Unknown},
	{"no driver", func(n *route.Node) { n.Driver, n.Factory, n.Props["factory.name"] = "", "", "" }, route.Unknown},
	{"factory of the other direction", func(n *route.Node) { n.Factory = "api.alsa.pcm.source" }, route.Unknown},
	{"what a program has brought", func(n *route.Node) { n.Driver = "client-node" }, route.Virtual},
	{"no api", unset("device.api"), route.Unknown},
	{"another api", set("device.api", "oss"), route.Unknown},
	{"api with a blank", set("device.api", "alsa "), route.Unknown},
	{"api in capitals", set("device.api", "ALSA"), route.Unknown},
	{"two opinions about the api", set("Device.API", "v4l2"), route.Unknown},
	{"a plug-in of ALSA that writes a file", set("api.alsa.path", "file:call.wav,raw"), route.Unknown},
	{"a plug-in of ALSA by its other name", set("device.string", "file:0"), route.Unknown},
	{"a plug-in of ALSA that is Bluetooth", set("api.alsa.path", "bluealsa:DEV=AC:80:0A:11:22:33"), route.BluetoothA2DP},
	{"another card than it says, by its path", set("api.alsa.path", "hw:1,0"), route.Unknown},
	{"another card than it says", set("device.string", "front:CARD=1,DEV=0"), route.Unknown},
	{"the default card", set("device.string", "hw"), route.Unknown},
	{"no card", unset("alsa.card", "api.alsa.pcm.card"), route.Unknown},
	{"a card that is no number", set("alsa.card", "0x0"), route.Unknown},
	{"no bus and no path", unset("device.bus", "device.bus_path", "sysfs.path"), route.Unknown},
	{"bus with a blank", set("device.bus", "pci "), route.Unknown},
	{"FireWire", set("device.bus", "firewire"), route.Unknown},
	{"a path that is not of the bus", func(n *route.Node) { n.Props["device.bus_path"], n.Props["sysfs.path"] = "nowhere", "/nowhere" }, route.Unknown},
	{"a portable one", set("device.form_factor", "portable"), route.Unknown},
	{"two opinions about the form", set("device.form-factor", "internal "), route.Unknown},
	{"unknown port", port("analog-output-2", "HiFi"), route.Unknown},
	{"speaker with a jack", port("analog-output-speaker", "Speaker"), route.Unknown},
	{"Cyrillic letter in the bus", set("device.bus", "рci"), route.Unknown},
	{"Cyrillic letter in the profile", set("device.profile.name", "hdmі-stereo"), route.Unknown},
	{"full-width letters", set("device.api", "ａｌｓａ"), route.Unknown},
	{"invisible letter", set("device.description", "Built-in\u200b Audio"), route.Unknown},
	{"right-to-left override", func(n *route.Node) { n.Description = "\u202eoiduA" }, route.Unknown},
	{"escape sequence", func(n *route.Node) { n.Description = "\x1b[31mred" }, route.Unknown},
	{"not UTF-8", set("device.product.name", "\xff\xfe"), route.Unknown},
	{"a property's name with a blank", set("device.bus ", "pci"), route.Unknown},
	{"a property without a name", set("", "pci"), route.Unknown},
	{"an enormous value", set("device.product.name", strings.Repeat("x", 1<<20)), route.Unknown},
	{"an enormous name", set(strings.Repeat("x", 1<<20), "x"), route.Unknown},
	{"enormously many", func(n *route.Node) {
		for i := range 10_000 {
			n.Props[fmt.Sprint("x", i)] = "x"
		}
	}, route.Unknown},
	{"no name", func(n *route.Node) { n.Name = "" }, route.Unknown},
	{"nothing at all", func(n *route.Node) { *n = route.Node{} }, route.Unknown},
	{"a stream", func(n *route.Node) { n.Kind = route.Playback }, route.Unknown},
}

// Every trap is refused, whichever way it is seen; the classes of the table are
// those of the direction outward.
func TestTraps(t *testing.T) {
	for _, trap := range traps {
		for _, seen := range []struct {
			from route.Origin
			node route.Node
		}{{route.Pulse, speaker()}, {route.Pulse, imitated(speaker())}, {route.PipeWire, pipewire(speaker())}, {route.Pulse, microphone()}, {route.PipeWire, pipewire(microphone())}} {
			outward := seen.node.Kind == route.Sink
			n := with(seen.node, trap.change)
			got := route.Classify(seen.from, n)
			if harmless(trap.name, seen.node) {
				continue
			}
			if err := (route.Policy{Wired: []string{n.Name}}).Accept(got); err == nil && !wired(trap.want) {
				t.Errorf("%s, %v: %+v accepted", trap.name, seen.from, got)
			}
			if got.Class != trap.want && outward {
				t.Errorf("%s, %v: %v, not %v: %v", trap.name, seen.from, got.Class, trap.want, got.Reason)
			}
			if len(got.Device) > 1000 || len(got.Name) > 1000 || len(got.Reason) > 1000 || len(strings.Join(got.Evidence, "")) > 10_000 {
				t.Errorf("%s: a long verdict", trap.name)
			}
		}
	}
}

// harmless are traps that are none for one direction.
func harmless(trap string, n route.Node) bool {
	return trap == "factory of the other direction" && n.Kind == route.Source
}

func wired(c route.Class) bool {
	return slices.Contains([]route.Class{route.WiredHeadset, route.WiredHeadphones, route.USBAudio, route.USBHeadset}, c)
}

// What Bluetooth's microphone is, where nothing says which profile.
func TestBluetoothMicrophone(t *testing.T) {
	if got := route.Classify(route.PipeWire, with(pipewire(microphone()), set("device.api", "bluez5"))); got.Class != route.BluetoothSCO {
		t.Errorf("%+v", got)
	}
}

// The verdict carries what decided, first, and the rest after it.
func TestEvidenceOfVerdict(t *testing.T) {
	got := route.Classify(route.Pulse, with(speaker(), func(n *route.Node) { n.Driver = "module-null-sink.c" }))
	if len(got.Evidence) < 5 || got.Evidence[0] != "driver=module-null-sink.c" || !slices.Contains(got.Evidence, "device.bus=pci") {
		t.Errorf("%q", got.Evidence)
	}
	got = route.Classify(route.Pulse, with(speaker(), unset("alsa.card")))
	if got.Reason != "it says that it is built in, but it has no sound card" {
		t.Errorf("%q", got.Reason)
	}
}

// Classify is pure: it changes nothing, and says the same again.
func TestClassifyIsPure(t *testing.T) {
	n := speaker()
	before := maps.Clone(n.Props)
	first := route.Classify(route.Pulse, n)
	if again := route.Classify(route.Pulse, n); !maps.Equal(before, n.Props) || fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("%v, then %v", first, again)
	}
}

// Tests without hardware trust null devices by a function that no program has:
// it is there only under a build tag.
func TestNothingTrustsNullDevices(t *testing.T) {
	n := with(speaker(), func(n *route.Node) { n.Driver, n.Name = "module-null-sink.c", "builtin_speaker" })
	if got := route.Classify(route.Pulse, n); got.Class != route.Virtual {
		t.Errorf("%+v", got)
	}
}
