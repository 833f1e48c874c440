package route_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/media/route"
)

// platformCase is one constant of a platform and its class outward and inward.
type platformCase struct {
	name     string
	said     func(capture bool) route.Said
	out, in_ route.Class
}

func android(name string, kind int, out, in route.Class) platformCase {
	return platformCase{name, func(capture bool) route.Said { return route.AndroidDevice{Type: kind, ID: "id", Capture: capture} }, out, in}
}

func apple(name string, out, in route.Class) platformCase {
	return platformCase{name, func(capture bool) route.Said { return route.ApplePort{Type: name, UID: "id", Capture: capture} }, out, in}
}

func code(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

func mac(name, transport, source string, out, in route.Class) platformCase {
	d := route.CoreAudioDevice{UID: "id"}
	if transport != "" {
		d.Transport = code(transport)
	}
	if source != "" {
		d.Source = code(source)
	}
	return platformCase{name, func(capture bool) route.Said { d.Capture = capture; return d }, out, in}
}

func windows(form uint32, enumerator string, out, in route.Class) platformCase {
	return platformCase{enumerator, func(capture bool) route.Said {
		return route.WindowsEndpoint{FormFactor: form, Enumerator: enumerator, ID: "id", Capture: capture}
	}, out, in}
}

// platformCases has every constant of the four platforms' headers, and some
// that are none.
func platformCases() []platformCase {
	return slices.Concat(androidCases(), appleCases(), macCases(), windowsCases())
}

func androidCases() (all []platformCase) {
	type C = route.Class
	for kind, c := range []struct {
		name string
		out  C
		in   C
	}{
		{"TYPE_UNKNOWN", route.Unknown, route.Unknown},
		{"TYPE_BUILTIN_EARPIECE", route.BuiltinEarpiece, route.Unknown},
		{"TYPE_BUILTIN_SPEAKER", route.BuiltinSpeaker, route.Unknown},
		{"TYPE_WIRED_HEADSET", route.WiredHeadset, route.WiredHeadset},
		{"TYPE_WIRED_HEADPHONES", route.WiredHeadphones, route.WiredHeadphones},
		{"TYPE_LINE_ANALOG", route.LineOut, route.LineOut},
		{"TYPE_LINE_DIGITAL", route.Digital, route.Digital},
		{"TYPE_BLUETOOTH_SCO", route.BluetoothSCO, route.BluetoothSCO},
		{"TYPE_BLUETOOTH_A2DP", route.BluetoothA2DP, route.BluetoothA2DP},
		{"TYPE_HDMI", route.HDMI, route.HDMI},
		{"TYPE_HDMI_ARC", route.HDMI, route.HDMI},
		{"TYPE_USB_DEVICE", route.USBAudio, route.USBAudio},
		{"TYPE_USB_ACCESSORY", route.USBAudio, route.USBAudio},
		{"TYPE_DOCK", route.Dock, route.Dock},
		{"TYPE_FM", route.Unknown, route.Unknown},
		{"TYPE_BUILTIN_MIC", route.Unknown, route.BuiltinMic},
		{"TYPE_FM_TUNER", route.Unknown, route.Unknown},
		{"TYPE_TV_TUNER", route.Unknown, route.Unknown},
		{"TYPE_TELEPHONY", route.Telephony, route.Telephony},
		{"TYPE_AUX_LINE", route.LineOut, route.LineOut},
		{"TYPE_IP", route.Network, route.Network},
		{"TYPE_BUS", route.Car, route.Car},
		{"TYPE_USB_HEADSET", route.USBHeadset, route.USBHeadset},
		{"TYPE_HEARING_AID", route.HearingAid, route.HearingAid},
		{"TYPE_BUILTIN_SPEAKER_SAFE", route.BuiltinSpeaker, route.Unknown},
		{"TYPE_REMOTE_SUBMIX", route.RemoteSubmix, route.RemoteSubmix},
		{"TYPE_BLE_HEADSET", route.BLEAudio, route.BLEAudio},
		{"TYPE_BLE_SPEAKER", route.BLEAudio, route.BLEAudio},
		{"TYPE_ECHO_REFERENCE", route.Virtual, route.Virtual},
		{"TYPE_HDMI_EARC", route.HDMI, route.HDMI},
		{"TYPE_BLE_BROADCAST", route.BLEAudio, route.BLEAudio},
		{"TYPE_DOCK_ANALOG", route.Dock, route.Dock},
		{"TYPE_MULTICHANNEL_GROUP", route.Network, route.Network},
		{"TYPE_BLE_HEARING_AID", route.HearingAid, route.HearingAid},
		{"none of Android's", route.Unknown, route.Unknown},
	} {
		all = append(all, android(c.name, kind, c.out, c.in))
	}
	return append(all, android("none of Android's", -1, route.Unknown, route.Unknown))
}

func appleCases() (all []platformCase) {
	for name, class := range map[string]route.Class{
		"ContinuityMicrophone": route.Network, "LineIn": route.LineOut, "HeadsetMic": route.WiredHeadset, "LineOut": route.LineOut,
		"Headphones": route.WiredHeadphones, "BluetoothA2DP": route.BluetoothA2DP, "HDMI": route.HDMI, "AirPlay": route.Network,
		"BluetoothLE": route.BLEAudio, "BluetoothHFP": route.BluetoothSCO, "USBAudio": route.USBAudio, "CarAudio": route.Car,
		"Virtual": route.Virtual, "PCI": route.Unknown, "FireWire": route.Unknown, "DisplayPort": route.HDMI, "AVB": route.Network,
		"Thunderbolt": route.Unknown, "MediaDeviceExtension": route.Network,
		// values that are not the constant's name
		"MicrophoneWired": route.WiredHeadset, "BluetoothA2DPOutput": route.BluetoothA2DP, "BluetoothLEOutput": route.BLEAudio, "HDMIOutput": route.HDMI,
		// none of Apple's
		"": route.Unknown, "speaker": route.Unknown, "Speaker ": route.Unknown, "BuiltInSpeakers": route.Unknown, "Ѕpeaker": route.Unknown,
	} {
		all = append(all, apple(name, class, class), apple("AVAudioSessionPort"+name, class, class))
	}
	return append(all,
		apple("BuiltInMic", route.Unknown, route.BuiltinMic), apple("MicrophoneBuiltIn", route.Unknown, route.BuiltinMic),
		apple("BuiltInReceiver", route.BuiltinEarpiece, route.Unknown), apple("Receiver", route.BuiltinEarpiece, route.Unknown),
		apple("BuiltInSpeaker", route.BuiltinSpeaker, route.Unknown), apple("Speaker", route.BuiltinSpeaker, route.Unknown),
	)
}

func macCases() (all []platformCase) {
	for transport, class := range map[string]route.Class{
		"": route.Unknown, "grup": route.Virtual, "fgrp": route.Virtual, "virt": route.Virtual, "pci ": route.Unknown, "usb ": route.USBAudio,
		"1394": route.Unknown, "blea": route.BLEAudio, "hdmi": route.HDMI, "dprt": route.HDMI, "airp": route.Network, "eavb": route.Network,
		"thun": route.Unknown, "ccap": route.Network, "ccwd": route.Network, "ccwl": route.Network, "what": route.Unknown,
	} {
		for _, source := range []string{"", "ispk", "imic"} { // which says nothing here
			all = append(all, mac(transport+source, transport, source, class, class))
		}
	}
	all = append(all,
		mac("blue", "blue", "ispk", route.BluetoothA2DP, route.BluetoothSCO),
		mac("ispk", "bltn", "ispk", route.BuiltinSpeaker, route.Unknown),
		mac("imic", "bltn", "imic", route.Unknown, route.BuiltinMic),
	)
	for source, class := range map[string]route.Class{
		"espk": route.LineOut, "hdpn": route.WiredHeadphones, "line": route.LineOut, "spdf": route.Digital, "emic": route.WiredHeadset, "cd  ": route.LineOut,
		"": route.Unknown, "what": route.Unknown,
	} {
		all = append(all, mac(source, "bltn", source, class, class))
	}
	return all
}

func windowsCases() (all []platformCase) {
	for form, inside := range []route.Class{
		route.Network, route.BuiltinSpeaker, route.LineOut, route.WiredHeadphones, route.BuiltinMic, route.WiredHeadset, route.BuiltinEarpiece,
		route.Digital, route.Digital, route.HDMI, route.Unknown, route.Unknown,
	} {
		f := uint32(form)
		out, in := inside, inside
		switch inside {
		case route.BuiltinSpeaker, route.BuiltinEarpiece:
			in = route.Unknown
		case route.BuiltinMic:
			out = route.Unknown
		}
		usb, virtual, other := route.USBAudio, route.Virtual, route.Unknown
		switch inside {
		case route.WiredHeadphones, route.WiredHeadset:
			usb = route.USBHeadset
		case route.Network:
			usb, virtual, other = route.Network, route.Network, route.Network
		}
		all = append(all,
			windows(f, "HDAUDIO", out, in), windows(f, "hdaudio", out, in), windows(f, "INTELAUDIO", other, other),
			windows(f, "USB", usb, usb), windows(f, "SWD", virtual, virtual), windows(f, "ROOT", virtual, virtual), windows(f, "SW", virtual, virtual),
			windows(f, "BTHENUM", route.BluetoothA2DP, route.BluetoothSCO), windows(f, "BTHHFENUM", route.BluetoothSCO, route.BluetoothSCO),
			windows(f, "BTHLEDevice", route.BLEAudio, route.BLEAudio), windows(f, "BthLEEnum", route.BLEAudio, route.BLEAudio),
			windows(f, "", other, other), windows(f, "PCI", other, other), windows(f, "HDAUDIO ", other, other), windows(f, "1394", other, other),
		)
	}
	return all
}

func TestEveryPlatformConstant(t *testing.T) {
	cases := platformCases()
	if len(cases) < 250 {
		t.Fatalf("only %d", len(cases))
	}
	for _, c := range cases {
		for _, capture := range []bool{false, true} {
			want := c.out
			if capture {
				want = c.in_
			}
			at := time.Unix(7, 0)
			r := route.RouteReport(at, c.said(capture))
			if len(r.Routes) != 1 || r.Routes[0].Class != want || r.Routes[0].Capture != capture || r.Routes[0].Device != "id" || len(r.Routes[0].Evidence) == 0 || !r.At.Equal(at) {
				t.Errorf("%s, capture %v: %+v, want %v", c.name, capture, r, want)
			}
			if err := (route.Policy{}).Accept(r.Routes[0]); (err == nil) != verdicts[want].byDefault {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

// What has the name of a radio is no built-in or wired device, whatever the
// constant says; and a name of oddities is none.
func TestPlatformNames(t *testing.T) {
	for _, c := range []struct {
		name string
		want route.Class
	}{
		{"Built-in", route.BuiltinSpeaker},
		{"Lautsprecher für alle", route.BuiltinSpeaker},
		{"Bluetooth speaker", route.BluetoothA2DP},
		{"Wireless dongle", route.Unknown},
		{"AirPlay", route.Network},
		{"\x1b[2J", route.Unknown},
		{strings.Repeat("x", 10_000), route.Unknown},
	} {
		for _, said := range []route.Said{
			route.AndroidDevice{Type: 2, Product: c.name},
			route.ApplePort{Type: "Speaker", Name: c.name},
			route.CoreAudioDevice{Transport: code("bltn"), Source: code("ispk"), Name: c.name},
			route.WindowsEndpoint{FormFactor: 1, Enumerator: "HDAUDIO", Name: c.name},
			route.AndroidDevice{Type: 2, ID: c.name},
		} {
			if got := route.RouteReport(time.Time{}, said).Routes[0]; got.Class != c.want || len(got.Name) > 1000 || len(got.Device) > 1000 {
				t.Errorf("%+v: %+v", said, got)
			}
		}
	}
}

// A policy lists a device by its whole name, however long.
func TestLongDeviceName(t *testing.T) {
	long := "AppleUSBAudioEngine:" + strings.Repeat("x", 200)
	r := route.RouteReport(time.Time{}, route.CoreAudioDevice{Transport: code("usb "), UID: long + "1"})
	if err := (route.Policy{Wired: []string{long + "1"}}).Accept(r.Routes[0]); err != nil {
		t.Error(err)
	}
	if err := (route.Policy{Wired: []string{long + "2", r.Routes[0].Device[:80] + "…"}}).Accept(r.Routes[0]); err == nil {
		t.Error("another device passes for it")
	}
}

// A report of several devices has them all, in order; of none it is refused.
func TestRouteReport(t *testing.T) {
	r := route.RouteReport(time.Time{}, route.AndroidDevice{Type: 15, Capture: true}, route.AndroidDevice{Type: 1})
	if !slices.Equal(classes(r), []route.Class{route.BuiltinMic, route.BuiltinEarpiece}) {
		t.Errorf("%+v", r)
	}
	if _, err := (route.Policy{}).Check(r); err != nil {
		t.Error(err)
	}
	if _, err := (route.Policy{}).Check(route.RouteReport(time.Time{})); err == nil {
		t.Error("no device is accepted")
	}
}
