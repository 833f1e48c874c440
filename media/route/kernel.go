package route

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// wired are the verdicts on a device of ALSA, one for each place where its
// signal may go; at least one.
func (w *World) wired(n Node) []Route {
	var verdicts []Route
	for _, port := range w.ports(n) {
		n.Port = port
		verdicts = append(verdicts, Classify(ALSA, n))
	}
	return verdicts
}

// ports are the places where the signal of a card's device goes, by the jacks of
// its card: what is plugged in, what cannot tell whether something is, and what is
// fixed inside. What is played goes to all of them, to S/PDIF as well. Without
// jacks it is one place that nobody knows.
func (w *World) ports(n Node) []Port {
	var ports []Port
	for _, j := range w.jacks(n) {
		name := fold(j.Name)
		if !j.Plugged || !leads(name, n.Kind) || says(name, "pcm=") { // a screen's, which has a device of its own
			continue
		}
		inside := analog(n) && (n.Kind == Sink && says(name, " speaker ") || n.Kind == Source && says(name, " internal mic "))
		switch {
		case !says(name, " phantom "):
			if says(name, " mic ") && !says(name, "headset") { // it may be one's
				name = "headset " + name
			}
			ports = append(ports, Port{Name: name})
		case inside && n.Kind == Sink:
			ports = append(ports, Port{Name: "speaker"})
		case inside:
			ports = append(ports, Port{Name: "internal mic"})
		default:
			ports = append(ports, Port{Name: undetectable})
		}
	}
	if len(ports) == 0 {
		return []Port{{}}
	}
	return ports
}

// undetectable is the place behind a jack that does not tell whether something
// is plugged in.
const undetectable = "a jack that cannot tell"

// jacks are those of the card that n is on.
func (w *World) jacks(n Node) []Jack {
	card, _, _ := strings.Cut(strings.TrimPrefix(n.Name, "hw:"), ",")
	for _, id := range slices.Sorted(maps.Keys(w.views[ALSA].objects)) {
		if j, ok := w.views[ALSA].objects[id].fact.(Jacks); ok && j.Card == card {
			return j.All
		}
	}
	return nil
}

// leads reports whether what is plugged into a jack of that name may be heard
// (Source) or hear (Sink): a headset's does both, and so may one that does not say.
func leads(name string, kind Kind) bool {
	in := says(name, " mic ", "headset", " in ", "linein", " line jack ", " line phantom ", " aux ", " cd ")
	out := says(name, "headphone", "headset", " speaker ", " out ", "lineout", "spdif", "s/pdif", "hdmi")
	return in == out || in == (kind == Source)
}

// analog reports whether the codec's converters are behind n: what a driver
// says to be fixed inside is on them, and not on a digital or a second device.
func analog(n Node) bool {
	name := fold(n.Props["alsa.name"])
	return says(name, " analog ") && !says(name, " alt ")
}

func says(name string, words ...string) bool { return has(name, spaced(name), words) }

// portOf is the port that PulseAudio's face knows of a device of PipeWire's.
func (w *World) portOf(n Node) Port {
	for _, face := range w.views[Pulse].nodes() {
		if face.Kind == n.Kind && face.Name == n.Name {
			return face.Port
		}
	}
	return Port{}
}

// corroborate asks the kernel about a device that a policy could accept, if
// the kernel's cards are watched: the worse verdict holds.
func (w *World) corroborate(r Route, n Node) Route {
	if !w.views[ALSA].ready {
		return r
	}
	known := false
	for _, k := range w.views[ALSA].nodes() {
		if k.Kind != n.Kind || !sameCard(k, n) {
			continue
		}
		known = true
		for _, found := range w.wired(k) {
			if found.Class != Unknown && rank(found.Class) > rank(r.Class) {
				r.Class = found.Class
				r.Reason = ""
				r.Evidence = append(slices.Clone(r.Evidence), found.Evidence...)
			}
		}
	}
	if _, test := trusted(n); !known && !test {
		r.Class, r.Reason = Unknown, "the kernel has no such sound card"
	}
	return r
}

// sameCard reports whether k, of the kernel, is what the daemon means by n. A
// card that n has by its name has to be the one of that name.
func sameCard(k, n Node) bool {
	for _, key := range []string{"api.alsa.path", "device.string"} {
		if name := cardOf(n.Props[key]); name != "" && !number(name) && name != k.Props["alsa.id"] {
			return false
		}
	}
	card, device := n.pcm()
	return card != "" && k.Props["alsa.card"] == card && (device == "" || k.Props["alsa.device"] == "" || k.Props["alsa.device"] == device)
}

// pcm is the number of the sound card that n says it is on, and of the device
// there.
func (n Node) pcm() (card, device string) {
	return cmp.Or(n.Props["alsa.card"], n.Props["api.alsa.pcm.card"], n.Props["api.alsa.card"]), cmp.Or(n.Props["alsa.device"], n.Props["api.alsa.pcm.device"])
}
