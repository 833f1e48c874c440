package route

import (
	"cmp"
	"slices"
	"strings"
)

// wired is the verdict on a device of ALSA. Which way its signal goes the jacks
// of its card tell.
func (w *World) wired(n Node) Route {
	if n.Port == (Port{}) {
		n.Port = w.port(n)
	}
	return Classify(ALSA, n)
}

// port is where a card's signal goes by its jacks: something plugged in counts
// before what is fixed inside, whose jacks are called phantoms.
func (w *World) port(n Node) Port {
	card, _, _ := strings.Cut(strings.TrimPrefix(n.Name, "hw:"), ",")
	var fixed, plugged []string
	for _, o := range w.views[ALSA].objects {
		j, ok := o.fact.(Jack)
		if !ok || !j.Plugged || j.Card != card {
			continue
		}
		name := fold(j.Name)
		if says(name, " mic", " line in ", "linein") != (n.Kind == Source) || says(name, "hdmi") {
			continue
		}
		if says(name, " phantom ", " internal ") {
			fixed = append(fixed, name)
		} else {
			plugged = append(plugged, name)
		}
	}
	if len(plugged) > 0 {
		slices.Sort(plugged)
		if name := plugged[0]; n.Kind == Source && !says(name, "headset", " line in ", "linein") {
			return Port{Name: "headset " + name}
		}
		return Port{Name: plugged[0]}
	}
	for _, name := range fixed {
		switch {
		case n.Kind == Sink && says(name, " speaker "):
			return Port{Name: "speaker"}
		case n.Kind == Source && says(name, " internal mic "):
			return Port{Name: "internal mic"}
		}
	}
	return Port{}
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
		if found := w.wired(k); found.Class != Unknown && rank(found.Class) > rank(r.Class) {
			r.Class = found.Class
			r.Reason = ""
			r.Evidence = append(slices.Clone(r.Evidence), found.Evidence...)
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
