//go:build interop

package routes

import (
	"errors"
	"testing"

	"sotto/engine/devices"
	"sotto/media/route"
)

// Without secure mode a call takes the default device whatever it is, asks for no
// radio to go down, and nothing watches over it. With it the same device is refused,
// and for one that is not the radio goes down.
func TestInsecureTakesAnyDevice(t *testing.T) {
	w := newWorld(t, pipeWire)
	w.load("module-null-sink", "sink_name=elsewhere")
	must(t, "pactl", "set-default-sink", "elsewhere")
	policy := route.Policy{Strict: true, AdapterOff: true}
	if _, err := (devices.Choice{Policy: policy}).Open(t.Context()); !errors.As(err, new(*route.Refusal)) {
		t.Errorf("in secure mode: %v", err)
	}
	a, err := devices.Choice{Policy: policy, AllowInsecure: true}.Open(t.Context())
	if err != nil || a.Watch != nil || a.Source == nil || a.Sink == nil {
		t.Fatalf("%+v, %v", a, err)
	}
	if !w.air.powered(t) {
		t.Error("without secure mode the radio is powered down")
	}
	b, err := devices.Choice{Policy: policy, Playback: speaker}.Open(t.Context())
	if err != nil || w.air.powered(t) {
		t.Errorf("in secure mode the radio has power: %v", err)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil || !w.air.powered(t) {
		t.Errorf("after the calls the radio has no power: %v", err)
	}
}
