package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// audioUUIDs are the beginnings of the Bluetooth services that carry audio
// (assigned numbers, 16-bit UUIDs).
var audioUUIDs = []string{
	"00001108", "00001112", // headset and its gateway
	"0000110a", "0000110b", "0000110d", // A2DP
	"0000111e", "0000111f", // hands-free and its gateway
	"0000184e", "0000184f", "00001850", "00001851", "00001852", "00001853", "00001854", "00001855", "00001858", // LE Audio
	"0000fdf0", // ASHA hearing aids
}

// audio reports whether the device can carry audio. One that does not say what
// it is may.
func (d BluetoothDevice) audio() bool {
	const major, audioVideo = 0x1f00, 0x0400 // class of device, bits 8 to 12
	if d.Class&major == audioVideo || strings.HasPrefix(d.Icon, "audio-") || len(d.UUIDs) == 0 && d.Class == 0 {
		return true
	}
	return slices.ContainsFunc(d.UUIDs, func(uuid string) bool {
		return len(uuid) >= 8 && slices.Contains(audioUUIDs, strings.ToLower(uuid[:8]))
	})
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
			if f.Connected && f.audio() || active[f.ID] {
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
		for _, n := range append(g.all(Sink), g.all(Source)...) {
			if r := g.verdicts[n.ID]; rank(r.Class) == rank(BluetoothA2DP) {
				s.connected(BluetoothDevice{ID: n.ID, Name: cmp.Or(r.Name, r.Device), Address: address(n)})
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
