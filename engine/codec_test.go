package engine_test

import (
	"slices"
	"testing"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/sip/sdp"
)

// without is what the engine offers, but for one codec.
func without(name string) []sdp.Codec {
	return slices.DeleteFunc(sdp.Voice(), func(c sdp.Codec) bool { return c.Name == name })
}

// With a peer that has no Opus, G.722 is next. What comes back from it is what
// was said.
func TestG722Call(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	r.local.Codecs = without("opus")
	r.echo.Store(true)
	heard := newToneSink(440)
	cfg := withAudio(audio.NewTone(440, 0.5), heard)
	cfg.AllowInsecure = true
	call, _, answer := r.call(cfg)
	if got := until[engine.Answered](t, call); got.Codec != "G722" {
		t.Errorf("codec %q", got.Codec)
	}
	isClosed(t, heard.heard, "the tone")
	codec := answer.Media[0].Codecs[0]
	if payloadType := r.format[0].Load(); payloadType != 9 || codec.PayloadType != 9 {
		t.Errorf("payload type %d, answered %+v", payloadType, codec)
	}
	if n := r.format[1].Load(); n != 12+160 {
		t.Errorf("packets of %d bytes", n)
	}
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	if s := until[engine.Ended](t, call).Stats; s.PacketsReceived == 0 || s.Undecodable != 0 {
		t.Errorf("%+v", s)
	}
}

// The same in a secure call: packets are the same, but for the tag.
func TestG722SecureCall(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.local.Codecs = without("opus")
	call, _, _ := r.call(engine.Config{})
	if got := until[engine.Answered](t, call); got.Codec != "G722" {
		t.Errorf("codec %q", got.Codec)
	}
	until[engine.Secured](t, call)
	isClosed(t, r.heard, "voice")
	if n := r.format[1].Load(); n != 12+160+10 {
		t.Errorf("packets of %d bytes", n)
	}
}

// Comfort noise is offered outside secure mode only: it invites the other side to
// pause where nothing is said.
func TestComfortNoiseIsOffered(t *testing.T) {
	t.Parallel()
	for _, insecure := range []bool{false, true} {
		r := newRogue(t, true)
		if _, err := newEngine(t, engine.Config{AllowInsecure: insecure}).Dial(t.Context(), r.uri()); err != nil {
			t.Fatal(err)
		}
		_, offer := r.accept()
		if got := slices.ContainsFunc(offer.Media[0].Codecs, sdp.Codec.Noise); got != insecure {
			t.Errorf("insecure %v: offered %v", insecure, got)
		}
	}
}
