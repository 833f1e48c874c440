package route

import (
	"fmt"
	"strings"
	"time"
)

// Said is what a platform says about one device of a call, in its own
// constants: an [AndroidDevice], [ApplePort], [CoreAudioDevice] or
// [WindowsEndpoint]. What is no constant of the platform is [Unknown].
type Said interface{ route() Route }

// RouteReport makes a [Report] of what a platform says about all devices of a
// call, at the time at. Whatever else the application knows, such as Bluetooth
// devices that are connected and not used, it adds.
func RouteReport(at time.Time, devices ...Said) Report {
	r := Report{At: at}
	for _, d := range devices {
		r.Routes = append(r.Routes, d.route())
	}
	return r
}

// AndroidDevice is an android.media.AudioDeviceInfo.
type AndroidDevice struct {
	Type    int    // getType
	ID      string // stable, such as getAddress with getProductName
	Product string // getProductName
	Capture bool   // isSource
}

// ApplePort is an AVAudioSessionPortDescription of AVAudioSession.currentRoute,
// on iOS and its relatives.
type ApplePort struct {
	Type    string // portType: its value, or the constant's name as the header has it
	UID     string
	Name    string // portName
	Capture bool   // of the inputs
}

// CoreAudioDevice is an AudioDevice of macOS.
type CoreAudioDevice struct {
	Transport uint32 // kAudioDevicePropertyTransportType
	Source    uint32 // kAudioDevicePropertyDataSource; 0: it has none
	UID       string // kAudioDevicePropertyDeviceUID
	Name      string // kAudioObjectPropertyName
	Capture   bool   // scope input
}

// WindowsEndpoint is an IMMDevice. Windows does not tell a speaker inside of
// the machine from one at a jack of the same sound card.
type WindowsEndpoint struct {
	FormFactor uint32 // PKEY_AudioEndpoint_FormFactor, an EndpointFormFactor
	Enumerator string // PKEY_Device_EnumeratorName, such as "HDAUDIO"
	ID         string // IMMDevice::GetId
	Name       string // PKEY_Device_FriendlyName
	Capture    bool   // eCapture
}

// said judges r, which has its class from a constant alone. What has the name of
// a radio is none of the better classes, and what is built in is so for one
// direction.
func said(r Route, evidence ...string) Route {
	r.Evidence = evidence
	t, damage := listen(Node{Description: r.Device + "\n" + r.Name})
	if r.Capture {
		t.node.Kind = Source
	}
	r.Name = clip(r.Name)
	switch {
	case damage != "":
		r.Class, r.Device, r.Reason = Unknown, clip(r.Device), damage
	case r.Capture && (r.Class == BuiltinSpeaker || r.Class == BuiltinEarpiece), !r.Capture && r.Class == BuiltinMic:
		r.Class, r.Reason = Unknown, "it is built in for the other direction"
	case rank(r.Class) < rank(Unknown):
		for _, h := range hints {
			if s, ok := t.hint(h.keys, h.words); ok {
				r.Class, r.Reason = t.bluetooth(h.class), h.reason
				r.Evidence = append([]string{s.text}, r.Evidence...)
				break
			}
		}
	}
	return r
}

// androidTypes are the constants TYPE_… of android.media.AudioDeviceInfo
// (AudioDeviceInfo.java of the Android Open Source Project, API level 36).
var androidTypes = map[int]Class{
	0:  Unknown, // TYPE_UNKNOWN
	1:  BuiltinEarpiece,
	2:  BuiltinSpeaker,
	3:  WiredHeadset,
	4:  WiredHeadphones,
	5:  LineOut, // TYPE_LINE_ANALOG
	6:  Digital, // TYPE_LINE_DIGITAL
	7:  BluetoothSCO,
	8:  BluetoothA2DP,
	9:  HDMI,
	10: HDMI,     // TYPE_HDMI_ARC
	11: USBAudio, // TYPE_USB_DEVICE
	12: USBAudio, // TYPE_USB_ACCESSORY
	13: Dock,
	14: Unknown, // TYPE_FM: it transmits
	15: BuiltinMic,
	16: Unknown, // TYPE_FM_TUNER
	17: Unknown, // TYPE_TV_TUNER
	18: Telephony,
	19: LineOut, // TYPE_AUX_LINE
	20: Network, // TYPE_IP
	21: Car,     // TYPE_BUS
	22: USBHeadset,
	23: HearingAid,
	24: BuiltinSpeaker, // TYPE_BUILTIN_SPEAKER_SAFE
	25: RemoteSubmix,
	26: BLEAudio,   // TYPE_BLE_HEADSET
	27: BLEAudio,   // TYPE_BLE_SPEAKER
	28: Virtual,    // TYPE_ECHO_REFERENCE
	29: HDMI,       // TYPE_HDMI_EARC
	30: BLEAudio,   // TYPE_BLE_BROADCAST
	31: Dock,       // TYPE_DOCK_ANALOG
	32: Network,    // TYPE_MULTICHANNEL_GROUP
	33: HearingAid, // TYPE_BLE_HEARING_AID
}

func (d AndroidDevice) route() Route {
	return said(Route{Class: androidTypes[d.Type], Device: d.ID, Name: d.Product, Capture: d.Capture}, fmt.Sprintf("AudioDeviceInfo.getType=%d", d.Type))
}

