package engine_test

import (
	"errors"
	"slices"
	"testing"

	"sotto/engine"
	"sotto/media"
	"sotto/sip/sdp"
)

// Digits go both ways through a secure call, each once.
func TestDTMF(t *testing.T) {
	t.Parallel()
	a, b := newEngine(t, engine.Config{}), newEngine(t, engine.Config{})
	caller, callee := connect(t, a, b)
	until[engine.Secured](t, caller)
	until[engine.Secured](t, callee)
	if err := caller.SendDTMF("1x"); err == nil {
		t.Error("x was sent")
	}
	for _, call := range []struct {
		from, to *engine.Call
		digits   string
	}{{caller, callee, "19*#a"}, {callee, caller, "0"}} {
		if err := call.from.SendDTMF(call.digits); err != nil {
			t.Fatal(err)
		}
		for _, want := range []byte(call.digits) {
			if want == 'a' {
				want = 'A'
			}
			if d := until[engine.Digit](t, call.to); d.Digit != want {
				t.Errorf("heard %c, want %c", d.Digit, want)
			}
		}
	}
	if err := caller.Close(); err != nil {
		t.Fatal(err)
	}
	if err := caller.SendDTMF("1"); !errors.Is(err, engine.ErrEnded) {
		t.Errorf("after the end: %v", err)
	}
}

// What cannot be sent is refused, with what to do about it.
func TestDTMFIsRefused(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.deaf.Store(true)
	r.local.Codecs = slices.DeleteFunc(sdp.Voice(), sdp.Codec.Event)
	call, _, _ := r.call(engine.Config{})
	next[engine.Answered](t, call)
	if err := call.SendDTMF("1"); err == nil {
		t.Error("sent before the keys")
	}
	r.deaf.Store(false)
	until[engine.Secured](t, call)
	if err := call.SendDTMF("1"); !errors.Is(err, media.ErrNoEvents) {
		t.Errorf("sent to a phone without telephone-event: %v", err)
	}
}
