package route

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Where a hint may stand: in the names of things, not in what describes a whole
// card with all its outputs.
var (
	anywhere []string
	parts    = []string{
		"name", "node.name", "port", "port.type", "device.profile.name", "device.string", "api.alsa.path", "alsa.id", "alsa.name",
		"device.form_factor", "device.form-factor", "device.icon_name", "device.icon-name",
	}
	makers = []string{"name", "node.name", "driver", "factory", "factory.name", "device.class", "device.api", "media.class", "alsa.driver_name", "sysfs.path"}
	wires  = []string{
		"name", "node.name", "driver", "device.bus", "device.bus_path", "device.bus-path", "device.subsystem", "sysfs.path",
		"alsa.driver_name", "alsa.long_card_name", "api.alsa.card.longname", "port.type", "device.string", "api.alsa.path",
	}
)

// hints are what speaks against a device, the worst first. A word between
// blanks stands alone, others may be part of a longer one.
var hints = []struct {
	class  Class // Unknown: see where it is used
	keys   []string
	words  []string
	reason string
}{
	{HearingAid, anywhere, []string{" asha ", "hearing aid", "hearing-aid", "hearing_aid"}, ""},
	{BLEAudio, anywhere, []string{" bap ", " ble ", " lc3 ", "bluetooth le", "le-audio", "le_audio"}, ""},
	{BluetoothSCO, anywhere, []string{"headset_head_unit", "headset-head-unit", "audio_gateway", "audio-gateway", " hfp ", " hsp ", " sco ", "handsfree", "hands-free"}, ""},
	{BluetoothA2DP, anywhere, []string{" a2dp "}, ""},
	{someBluetooth, anywhere, []string{"bluez", "bluetooth", "bluealsa"}, ""},
	{Unknown, anywhere, []string{"wireless", "2.4g", " dect "}, overTheAir},

	{Network, anywhere, []string{"airplay", "raop", " rtp ", "vban", "zeroconf", "chromecast", "snapcast", "aes67", " avb ", "netjack", "upnp", "dlna"}, ""},
	{Network, makers, []string{"tunnel", " roc ", "simple-protocol", " esound ", " cast "}, ""},
	{Network, []string{"flag"}, []string{"network"}, ""},
	{Network, []string{"node.network"}, []string{"true", "1", "yes"}, ""},
	{Network, []string{"port.type", "device.bus"}, []string{"network"}, ""},
}

// someBluetooth is Bluetooth that does not say which; the direction tells, as
// only SCO and LE have one inward.
const someBluetooth = numClasses

// guises are what devices that are none look like, and devices that lead away
// from this machine. They come after hints.
var guises = []struct {
	class Class
	keys  []string
	words []string
}{
	{Monitor, []string{"monitor-of"}, []string{""}},
	{Monitor, []string{"device.class"}, []string{"monitor"}},
	{Monitor, []string{"name", "node.name"}, []string{".monitor", "monitor of"}},

	{Virtual, makers, []string{" null ", " dummy ", "remap", "combine", "loopback", " aloop ", "echo-cancel", "echo_cancel", "filter", "virtual", "ladspa", "equalizer", " pipe ", "abstract", "virmidi", "jack-sink", "jack-source", "jackdbus", "client-node"}},
	{Virtual, []string{"driver", "device.string", "description", "device.description", "node.description", "alsa.card_name", "alsa.id", "alsa.name"}, []string{"virtual", "loopback", " dummy "}},
	{Virtual, []string{"device.master_device"}, []string{""}},
	{Virtual, []string{"node.link-group", "group"}, []string{""}},
	{Virtual, []string{"node.virtual"}, []string{"true", "1", "yes"}},

	{Car, parts, []string{" car "}},
	{Dock, parts, []string{" dock ", "docking"}},
	{Telephony, []string{"device.class", "port.type", "device.form_factor", "device.form-factor"}, []string{"modem", " phone "}},
}