// applePorts are the constants AVAudioSessionPort… (AVAudioSessionTypes.h of
// the iOS 27 SDK), by the rest of their names; and the values of those whose
// value is not that, as iOS prints them.
var applePorts = map[string]Class{
	"ContinuityMicrophone": Network, // of another device
	"LineIn":               LineOut,
	"BuiltInMic":           BuiltinMic,
	"HeadsetMic":           WiredHeadset,
	"LineOut":              LineOut,
	"Headphones":           WiredHeadphones,
	"BluetoothA2DP":        BluetoothA2DP,
	"BuiltInReceiver":      BuiltinEarpiece,
	"BuiltInSpeaker":       BuiltinSpeaker,
	"HDMI":                 HDMI,
	"AirPlay":              Network,
	"BluetoothLE":          BLEAudio,
	"BluetoothHFP":         BluetoothSCO,
	"USBAudio":             USBAudio,
	"CarAudio":             Car,
	"Virtual":              Virtual,
	"PCI":                  Unknown,
	"FireWire":             Unknown,
	"DisplayPort":          HDMI,
	"AVB":                  Network,
	"Thunderbolt":          Unknown,
	"MediaDeviceExtension": Network,

	"MicrophoneBuiltIn":   BuiltinMic,
	"MicrophoneWired":     WiredHeadset,
	"Receiver":            BuiltinEarpiece,
	"Speaker":             BuiltinSpeaker,
	"BluetoothA2DPOutput": BluetoothA2DP,
	"BluetoothLEOutput":   BLEAudio,
	"HDMIOutput":          HDMI,
}

func (p ApplePort) route() Route {
	class := applePorts[strings.TrimPrefix(p.Type, "AVAudioSessionPort")]
	return said(Route{Class: class, Device: p.UID, Name: p.Name, Capture: p.Capture}, "portType="+clip(p.Type))
}

// fourCC is four letters as the number that Apple's headers make of them.
func fourCC(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// transports are the constants kAudioDeviceTransportType… of macOS
// (AudioHardwareBase.h, and AudioHardware.h for AutoAggregate). What is built
// in has its class from its source.
var transports = map[uint32]Class{
	0:              Unknown,
	fourCC("bltn"): BuiltinSpeaker,
	fourCC("grup"): Virtual, // Aggregate
	fourCC("fgrp"): Virtual, // AutoAggregate
	fourCC("virt"): Virtual,
	fourCC("pci "): Unknown,
	fourCC("usb "): USBAudio,
	fourCC("1394"): Unknown, // FireWire
	fourCC("blue"): BluetoothA2DP,
	fourCC("blea"): BLEAudio,
	fourCC("hdmi"): HDMI,
	fourCC("dprt"): HDMI, // DisplayPort
	fourCC("airp"): Network,
	fourCC("eavb"): Network, // AVB
	fourCC("thun"): Unknown,
	fourCC("ccap"): Network, // ContinuityCapture, of another device
	fourCC("ccwd"): Network, // ContinuityCaptureWired
	fourCC("ccwl"): Network, // ContinuityCaptureWireless
}

// sources are the constants kIOAudioOutputPortSubType… and
// kIOAudioInputPortSubType… (IOAudioTypes.h), which name the sources of the
// sound card inside.
var sources = map[uint32]Class{
	fourCC("ispk"): BuiltinSpeaker,
	fourCC("espk"): LineOut,
	fourCC("hdpn"): WiredHeadphones,
	fourCC("line"): LineOut,
	fourCC("spdf"): Digital,
	fourCC("imic"): BuiltinMic,
	fourCC("emic"): WiredHeadset,
	fourCC("cd  "): LineOut,
}

func (d CoreAudioDevice) route() Route {
	class := transports[d.Transport]
	switch {
	case d.Transport == fourCC("bltn"):
		class = sources[d.Source]
	case class == BluetoothA2DP && d.Capture:
		class = BluetoothSCO
	}
	return said(Route{Class: class, Device: d.UID, Name: d.Name, Capture: d.Capture},
		fmt.Sprintf("transport=%#x", d.Transport), fmt.Sprintf("source=%#x", d.Source))
}

// formFactors are Windows' EndpointFormFactor (mmdeviceapi.h), of a sound card
// inside. A microphone has its class from its direction.
var formFactors = map[uint32]Class{
	0:  Network, // RemoteNetworkDevice
	1:  BuiltinSpeaker,
	2:  LineOut,
	3:  WiredHeadphones,
	4:  BuiltinMic,
	5:  WiredHeadset,
	6:  BuiltinEarpiece, // Handset
	7:  Digital,         // UnknownDigitalPassthrough
	8:  Digital,         // SPDIF
	9:  HDMI,            // DigitalAudioDisplayDevice
	10: Unknown,         // UnknownFormFactor
}

func (e WindowsEndpoint) route() Route {
	const headphones, headset, network = 3, 5, 0
	bus := strings.ToUpper(e.Enumerator)
	class := Unknown
	switch {
	case strings.HasPrefix(bus, "BTHHF"):
		class = BluetoothSCO
	case strings.HasPrefix(bus, "BTHLE"):
		class = BLEAudio
	case strings.HasPrefix(bus, "BTH") && e.Capture:
		class = BluetoothSCO
	case strings.HasPrefix(bus, "BTH"):
		class = BluetoothA2DP
	case e.FormFactor == network:
		class = Network
	case bus == "SWD" || bus == "SW" || bus == "ROOT":
		class = Virtual
	case bus == "USB" && (e.FormFactor == headset || e.FormFactor == headphones):
		class = USBHeadset
	case bus == "USB":
		class = USBAudio
	case bus == "HDAUDIO": // INTELAUDIO has endpoints for Bluetooth too
		class = formFactors[e.FormFactor]
	}
	return said(Route{Class: class, Device: e.ID, Name: e.Name, Capture: e.Capture},
		fmt.Sprintf("FormFactor=%d", e.FormFactor), "EnumeratorName="+clip(e.Enumerator))
}
