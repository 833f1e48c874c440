package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// audioServices are the Bluetooth services that carry audio, by the beginnings
// of their UUIDs (assigned numbers, 16-bit UUIDs).
var audioServices = map[string]Class{
	"00001108": BluetoothSCO, // headset, and its gateway
	"00001112": BluetoothSCO,
	"0000111e": BluetoothSCO, // hands-free, and its gateway
	"0000111f": BluetoothSCO,
	"0000110a": BluetoothA2DP, // source, sink, and both
	"0000110b": BluetoothA2DP,
	"0000110d": BluetoothA2DP,
	"0000184e": BLEAudio, // audio stream control, and what belongs to it
	"0000184f": BLEAudio,
	"00001850": BLEAudio,
	"00001851": BLEAudio,
	"00001852": BLEAudio,
	"00001853": BLEAudio,
	"00001855": BLEAudio,
	"00001858": BLEAudio,
	"00001854": HearingAid, // hearing access
	"0000fdf0": HearingAid, // ASHA
}

// audio is the class of a device that can carry audio; Unknown: it cannot. One
// that does not say what it is may.
func (d BluetoothDevice) audio() Class {
	class := Unknown
	for _, uuid := range d.UUIDs {
		service := audioServices[strings.ToLower(uuid[:min(8, len(uuid))])]
		if service != Unknown && (class == Unknown || service > class) {
			class = service
		}
	}
	const major, audioVideo = 0x1f00, 0x0400 // class of device, bits 8 to 12
	if class == Unknown && (d.Class&major == audioVideo || strings.HasPrefix(d.Icon, "audio-") || len(d.UUIDs) == 0 && d.Class == 0) {
		class = BluetoothA2DP
	}
	return class
}

// radios adds the Bluetooth devices that are connected, whoever has seen them,
// and the adapters.
func (s *survey) radios() {
	v := &s.world.views[BlueZ]
	active := map[ID]bool{}
	for _, o := range v.objects {
		if t, ok := o.fact.(BluetoothTransport); ok && t.State != "idle" {
			active[t.Device] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(v.objects)) {
		switch f := v.objects[id].fact.(type) {
		case BluetoothAdapter:
			s.report.Adapters = append(s.report.Adapters, f)
		case BluetoothDevice:
			if f.Connected && f.audio() != Unknown || active[f.ID] {
				s.connected(f)
			}
		}
		delete(active, id)
	}
	for _, id := range slices.Sorted(maps.Keys(active)) {
		s.connected(BluetoothDevice{ID: id, Name: string(id)}) // sends, and nobody has told of it
	}
	for _, from := range []Origin{Pulse, PipeWire} {
		g := s.world.views[from].graph(from)
		for _, id := range slices.Sorted(maps.Keys(g.verdicts)) {
			if r := g.verdicts[id]; rank(r.Class) == rank(BluetoothA2DP) {
				s.connected(BluetoothDevice{ID: id, Name: cmp.Or(r.Name, r.Device), Address: address(g.nodes[id])})
			}
		}
	}
}

// maxRadios is how many connected devices a Report lists. One is enough to
// refuse, so that none can hide behind others.
const maxRadios = 64

// connected adds d unless it is there.
func (s *survey) connected(d BluetoothDevice) {
	if len(s.report.Bluetooth) == maxRadios {
		return
	}
	d.Connected = true
	d.Name, d.Address = clip(d.Name), clip(d.Address)
	if !slices.ContainsFunc(s.report.Bluetooth, func(b BluetoothDevice) bool {
		return b.ID == d.ID || b.Address != "" && strings.EqualFold(b.Address, d.Address)
	}) {
		s.report.Bluetooth = append(s.report.Bluetooth, d)
	}
}

// address is the Bluetooth address of a node, as its name or a property has it.
func address(n Node) string {
	if a := n.Props["api.bluez5.address"]; a != "" {
		return a
	}
	return n.Props["device.string"]
}