// Classify says what kind of device a sink or source is. It is pure: the same
// words give the same verdict. Whatever speaks of a radio, a network or a
// device that is none is believed at once; that a device is built in is believed
// only of its driver, its factory and its hardware together.
func Classify(from Origin, n Node) Route {
	t, damage := listen(n)
	r := Route{Device: n.Name, Name: n.Description, Capture: n.Kind == Source || n.Kind == Capture}
	if damage == "" && n.Name == "" {
		damage = "it has no name"
	}
	if damage == "" && n.Kind != Sink && n.Kind != Source {
		damage = "it is no device"
	}
	if damage != "" {
		r.Device, r.Name, r.Reason = clip(n.Name), clip(n.Description), damage
		r.Evidence = t.evidence(saying{})
		return r
	}
	var decided saying
	r.Class, r.Reason, decided = t.verdict(from)
	r.Evidence = t.evidence(decided)
	return r
}

// suspect judges a node that is no device. Some radios and networks are streams
// to their sound server, and what cannot be read may be one too.
func suspect(n Node) (Route, bool) {
	t, damage := listen(n)
	r := Route{Device: clip(cmp.Or(n.Name, string(n.ID))), Name: clip(cmp.Or(n.Description, n.Owner.Name))}
	if damage != "" {
		r.Reason = damage
		r.Evidence = t.evidence(saying{})
		return r, true
	}
	class, reason, decided, found := t.against()
	if !found {
		return Route{}, false
	}
	r.Class, r.Reason, r.Evidence = class, reason, t.evidence(decided)
	return r, true
}

// verdict goes from what is worst to what is best.
func (t testimony) verdict(from Origin) (Class, string, saying) {
	if class, reason, s, found := t.against(); found {
		return class, reason, s
	}
	if class, ok := trusted(t.node); ok {
		return class, "", saying{}
	}
	for _, g := range guises {
		if s, ok := t.hint(g.keys, g.words); ok {
			return g.class, "", s
		}
	}
	lacking := t.lacks(from)
	if class, s, ok := t.plug(); ok {
		if class.rule() == listable && lacking != "" {
			return Unknown, fmt.Sprintf("it says that it is a %v, but %s", class, lacking), s
		}
		return class, "", s
	}
	if lacking != "" {
		return Unknown, t.unless(lacking), saying{}
	}
	class, lacking := t.builtin(from)
	return class, lacking, saying{}
}

// against finds the worst hint.
func (t testimony) against() (class Class, reason string, decided saying, found bool) {
	for _, h := range hints {
		s, ok := t.hint(h.keys, h.words)
		if !ok {
			continue
		}
		class = t.bluetooth(h.class)
		if rank(class) == rank(BluetoothA2DP) {
			class, s = t.profile(class, s)
		}
		return class, h.reason, s, true
	}
	return Unknown, "", saying{}, false
}

// profile is what a node of Bluetooth does, where it says so itself: the properties
// of its device name all that the device could do.
func (t testimony) profile(class Class, decided saying) (Class, saying) {
	own := []string{"api.bluez5.profile", "factory", "factory.name"}
	for _, h := range hints {
		if rank(h.class) != rank(BluetoothA2DP) {
			continue
		}
		if s, ok := t.hint(own, h.words); ok {
			return h.class, s
		}
	}
	return class, decided
}

func (t testimony) bluetooth(c Class) Class {
	switch {
	case c != someBluetooth:
		return c
	case t.node.Kind == Source:
		return BluetoothSCO
	default:
		return BluetoothA2DP
	}
}

