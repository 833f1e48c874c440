package engine_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/engine"
	"sotto/media"
	"sotto/sip/sdp"
)

// Impossible options are refused before anybody calls, and in secure mode those
// that would tell what is said.
func TestCodingIsChecked(t *testing.T) {
	for name, cfg := range map[string]engine.Config{
		"bit rate":    {Coding: codecs.Options{Bitrate: 12345}},
		"packet time": {Coding: codecs.Options{PacketTime: 15 * time.Millisecond}, AllowInsecure: true},
	} {
		if e, err := engine.New(cfg); e != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	for _, varies := range []codecs.Options{{VBR: true}, {DTX: true}} {
		if _, err := engine.New(engine.Config{Coding: varies}); !errors.Is(err, media.ErrVaries) {
			t.Errorf("%+v in secure mode: %v", varies, err)
		}
		newEngine(t, engine.Config{Coding: varies, AllowInsecure: true})
	}
}

// Packets are as long as the other side asks for, at most as long as it takes,
// and otherwise as configured; what is configured is asked for.
func TestPacketTimeOfThePeer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		theirs int // milliseconds, of the peer's description
		ours   codecs.Options
		asked  int   // milliseconds, of our description
		bytes  int64 // of the payload
		codec  string
	}{
		"40 ms":                    {theirs: 40, asked: 20, bytes: 160},
		"it goes before ours":      {theirs: 10, ours: codecs.Options{PacketTime: 60 * time.Millisecond}, asked: 60, bytes: 40},
		"to what we can":           {theirs: 55, asked: 20, bytes: 160},
		"not too long for digits":  {theirs: 60, asked: 20, bytes: 160, codec: "G722"},
		"nor of another codec":     {theirs: 40, asked: 20, bytes: 160, codec: "PCMA"},
		"nor of a high bit rate":   {theirs: 40, ours: codecs.Options{Bitrate: 64000}, asked: 20, bytes: 160},
		"another bit rate of ours": {theirs: 20, ours: codecs.Options{Bitrate: 16000}, asked: 20, bytes: 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRogue(t, true)
			r.local.PacketTime = c.theirs
			if c.codec != "" {
				r.local.Codecs = slices.DeleteFunc(sdp.Voice(), func(d sdp.Codec) bool { return d.Voice() && d.Name != c.codec })
			}
			call, err := newEngine(t, engine.Config{Coding: c.ours}).Dial(t.Context(), r.uri())
			if err != nil {
				t.Fatal(err)
			}
			dialog, offer := r.accept()
			if got := offer.Media[0].PacketTime; got != c.asked {
				t.Errorf("asked for %d ms, want %d", got, c.asked)
			}
			answer, err := sdp.Answer(offer, nil, r.local)
			if err != nil {
				t.Fatal(err)
			}
			if err := dialog.Answer(answer.Append(nil)); err != nil {
				t.Fatal(err)
			}
			until[engine.Secured](t, call)
			isClosed(t, r.heard, "voice")
			if err := call.SendDTMF("1"); err != nil {
				t.Error(err)
			}
			if n := r.format[1].Load(); n != 12+c.bytes+10 {
				t.Errorf("packets of %d bytes, want %d of payload", n, c.bytes)
			}
		})
	}
}
