// Package route says which audio routes secure mode accepts. A route is where
// the microphone's signal comes from or where the far voice goes.
//
// Monitors tell what they see as an [Event]; [World] makes of them a [Report] of
// the routes of one program, with [Classify] as its judge of devices. An
// application with devices of its own makes the Report itself ([RouteReport],
// [Reporter]). [Policy.Check] decides. The [Verified] it returns is the only key
// to the media path in secure mode: nothing outside this package can make one,
// and it holds until it is revoked, which whoever watches the route does when
// anything happens that could matter.
//
// Everything here is values and arithmetic: no clock, no goroutine, no daemon.
package route

import (
	"slices"
	"sync/atomic"
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
	// Evidence is what the class was concluded from, a fact an entry. What
	// decided comes first.
	Evidence []string
}

// Verified says that every route of a call was found acceptable. The zero
// value says nothing and is not valid. A copy is the same Verified.
type Verified struct{ holds *atomic.Bool }

// Valid reports whether v comes from a successful [Policy.Check] and has not
// been revoked since.
func (v Verified) Valid() bool { return v.holds != nil && v.holds.Load() }

// Revoke ends v and all its copies for ever: something has happened since, and
// only another Check can say whether the route still holds. It may be called
// from any goroutine, and more than once.
func (v Verified) Revoke() {
	if v.holds != nil {
		v.holds.Store(false)
	}
}

// Verify is [Policy.Check] of routes about which nothing else is known.
func (p Policy) Verify(routes ...Route) (Verified, error) {
	return p.Check(Report{Routes: routes})
}

// Accept decides on one device, whichever other routes there are. The error is a
// *[Refusal].
func (p Policy) Accept(r Route) error {
	if !p.accepts(r) {
		return refuseRoute(r)
	}
	return nil
}

// Check decides on what a report says. It needs a route that audio comes from and
// one that it goes to, unless all are [Internal], and all of them acceptable. The
// error is a *[Refusal] about the worst that was found.
func (p Policy) Check(r Report) (Verified, error) {
	refusal := p.refuse(r)
	if refusal != nil {
		return Verified{}, refusal
	}
	v := Verified{holds: new(atomic.Bool)}
	v.holds.Store(true)
	return v, nil
}

// refuse is the gravest reason against r, or nil.
func (p Policy) refuse(r Report) *Refusal {
	switch {
	case r.Unknown != "":
		return &Refusal{Reason: r.Unknown, advice: adviceWait}
	case len(r.Routes) == 0:
		return &Refusal{Reason: "no audio route is known", advice: adviceWait}
	}
	worst := -1
	for i, route := range r.Routes {
		if !p.accepts(route) && (worst < 0 || rank(route.Class) > rank(r.Routes[worst].Class)) {
			worst = i
		}
	}
	if worst >= 0 {
		return refuseRoute(r.Routes[worst])
	}
	if missing := r.missing(); missing != "" {
		return &Refusal{Reason: missing, advice: adviceWait}
	}
	if p.Strict && len(r.Bluetooth) > 0 {
		return refuseIdle(r.Bluetooth[0])
	}
	if p.AdapterOff {
		if i := slices.IndexFunc(r.Adapters, func(a BluetoothAdapter) bool { return a.Powered }); i >= 0 {
			return refuseRadio(r.Adapters[i])
		}
	}
	if p.RefuseTaps {
		if i := slices.IndexFunc(r.Taps, func(t Tap) bool { return !slices.Contains(p.AllowTaps, t.Program.Name) }); i >= 0 {
			return refuseTap(r.Taps[i])
		}
	}
	return nil
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
