// Package route says which audio routes secure mode accepts. A route is where
// the microphone's signal comes from or where the far voice goes.
//
// Whoever opens a device classifies it and keeps the evidence; [Policy.Verify]
// decides. The [Verified] it returns is the only key to the media path in
// secure mode, and nothing outside this package can make one.
package route

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Route is one direction of audio: a device and what it was found to be.
type Route struct {
	Class Class
	// Device identifies the device to the system that reported it. A policy
	// lists devices by it.
	Device string
	// Name is what people call the device, such as CheapHeadset. Empty: Device.
	Name string
	// Capture says that audio comes from the device; otherwise it goes there.
	Capture bool
	// Reason says why the class is not what the device claims to be. Empty:
	// nothing but its class speaks against it.
	Reason string
	// Evidence is what the class was concluded from, a fact an entry.
	Evidence []string
}

// Policy is what secure mode accepts. The zero value accepts built-in devices
// and [Internal], nothing else. No policy allows Bluetooth.
type Policy struct {
	// Wired lists devices, by [Route.Device], that are accepted although they
	// are a wired or USB headset, headphones or sound card.
	Wired []string
	// Strict refuses calls while a Bluetooth audio device is connected, used
	// or not: accessories have been taken over while they were idle.
	Strict bool
	// AdapterOff has the Bluetooth radios powered down for secure calls.
	AdapterOff bool
	// RefuseTaps refuses calls while another program records the microphone
	// or what is played. Otherwise it is only told.
	RefuseTaps bool
	// AllowTaps are the programs that RefuseTaps does not mean, such as an
	// echo canceller, by [Tap.Program]'s name.
	AllowTaps []string
	// HoldAfter and EndAfter are how long a call stays muted because of its
	// route before it is put on hold, or ended. Zero: for ever.
	HoldAfter, EndAfter time.Duration
}

// Verified says that every route of a call was found acceptable. The zero
// value says nothing and is not valid.
type Verified struct{ valid bool }

// Valid reports whether v comes from a successful [Policy.Verify].
func (v Verified) Valid() bool { return v.valid }

// Verify is [Policy.Check] of routes, about which nothing else is known.
func (p Policy) Verify(routes ...Route) (Verified, error) {
	return p.Check(Report{Routes: routes})
}

// Check checks all routes of a call, at least one. The error is a *[Refusal]
// about the first route that is not acceptable.
func (p Policy) Check(report Report) (Verified, error) {
	if report.Unknown != "" {
		return Verified{}, &Refusal{Reason: report.Unknown}
	}
	if len(report.Routes) == 0 {
		return Verified{}, &Refusal{Reason: "no audio route is known"}
	}
	for _, r := range report.Routes {
		if !p.accepts(r) {
			return Verified{}, &Refusal{Class: r.Class, Device: r.Device, Name: r.Name, Reason: r.Class.reason(), Evidence: slices.Clone(r.Evidence)}
		}
	}
	return Verified{valid: true}, nil
}

func (p Policy) accepts(r Route) bool {
	switch r.Class.rule() {
	case allowed:
		return true
	case listable:
		return r.Device != "" && slices.Contains(p.Wired, r.Device)
	default:
		return false
	}
}

// Refusal is why secure mode does not use a route.
type Refusal struct {
	Class    Class
	Device   string // empty if there is none
	Name     string // what people call the device; empty: Device
	Reason   string // one clause, why the class is refused
	Evidence []string
}

// Error names the route, says why it is refused and what to do about it.
func (r *Refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "route: %v", r.Class)
	if r.Device != "" {
		fmt.Fprintf(&b, " %q", r.Device)
	}
	fmt.Fprintf(&b, " is refused in secure mode: %s; %s", r.Reason, r.advice())
	return b.String()
}

func (r *Refusal) advice() string {
	const builtin = "disconnect it and use the built-in microphone and speaker"
	if r.Class.rule() == listable {
		return builtin + ", or have the policy list this device"
	}
	return builtin
}
