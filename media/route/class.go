package route

import "fmt"

// Class is what kind of path a route is. The list is closed: what fits nowhere
// is [Unknown], and Unknown is refused.
type Class uint8

// The classes.
const (
	// Unknown is what could not be classified. It is the zero value.
	Unknown Class = iota
	// Internal never leaves this process: a file, a tone, silence.
	Internal

	BuiltinEarpiece
	BuiltinSpeaker
	BuiltinMic

	WiredHeadset
	WiredHeadphones
	LineOut // analogue line, in or out
	Digital // S/PDIF and the like
	USBAudio
	USBHeadset

	BluetoothSCO
	BluetoothA2DP
	BLEAudio
	HearingAid

	HDMI    // and DisplayPort
	Network // AirPlay, Cast, tunnels
	Virtual // null, remap, combine, loopback
	Monitor // a source that records what a sink plays

	RemoteSubmix
	Dock
	Car
	Telephony

	numClasses
)

// rule is what secure mode says about a class.
type rule uint8

const (
	refused  rule = iota // and no policy allows it
	listable             // refused, but a policy may list the device
	allowed
)

// classes is indexed by Class.
var classes = [numClasses]struct {
	name   string
	rule   rule
	reason string // why it is refused
}{
	Unknown:  {"unknown route", refused, "it cannot be told what kind of device this is"},
	Internal: {"internal", allowed, ""},

	BuiltinEarpiece: {"built-in earpiece", allowed, ""},
	BuiltinSpeaker:  {"built-in speaker", allowed, ""},
	BuiltinMic:      {"built-in microphone", allowed, ""},

	WiredHeadset:    {"wired headset", listable, "an accessory may record or transmit"},
	WiredHeadphones: {"wired headphones", listable, "an accessory may record or transmit"},
	LineOut:         {"line connection", refused, "it leads to equipment that cannot be seen from here"},
	Digital:         {"digital connection", refused, "it leads to equipment that cannot be seen from here"},
	USBAudio:        {"USB audio device", listable, "an accessory may record or transmit"},
	USBHeadset:      {"USB headset", listable, "an accessory may record or transmit"},

	BluetoothSCO:  {"Bluetooth headset (SCO)", refused, overTheAir},
	BluetoothA2DP: {"Bluetooth audio (A2DP)", refused, overTheAir},
	BLEAudio:      {"Bluetooth LE audio", refused, overTheAir},
	HearingAid:    {"hearing aid", refused, overTheAir},

	HDMI:    {"HDMI or DisplayPort", refused, "it leads to equipment that cannot be seen from here"},
	Network: {"network audio", refused, "it sends the voice to another machine"},
	Virtual: {"virtual device", refused, "other programs can take the voice from it"},
	Monitor: {"monitor of an output", refused, "other programs can take the voice from it"},

	RemoteSubmix: {"remote submix", refused, "other programs can take the voice from it"},
	Dock:         {"dock", refused, "it leads to equipment that cannot be seen from here"},
	Car:          {"car audio", refused, "it leads to equipment that cannot be seen from here"},
	Telephony:    {"telephone network", refused, "it sends the voice over the telephone network"},
}

const overTheAir = "it sends the voice over the air, outside of the call's encryption"

// String is the class in words.
func (c Class) String() string {
	if c >= numClasses {
		return fmt.Sprintf("class(%d)", uint8(c))
	}
	return classes[c].name
}

// rule is what secure mode says about c; a class out of range is Unknown.
func (c Class) rule() rule {
	if c >= numClasses {
		return refused
	}
	return classes[c].rule
}

func (c Class) reason() string {
	if c >= numClasses {
		c = Unknown
	}
	return classes[c].reason
}