// plug finds devices at the end of a wire.
func (t testimony) plug() (Class, saying, bool) {
	headset := []string{"headset"}
	headphones := []string{"headphone"}
	if s, ok := t.hint(wires, []string{" usb ", "snd_usb", "usb-", "/usb"}); ok {
		if _, ok := t.hint(parts, append(headset, headphones...)); ok {
			return USBHeadset, s, true
		}
		return USBAudio, s, true
	}
	for _, p := range []struct {
		class Class
		words []string
	}{
		{HDMI, []string{"hdmi", "displayport", " dp "}},
		{HDMI, []string{" tv "}},
		{Digital, []string{"iec958", "spdif", "s/pdif", "toslink", "adat"}},
		{WiredHeadset, headset},
		{WiredHeadphones, headphones},
		{LineOut, []string{"lineout", "line-out", "line out", "linein", "line-in", "line in", " line ", " aux "}},
	} {
		if s, ok := t.hint(parts, p.words); ok {
			return p.class, s, true
		}
	}
	return Unknown, saying{}, false
}

// lacks says what is missing for a sound card that the kernel drives. Its card
// has to be one, and the same, wherever it is named; a program can say all that
// of a device of its own, so that the kernel is asked too (see corroborate).
// Empty: nothing.
func (t testimony) lacks(from Origin) string {
	switch {
	case !t.driven(from):
		return "no driver of a sound card vouches for it"
	case from != ALSA && t.either("device.api") != "alsa":
		return "it is not of ALSA"
	case !number(t.either(cardKeys...)):
		return "it has no sound card"
	case !direct(t.prop("api.alsa.path")), !direct(t.prop("device.string")):
		return "it goes through a plug-in of ALSA"
	case !t.onCard("api.alsa.path"), !t.onCard("device.string"):
		return "it goes to another sound card than it says"
	}
	return ""
}

// builtin is the class of a sound card's device that belongs to this machine.
// Otherwise it is Unknown, and lacking says what is missing.
func (t testimony) builtin(from Origin) (class Class, lacking string) {
	if !t.onBoard() {
		return Unknown, t.unless("its card is not known to be inside of this machine")
	}
	return t.at(from)
}

// unless is the reason for a device that calls itself built in. Of others the
// class says enough.
func (t testimony) unless(lacking string) string {
	claims := []string{"internal", "built-in", "builtin", " pci ", "built in"}
	if _, ok := t.hint(anywhere, claims); ok {
		return "it says that it is built in, but " + lacking
	}
	return ""
}

// driven reports whether the part of the system that drives sound cards made
// the device, and for this direction.
func (t testimony) driven(from Origin) bool {
	n := t.node
	factory := "api.alsa.pcm.sink"
	modules := []string{"module-alsa-card.c", "module-alsa-sink.c"}
	if n.Kind == Source {
		factory, modules[1] = "api.alsa.pcm.source", "module-alsa-source.c"
	}
	if made := t.either("factory.name"); made != "" && made != factory || n.Factory != "" && n.Factory != factory {
		return false
	}
	switch from {
	case Pulse: // PipeWire's imitation passes the factory on
		imitated := n.Driver == "PipeWire" && t.prop("factory.name") == factory
		return n.Hardware && (imitated || slices.Contains(modules, path.Base(n.Driver)))
	case PipeWire:
		return n.Factory == factory && n.Driver == "adapter"
	case ALSA:
		return n.Driver != ""
	}
	return false
}

// onBoard reports whether the card sits on a bus inside of the machine. A USB
// device's path begins with that of the PCI card it hangs on, so that the end
// counts, and plug has looked for USB.
func (t testimony) onBoard() bool {
	bus := t.either("device.bus")
	where := t.either("device.bus_path", "device.bus-path")
	sys := t.prop("sysfs.path")
	pci := strings.HasPrefix(where, "pci-") || strings.HasPrefix(sys, "/devices/pci")
	board := strings.HasPrefix(where, "platform-") || strings.HasPrefix(sys, "/devices/platform/") || strings.HasPrefix(sys, "/devices/soc")
	switch bus {
	case "pci":
		return pci || where == "" && sys == ""
	case "platform":
		return board || where == "" && sys == ""
	case "":
		_, said := t.hint([]string{"device.bus"}, []string{""})
		return !said && (board || pci)
	}
	return false
}

