package route_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"sotto/media/route"
)

// kernelCard is the card of the built-in devices, as the kernel shows it.
func kernelCard(facts ...route.Fact) []route.Fact {
	s, m := card(speaker()), card(microphone())
	s.ID, m.ID = "hw:PCH,0 p", "hw:PCH,0 c"
	s.Port, m.Port = route.Port{}, route.Port{}
	return append([]route.Fact{
		s, m, route.Ready{}, jacks(),
		route.Jacks{ID: "other jacks", Card: "Other", All: []route.Jack{{Name: "Headphone Jack", Plugged: true}}},
	}, facts...)
}

// jacks are those of the built-in card, with others among them, which come first
// if they have the name of one.
func jacks(others ...route.Jack) route.Jacks {
	all := others
	for _, j := range []route.Jack{
		{Name: "Speaker Phantom Jack", Plugged: true}, {Name: "Internal Mic Phantom Jack", Plugged: true},
		{Name: "Headphone Jack"}, {Name: "Mic Jack"}, {Name: "HDMI/DP,pcm=3 Jack", Plugged: true},
	} {
		if !slices.ContainsFunc(others, func(o route.Jack) bool { return o.Name == j.Name }) {
			all = append(all, j)
		}
	}
	return route.Jacks{ID: "hw:PCH jacks", Card: "PCH", All: all}
}

// plugged are the same jacks, with something in those of that name.
func plugged(names ...string) route.Fact {
	var others []route.Jack
	for _, name := range names {
		others = append(others, route.Jack{Name: name, Plugged: true})
	}
	return jacks(others...)
}

