package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sotto/media/route"
)

// classNames are the classes that --simulate-route takes.
var classNames = map[string]route.Class{
	"unknown":          route.Unknown,
	"internal":         route.Internal,
	"builtin-earpiece": route.BuiltinEarpiece,
	"builtin-speaker":  route.BuiltinSpeaker,
	"builtin-mic":      route.BuiltinMic,
	"wired-headset":    route.WiredHeadset,
	"wired-headphones": route.WiredHeadphones,
	"line-out":         route.LineOut,
	"digital":          route.Digital,
	"usb-audio":        route.USBAudio,
	"usb-headset":      route.USBHeadset,
	"bluetooth-sco":    route.BluetoothSCO,
	"bluetooth-a2dp":   route.BluetoothA2DP,
	"ble-audio":        route.BLEAudio,
	"hearing-aid":      route.HearingAid,
	"hdmi":             route.HDMI,
	"network":          route.Network,
	"virtual":          route.Virtual,
	"monitor":          route.Monitor,
	"remote-submix":    route.RemoteSubmix,
	"dock":             route.Dock,
	"car":              route.Car,
	"telephony":        route.Telephony,
}

func parseClass(name string) (route.Class, error) {
	if c, ok := classNames[name]; ok {
		return c, nil
	}
	return route.Unknown, fmt.Errorf("--simulate-route %q: want one of %s", name,
		strings.Join(slices.Sorted(maps.Keys(classNames)), ", "))
}
