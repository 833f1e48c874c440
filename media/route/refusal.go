package route

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Refusal is why secure mode does not use a route.
type Refusal struct {
	Class    Class
	Device   string // empty if there is none
	Name     string // what people call the device; empty: Device
	Reason   string // one clause, why it is refused
	Evidence []string
	// Tap is set if the reason is a program that records.
	Tap *Tap

	what   string // what is refused; empty: the class and its device
	advice string // one clause, what the user can do
}

const adviceWait = "nothing is sent or played until it is known"

func refuseRoute(r Route) *Refusal {
	return &Refusal{
		Class: r.Class, Device: r.Device, Name: r.Name, Evidence: slices.Clone(r.Evidence),
		Reason: cmp.Or(r.Reason, r.Class.reason()), advice: adviceOn(r),
	}
}

// adviceOn is what to do about the device of a refused route.
func adviceOn(r Route) string {
	device := "it"
	if name := cmp.Or(r.Name, r.Device); name != "" {
		device = quote(name)
	}
	instead := "or continue on the built-in speaker"
	if r.Capture {
		instead = "or continue with the built-in microphone"
	}
	switch {
	case r.Class.rule() == listable:
		return "disconnect " + device + ", " + instead + ", or have the policy list this device"
	case rank(r.Class) >= rank(Virtual) && rank(r.Class) < rank(BluetoothA2DP), r.Class == Unknown:
		return "take the call off " + device + ", " + instead
	}
	return "disconnect " + device + ", " + instead
}

func refuseIdle(d BluetoothDevice) *Refusal {
	name := cmp.Or(d.Name, d.Address, string(d.ID))
	class := d.audio()
	if class == Unknown { // it has sent audio all the same
		class = BluetoothA2DP
	}
	return &Refusal{
		Class: class, Device: string(d.ID), Name: name, Evidence: []string{"address=" + d.Address, "connected=true"},
		what:   fmt.Sprintf("a connected Bluetooth device %s", quote(name)),
		Reason: "the policy is strict, and accessories have been taken over while they were idle",
		advice: "disconnect " + quote(name),
	}
}

func refuseRadio(a BluetoothAdapter) *Refusal {
	return &Refusal{
		Class: BluetoothA2DP, Device: string(a.ID), Evidence: []string{"powered=true"},
		what:   "the Bluetooth adapter " + quote(string(a.ID)),
		Reason: "the policy wants it without power, and it has power",
		advice: "switch Bluetooth off",
	}
}

func refuseTap(t Tap) *Refusal {
	what, program := "the microphone", quote(t.Program.Name)
	if t.Monitor {
		what = "what the other side says"
	}
	evidence := []string{"program=" + t.Program.Name, fmt.Sprintf("pid=%d", t.Program.PID), "stream=" + t.Stream}
	return &Refusal{
		Class: Monitor, Device: t.Device, Evidence: evidence, Tap: &t,
		what:   fmt.Sprintf("the program %s (process %d)", program, t.Program.PID),
		Reason: "it records " + what + " from " + quote(t.Device),
		advice: "close " + program,
	}
}

// Error names what is refused, says why and what to do about it.
func (r *Refusal) Error() string {
	var b strings.Builder
	b.WriteString("route: ")
	switch {
	case r.what != "":
		b.WriteString(r.what)
	default:
		b.WriteString(r.Class.String())
		if name := cmp.Or(r.Name, r.Device); name != "" {
			b.WriteString(" " + quote(name))
		}
	}
	fmt.Fprintf(&b, " is refused in secure mode: %s; %s", r.Reason, cmp.Or(r.advice, adviceOn(Route{Class: r.Class, Device: r.Device, Name: r.Name})))
	return b.String()
}

// quote is what another program has said, so that it cannot pass for our words.
func quote(s string) string { return fmt.Sprintf("%q", clip(s)) }