// Where monitors differ, the worse verdict holds.
func TestConflictingMonitors(t *testing.T) {
	disguised := with(speaker(), func(n *route.Node) { n.Props["alsa.driver_name"] = "snd_usb_audio" })
	for _, c := range []struct {
		name                    string
		pulse, pipewire, kernel []route.Fact
		want                    route.Class // Internal: nothing is refused
	}{
		{"all agree", nil, nil, kernelCard(), route.Internal},
		{"PulseAudio alone sees a headset", []route.Fact{headset("sink 9"), link("out 10", "sink 9")}, nil, nil, route.BluetoothA2DP},
		{"PipeWire alone sees a headset", nil, []route.Fact{headset("sink 9"), link("out 10", "sink 9")}, nil, route.BluetoothA2DP},
		{"PipeWire says that it is USB", nil, []route.Fact{pipewire(disguised)}, nil, route.USBAudio},
		{"the kernel says that it is USB", nil, nil, kernelCard(with(card(disguised), func(n *route.Node) { n.ID = "hw:PCH,0 p" })), route.USBAudio},
		{"the kernel has no such card", nil, nil, []route.Fact{route.Ready{}}, route.Unknown},
		{"the kernel's card of that number has another name", []route.Fact{with(speaker(), set("device.string", "front:CARD=Stick"))}, nil, kernelCard(), route.Unknown},
		{"the same, by its path", nil, []route.Fact{with(pipewire(speaker()), set("api.alsa.path", "front:CARD=Stick"))}, kernelCard(), route.Unknown},
		{"the kernel has another card", nil, nil, []route.Fact{with(card(speaker()), set("alsa.card", "1")), route.Ready{}}, route.Unknown},
		{"headphones are plugged in", nil, nil, kernelCard(plugged("Headphone Jack")), route.WiredHeadphones},
		{"a microphone is plugged in", nil, nil, kernelCard(plugged("Mic Jack")), route.WiredHeadset},
		{"something is plugged into line out", nil, nil, kernelCard(plugged("Line Out Jack")), route.LineOut},
	} {
		w := route.NewWorld(route.Pulse, route.PipeWire)
		tell(w, route.Pulse, append(call(route.Pulse), c.pulse...)...)
		tell(w, route.PipeWire, append(call(route.PipeWire), c.pipewire...)...)
		tell(w, route.ALSA, c.kernel...)
		_, err := route.Policy{}.Check(w.Report(self))
		refusal, ok := err.(*route.Refusal)
		if !ok && (err != nil || c.want != route.Internal) || ok && refusal.Class != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// PipeWire's graph does not show ports; its face of PulseAudio does.
func TestPortOfTheOtherFace(t *testing.T) {
	plain := func(n route.Node) route.Node {
		return with(pipewire(n), func(n *route.Node) {
			n.Port = route.Port{}
		})
	}
	for port, want := range map[route.Port]route.Class{
		{Name: "analog-output-speaker", Type: "Speaker", Available: "unknown"}: route.BuiltinSpeaker,
		{Name: "analog-output-headphones", Type: "Headphones"}:                 route.WiredHeadphones,
		{}: route.Unknown,
	} {
		w := route.NewWorld(route.Pulse, route.PipeWire)
		tell(w, route.PipeWire, append(call(route.PipeWire), plain(speaker()), plain(microphone()))...)
		tell(w, route.Pulse, append(call(route.Pulse), with(imitated(speaker()), func(n *route.Node) {
			n.Port = port
			delete(n.Props, "device.form_factor")
		}))...)
		if r := w.Report(self); r.Unknown != "" || r.Routes[0].Class != want || r.Routes[1].Class != route.BuiltinMic {
			t.Errorf("%+v: %+v", port, r)
		}
	}
}

// Without a daemon, the kernel alone says where the call goes: which program
// has a device open, and by the jacks what is behind it.
func TestKernelAlone(t *testing.T) {
	own := []route.Fact{
		stream("out 10", route.Playback, ourPID), link("out 10", "hw:PCH,0 p"),
		stream("in 11", route.Capture, ourPID), link("hw:PCH,0 c", "in 11"),
	}
	for _, c := range []struct {
		name  string
		facts []route.Fact
		want  []route.Class
	}{
		{"nothing plugged in", nil, []route.Class{route.BuiltinSpeaker, route.BuiltinMic}},
		{"headphones", []route.Fact{plugged("Front Headphone Jack")}, []route.Class{route.WiredHeadphones, route.BuiltinMic}},
		{"headset", []route.Fact{plugged("Headset Mic Jack")}, []route.Class{route.WiredHeadset, route.WiredHeadset}},
		{"line in", []route.Fact{plugged("Line In Jack")}, []route.Class{route.BuiltinSpeaker, route.LineOut}},
		{"no speaker that is known of", []route.Fact{jacks(route.Jack{Name: "Speaker Phantom Jack"})}, []route.Class{route.Unknown, route.BuiltinMic}},
		{"no microphone that is known of", []route.Fact{jacks(route.Jack{Name: "Internal Mic Phantom Jack"})}, []route.Class{route.BuiltinSpeaker, route.Unknown}},
		{"no jacks that are known of", []route.Fact{route.Gone{"hw:PCH jacks"}}, []route.Class{route.Unknown, route.Unknown}},
		{"the worst of what is plugged in", []route.Fact{plugged("Headphone Jack", "Line Out Front Jack")}, []route.Class{route.LineOut, route.BuiltinMic}},
		{"headphones that are a microphone, or not", []route.Fact{plugged("Headphone Mic Jack")}, []route.Class{route.WiredHeadset, route.WiredHeadset}},
		{"headset in one", []route.Fact{plugged("Headset Jack")}, []route.Class{route.WiredHeadset, route.WiredHeadset}},
		{"nobody knows what", []route.Fact{plugged("Jack")}, []route.Class{route.Unknown, route.Unknown}},
		{"a line that is no line out", []route.Fact{plugged("Rear Line Jack")}, []route.Class{route.BuiltinSpeaker, route.LineOut}},
		{"a dock", []route.Fact{plugged("Dock Headphone Jack", "Dock Mic Jack")}, []route.Class{route.Dock, route.Dock}},
		{"what is played goes to S/PDIF as well", []route.Fact{plugged("SPDIF Jack")}, []route.Class{route.Digital, route.BuiltinMic}},
		{"and to a screen on the same codec", []route.Fact{plugged("HDMI Jack")}, []route.Class{route.HDMI, route.BuiltinMic}},
		{"a jack without a switch", []route.Fact{plugged("Headphone Phantom Jack", "Mic Phantom Jack")}, []route.Class{route.Unknown, route.Unknown}},
		{"a speaker with a plug", []route.Fact{plugged("Speaker Jack", "Internal Mic Jack")}, []route.Class{route.Unknown, route.WiredHeadset}},
		{"the codec's digital device", []route.Fact{with(card(speaker()), func(n *route.Node) { n.ID, n.Props["alsa.name"] = "hw:PCH,0 p", "ALC887 Digital" })}, []route.Class{route.Unknown, route.BuiltinMic}},
		{"the codec's second device", []route.Fact{with(card(microphone()), func(n *route.Node) { n.ID, n.Props["alsa.name"] = "hw:PCH,0 c", "ALC887 Alt Analog" })}, []route.Class{route.BuiltinSpeaker, route.Unknown}},
		{"a loopback card", []route.Fact{with(card(speaker()), func(n *route.Node) { n.ID, n.Driver = "hw:PCH,0 p", "Loopback" })}, []route.Class{route.Virtual, route.BuiltinMic}},
	} {
		w := route.NewWorld(route.ALSA)
		tell(w, route.ALSA, append(kernelCard(own...), c.facts...)...)
		if r := w.Report(self); r.Unknown != "" || !slices.Equal(classes(r), c.want) {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
	w := route.NewWorld(route.ALSA)
	tell(w, route.ALSA, kernelCard()...)
	if r := w.Report(self); r.Unknown != "ALSA does not show where this call is played" {
		t.Errorf("%+v", r)
	}
}

// A Bluetooth audio device that is connected counts from BlueZ's word on,
// before any daemon has made a sink of it; and by the sink, if BlueZ is silent.
func TestBluetoothDevices(t *testing.T) {
	a2dp := []string{"0000110b-0000-1000-8000-00805f9b34fb"}
	for _, c := range []struct {
		name  string
		bluez []route.Fact
		pulse []route.Fact
		want  []string
	}{
		{"none", nil, nil, nil},
		{"paired only", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", UUIDs: a2dp}}, nil, nil},
		{"connected", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", Connected: true, UUIDs: a2dp}}, nil, []string{"Buds"}},
		{"services in capitals", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", Connected: true, UUIDs: []string{"0000111E-0000-1000-8000-00805F9B34FB"}}}, nil, []string{"Buds"}},
		{"hearing aid", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Aid", Connected: true, UUIDs: []string{"0000fdf0-0000-1000-8000-00805f9b34fb"}}}, nil, []string{"Aid"}},
		{"by its class", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", Connected: true, Class: 0x240404}}, nil, []string{"Buds"}},
		{"by its icon", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", Connected: true, Class: 0x500, Icon: "audio-headset"}}, nil, []string{"Buds"}},
		{"services not known yet", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "What", Connected: true}}, nil, []string{"What"}},
		{"a mouse", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Mouse", Connected: true, Class: 0x2580, Icon: "input-mouse", UUIDs: []string{"00001124-0000-1000-8000-00805f9b34fb"}}}, nil, nil},
		{"sends, though it does not say that it is connected", []route.Fact{
			route.BluetoothDevice{ID: "/dev1", Name: "Buds", UUIDs: a2dp}, route.BluetoothTransport{ID: "/dev1/fd0", Device: "/dev1", State: "active"},
		}, nil, []string{"Buds"}},
		{"idle transport of a device that is not connected", []route.Fact{
			route.BluetoothDevice{ID: "/dev1", Name: "Buds", UUIDs: a2dp}, route.BluetoothTransport{ID: "/dev1/fd0", Device: "/dev1", State: "idle"},
		}, nil, nil},
		{"sends, and nobody knows who", []route.Fact{route.BluetoothTransport{ID: "/dev1/fd0", Device: "/dev1", State: "pending"}}, nil, []string{"/dev1"}},
		{"gone again", []route.Fact{route.BluetoothDevice{ID: "/dev1", Connected: true}, route.Gone{"/dev1"}}, nil, nil},
		{"only PulseAudio has seen it", nil, []route.Fact{headset("sink 9")}, []string{"CheapHeadset"}},
		{"only PulseAudio has seen it, as a stream", nil, []route.Fact{with(headset("in 30"), kind(route.Capture))}, []string{"CheapHeadset"}},
		{"only PulseAudio has seen it, as nobody knows what", nil, []route.Fact{with(headset("node 30"), kind(0))}, []string{"CheapHeadset"}},
		{"both have seen it", []route.Fact{route.BluetoothDevice{ID: "/dev1", Name: "Buds", Address: "AC:80:0A:11:22:33", Connected: true}},
			[]route.Fact{with(headset("sink 9"), set("api.bluez5.address", "ac:80:0a:11:22:33"))}, []string{"Buds"}},
	} {
		w := route.NewWorld(route.Pulse, route.BlueZ)
		tell(w, route.BlueZ, append(c.bluez, route.Ready{})...)
		tell(w, route.Pulse, append(call(route.Pulse), c.pulse...)...)
		r := w.Report(self)
		other := route.NewWorld(route.PipeWire, route.BlueZ)
		tell(other, route.BlueZ, append(c.bluez, route.Ready{})...)
		tell(other, route.PipeWire, append(call(route.PipeWire), c.pulse...)...)
		if seen := other.Report(self).Bluetooth; !reflect.DeepEqual(seen, r.Bluetooth) {
			t.Errorf("%s: to PipeWire they are %+v", c.name, seen)
		}
		var names []string
		for _, d := range r.Bluetooth {
			names = append(names, d.Name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%s: %+v", c.name, r)
			continue
		}
		if _, err := (route.Policy{}).Check(r); err != nil {
			t.Errorf("%s: an unused device: %v", c.name, err)
		}
		_, err := route.Policy{Strict: true}.Check(r)
		if (err != nil) != (len(c.want) > 0) || err != nil && !strings.HasSuffix(err.Error(), `; disconnect "`+c.want[0]+`"`) {
			t.Errorf("%s: strict: %v", c.name, err)
		}
	}
}

// The class of a connected device is that of its services.
func TestBluetoothClasses(t *testing.T) {
	for _, c := range []struct {
		uuids []string
		want  route.Class
	}{
		{nil, route.BluetoothA2DP},
		{[]string{"0000110b-0000-1000-8000-00805f9b34fb"}, route.BluetoothA2DP},
		{[]string{"0000111e-0000-1000-8000-00805f9b34fb"}, route.BluetoothSCO},
		{[]string{"00001108-0000-1000-8000-00805f9b34fb"}, route.BluetoothSCO},
		{[]string{"0000111e-0000-1000-8000-00805f9b34fb", "0000184e-0000-1000-8000-00805f9b34fb", "00001801-0000"}, route.BLEAudio},
		{[]string{"0000184e-0000-1000-8000-00805f9b34fb", "0000FDF0-0000-1000-8000-00805f9b34fb"}, route.HearingAid},
		{[]string{"", "x", "\xff"}, route.Internal}, // none
	} {
		w := route.NewWorld(route.Pulse, route.BlueZ)
		tell(w, route.BlueZ, route.BluetoothDevice{ID: "/dev1", Connected: true, UUIDs: c.uuids}, route.Ready{})
		tell(w, route.Pulse, call(route.Pulse)...)
		_, err := route.Policy{Strict: true}.Check(w.Report(self))
		refusal, ok := err.(*route.Refusal)
		if !ok && c.want != route.Internal || ok && refusal.Class != c.want {
			t.Errorf("%q: %v", c.uuids, err)
		}
	}
}

func TestAdapterPower(t *testing.T) {
	w := route.NewWorld(route.Pulse, route.BlueZ)
	tell(w, route.Pulse, call(route.Pulse)...)
	tell(w, route.BlueZ, route.BluetoothAdapter{ID: "/org/bluez/hci0"}, route.BluetoothAdapter{ID: "/org/bluez/hci1", Powered: true}, route.Ready{})
	off := route.Policy{AdapterOff: true}
	if _, err := off.Check(w.Report(self)); err == nil || !strings.Contains(err.Error(), `adapter "/org/bluez/hci1" is refused`) {
		t.Errorf("%v", err)
	}
	tell(w, route.BlueZ, route.BluetoothAdapter{ID: "/org/bluez/hci1"})
	if _, err := off.Check(w.Report(self)); err != nil {
		t.Errorf("%v", err)
	}
}

// What is there, for a list of devices: each once, with the worse verdict.
func TestDevices(t *testing.T) {
	w := route.NewWorld(route.Pulse)
	tell(w, route.Pulse, append(call(route.Pulse), headset("sink 9"))...)
	tell(w, route.PipeWire, pipewire(with(speaker(), set("alsa.driver_name", "snd_usb_audio"))))
	got := w.Devices()
	want := []route.Class{route.USBAudio, route.BluetoothA2DP, route.BuiltinMic}
	var found []route.Class
	for _, d := range got {
		found = append(found, d.Class)
	}
	if !slices.Equal(found, want) {
		t.Errorf("%+v", got)
	}
}