// at is the class by the place on the card where the signal goes.
func (t testimony) at(from Origin) (Class, string) {
	port := t.node.Port
	if port.Available == "yes" {
		return Unknown, t.unless("something is plugged into it")
	}
	internal := t.either("device.form_factor", "device.form-factor")
	_, said := t.hint([]string{"device.form_factor", "device.form-factor"}, []string{""})
	if said && internal != "internal" && internal != "handset" && internal != "speaker" {
		return Unknown, t.unless("its form is another")
	}
	kind := fold(port.Type)
	if !slices.Contains([]string{"", "unknown", "analog", "speaker", "mic", "earpiece", "handset"}, kind) {
		return Unknown, t.unless("its port is another")
	}
	name := strings.ToLower(port.Name)
	switch {
	case t.node.Kind == Sink && (kind == "earpiece" || kind == "handset" || internal == "handset" ||
		slices.Contains([]string{"[out] earpiece", "[out] handset", "earpiece", "handset"}, name)):
		return BuiltinEarpiece, ""
	case t.node.Kind == Sink && (slices.Contains([]string{"analog-output-speaker", "analog-output-speaker-always", "[out] speaker", "speaker"}, name)):
		return BuiltinSpeaker, ""
	case t.node.Kind == Source && (slices.Contains([]string{"analog-input-internal-mic", "analog-input-internal-mic-always", "[in] internal mic", "[in] internal microphone", "internal mic"}, name)):
		return BuiltinMic, ""
	case t.node.Kind == Source && kind == "mic" && port.Available == "unknown" && (name == "[in] mic" || name == "[in] mic1"):
		return BuiltinMic, "" // no jack: it cannot be unplugged
	case t.node.Kind == Source && from == ALSA && name == "mic":
		return BuiltinMic, "" // a use case's name; jacks are called otherwise
	case from == ALSA, from == PipeWire && name == "", internal != "internal", !slices.Contains([]string{"", "analog-output", "analog-input"}, name):
		return Unknown, t.unless("where its signal goes is not known to be inside of this machine")
	case t.node.Kind == Source:
		return BuiltinMic, ""
	}
	return BuiltinSpeaker, ""
}

// direct reports whether a name of ALSA's means the card itself: others may mean
// a plug-in that writes to a file or to Bluetooth. An empty one says nothing.
func direct(device string) bool {
	kind, _, _ := strings.Cut(device, ":")
	if profile, hw, ok := strings.Cut(kind, "."); ok && strings.HasPrefix(profile, "_ucm") {
		kind = hw
	}
	return slices.Contains([]string{"", "hw", "front"}, kind) || strings.HasPrefix(kind, "surround")
}

// cardKeys are what the systems call the number of a device's sound card.
var cardKeys = []string{"alsa.card", "api.alsa.pcm.card", "api.alsa.card"}

// onCard reports whether the name of ALSA's under key, if there is one, means
// the card that t has the number of. A card's own name the kernel knows.
func (t testimony) onCard(key string) bool {
	device := t.prop(key)
	if device == "" {
		return true
	}
	card := cardOf(device)
	return card != "" && (!number(card) || card == t.either(cardKeys...))
}

// cardOf is the card in a name of ALSA's, such as 0 in hw:0,3 and PCH in
// front:CARD=PCH: its number or its name. Empty: whatever is the default.
func cardOf(device string) string {
	_, arguments, _ := strings.Cut(device, ":")
	first, _, _ := strings.Cut(arguments, ",")
	for argument := range strings.SplitSeq(arguments, ",") {
		if card, ok := strings.CutPrefix(argument, "CARD="); ok {
			return card
		}
	}
	return first
}

func number(s string) bool {
	return s != "" && len(s) < 4 && strings.Trim(s, "0123456789") == ""
}
