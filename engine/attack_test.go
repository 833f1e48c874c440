package engine_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sotto/engine"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
	"sotto/sip"
	"sotto/sip/sdp"
)

// A peer without ZRTP hears nothing at all, and the reason says why.
func TestAdversary_F3_NoVoiceBeforeKeys(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	call, _, _ := r.call(engine.Config{})
	refused := until[engine.Refused](t, call)
	if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure || refused.Text == "" || e.Level != engine.LevelNone {
		t.Errorf("refused with %+v, ended with %+v", refused, e)
	}
	if n := r.seen[media.KindRTP].Load() + r.seen[media.KindRTCP].Load(); n != 0 {
		t.Errorf("%d packets of clear media left", n)
	}
	if r.seen[media.KindZRTP].Load() == 0 {
		t.Error("no key agreement was tried")
	}
}

// With secure mode off the same peer is called in the clear, with a warning and
// not before every Hello has been tried (RFC 6189 §4).
func TestAdversary_F3_InsecureModeWaits(t *testing.T) {
	t.Parallel()
	r := newRogue(t, false)
	call, _, _ := r.call(engine.Config{AllowInsecure: true})
	if w := until[engine.Warning](t, call); w.Text == "" {
		t.Error("an empty warning")
	}
	if call.Level() != engine.LevelClear {
		t.Errorf("a clear call is %s", call.Level())
	}
	select {
	case <-r.heard:
	case <-time.After(limit):
		t.Fatal("no voice left")
	}
	if hellos := *r.voice.Load(); hellos < 20 {
		t.Errorf("clear voice left after %d Hellos", hellos)
	}
}

// Another Hello than the announced one is no key agreement.
func TestAdversary_D6_OtherHello(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.local.ZRTPHashes[0].Hash = bytes.Repeat([]byte{1}, 32)
	call, _, _ := r.call(engine.Config{})
	until[engine.Refused](t, call)
	if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure {
		t.Errorf("ended with %+v", e.Reason)
	}
	if n := r.seen[media.KindRTP].Load(); n != 0 {
		t.Errorf("%d media packets left", n)
	}
}

// A re-INVITE that takes the ZRTP hash away, names another or changes the codec
// is refused, as often as it comes; the call goes on under its keys.
func TestAdversary_F1_ReinviteWithoutZRTP(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*sdp.Local){
		"hash taken away": func(l *sdp.Local) { l.ZRTPHashes = nil },
		"another codec":   func(l *sdp.Local) { l.Codecs = l.Codecs[1:] },
		"another payload type": func(l *sdp.Local) {
			l.Codecs = slices.Clone(l.Codecs)
			l.Codecs[0].PayloadType++
		},
		"another hash": func(l *sdp.Local) {
			l.ZRTPHashes = []sdp.ZRTPHash{{Version: "1.10", Hash: bytes.Repeat([]byte{2}, 32)}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, true)
			call, dialog, answer := r.call(engine.Config{})
			until[engine.Secured](t, call)
			local := r.local
			spoil(&local)
			for range 2 {
				if err := r.reinvite(dialog, answer, local); err == nil {
					t.Error("the change was accepted")
				}
				next[engine.Refused](t, call)
			}
			if call.Level() != engine.LevelEncrypted {
				t.Errorf("level is %s now", call.Level())
			}
			if err := call.Close(); err != nil {
				t.Fatal(err)
			}
			if e := next[engine.Ended](t, call); e.Reason.Kind != engine.HungUp {
				t.Errorf("ended with %+v", e.Reason)
			}
		})
	}
}

// A peer that may speak another codec of ours too is no attack.
func TestReinviteWithMoreCodecs(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	offered := r.local.Codecs
	r.local.Codecs = offered[2:3] // PCMU
	call, dialog, answer := r.call(engine.Config{})
	until[engine.Secured](t, call)
	r.local.Codecs = offered
	if err := r.reinvite(dialog, answer, r.local); err != nil {
		t.Error(err)
	}
}

// Clear RTP that is injected before, while and after keys are agreed is never
// played.
func TestAdversary_F2_InjectedRTP(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	heard := newRecorder(1)
	r.deaf.Store(true)
	call, dialog, _ := r.call(withAudio(audio.Silence{}, heard))
	offer, err := sdp.Parse(dialog.RemoteOffer())
	if err != nil {
		t.Fatal(err)
	}
	m := offer.Media[offer.Audio()]
	to := netip.AddrPortFrom(m.Address, m.Port)
	loud := func(seq byte) []byte {
		return append([]byte{0x80, 0, 0, seq, 0, 0, seq, 0, 0, 0, 0, 9}, bytes.Repeat([]byte{0x80}, 160)...)
	}
	inject := func() {
		for seq := range byte(50) {
			if _, err := r.media.WriteToUDPAddrPort(loud(seq), to); err != nil {
				t.Fatal(err)
			}
		}
	}
	until[engine.Answered](t, call)
	for start := time.Now(); call.Stats().Discarded.Clear < 50; inject() {
		if time.Since(start) > limit {
			t.Fatalf("nothing was discarded: %+v", call.Stats())
		}
	}
	if n := len(heard.heard()); n != 0 {
		t.Fatalf("%d samples were played before the keys", n)
	}
	forged := loud(50)
	r.forge.Store(&forged)
	r.deaf.Store(false)
	until[engine.Secured](t, call)
	if n := r.forged.Load(); n < 3 { // Hello, Commit or DHPart1, and a Confirm at least
		t.Errorf("%d packets were injected while keys were agreed", n)
	}
	for start := time.Now(); call.Stats().Discarded.Auth+call.Stats().Discarded.Malformed == 0; inject() {
		if time.Since(start) > limit {
			t.Fatalf("nothing was discarded: %+v", call.Stats())
		}
	}
	<-heard.got
	if err := call.Close(); err != nil {
		t.Fatal(err)
	}
	for _, s := range heard.heard() {
		if s != 0 {
			t.Fatal("an injected packet was played")
		}
	}
	if e := until[engine.Ended](t, call); e.Stats.PacketsReceived != 0 {
		t.Errorf("an injected packet was received: %+v", e.Stats)
	}
}

// A peer that insists on keys in the signalling, or on a payload type that RTCP
// takes (RFC 5761 §4), is turned away before the call is answered.
func TestImpossibleOffersAreRejected(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(offer []byte) []byte{
		"SDES": func(offer []byte) []byte {
			offer = bytes.Replace(offer, []byte("RTP/AVP"), []byte("RTP/SAVP"), 1)
			return append(offer, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"...)
		},
		"payload type": oddPayloadType,
		"no codec":     func(offer []byte) []byte { return bytes.ReplaceAll(offer, []byte("opus/48000"), []byte("opium/48000")) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, false)
			r.local.Codecs = r.local.Codecs[:1]
			e := newEngine(t, engine.Config{})
			dialog, err := r.agent.Invite(t.Context(), uri(e), spoil(sdp.Offer(r.local).Append(nil)))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			call, err := e.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := call.Answer(); err == nil {
				t.Error("answered")
			}
			if e := until[engine.Ended](t, call); e.Reason.Kind != engine.Incompatible || strings.Contains(e.Reason.Text, "sdp:") {
				t.Errorf("ended with %+v", e.Reason)
			}
			if reason := endOf(t, dialog); reason.Kind != sip.NotAcceptable || reason.Code != 488 {
				t.Errorf("turned away with %+v", reason)
			}
		})
	}
}

func oddPayloadType(description []byte) []byte {
	return bytes.ReplaceAll(description, []byte("96"), []byte("72"))
}

// The same from one that we call.
func TestImpossibleAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		kind  engine.ReasonKind
	}{
		"payload type": {oddPayloadType, engine.Incompatible},
		"no audio":     {func(b []byte) []byte { return regexp.MustCompile(`m=audio \d+`).ReplaceAll(b, []byte("m=audio 0")) }, engine.Incompatible},
		"two streams":  {func(b []byte) []byte { return append(b, "m=audio 4000 RTP/AVP 0\r\n"...) }, engine.Malformed},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, false)
			call, err := newEngine(t, engine.Config{}).Dial(t.Context(), r.uri())
			if err != nil {
				t.Fatal(err)
			}
			dialog, offer := r.accept()
			r.local.Codecs = r.local.Codecs[:1]
			answer, err := sdp.Answer(offer, nil, r.local)
			if err != nil {
				t.Fatal(err)
			}
			if err := dialog.Answer(c.spoil(answer.Append(nil))); err != nil {
				t.Fatal(err)
			}
			if e := until[engine.Ended](t, call); e.Reason.Kind != c.kind {
				t.Errorf("ended with %+v", e.Reason)
			}
			if e := endOf(t, dialog); e.Kind != sip.HungUp {
				t.Errorf("the peer ended with %+v", e)
			}
		})
	}
}

// Why a call ends may name files and devices: neither the peer nor a proxy
// reads it.
func TestAdversary_G_ByeTellsNothing(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(context.Context) (engine.Audio, error){
		"file": func(context.Context) (engine.Audio, error) {
			return engine.Audio{}, errors.New("open interview-with-a-source.wav: permission denied")
		},
		"device": func(context.Context) (engine.Audio, error) {
			return engine.Audio{Source: audio.Silence{}, Sink: audio.Discard{},
				Routes: []route.Route{{Class: route.BluetoothSCO, Device: "bluez_input.AC_80_0A_11_22_33"}}}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			call, dialog, _ := newRogue(t, true).call(engine.Config{OpenAudio: open})
			if e := endOf(t, dialog); e.Kind != sip.HungUp || e.Text != "" {
				t.Errorf("the peer reads %q", e.Text)
			}
			if e := until[engine.Ended](t, call); e.Reason.Text == "" {
				t.Error("the user reads nothing")
			}
		})
	}
}

// A peer that says again and again that it rings is heard once.
func TestRingingIsToldOnce(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	call, err := newEngine(t, engine.Config{}).Dial(t.Context(), r.uri())
	if err != nil {
		t.Fatal(err)
	}
	dialog, offer := r.accept()
	for range 100 {
		if err := dialog.Ring(); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := sdp.Answer(offer, nil, r.local)
	if err != nil {
		t.Fatal(err)
	}
	if err := dialog.Answer(answer.Append(nil)); err != nil {
		t.Fatal(err)
	}
	next[engine.Ringing](t, call)
	next[engine.Answered](t, call)
}

// Strangers that let our phone ring and ring can't take all of it: the rest is
// busy, until a place is free again.
func TestAdversary_F6_RingingFlood(t *testing.T) {
	t.Parallel()
	const places = 16
	e, r := newEngine(t, engine.Config{}), newRogue(t, false)
	invite := func() *sip.Dialog {
		t.Helper()
		d, err := r.agent.Invite(t.Context(), uri(e), sdp.Offer(r.local).Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	accept := func() *engine.Call {
		t.Helper()
		c, err := e.Accept(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var calls []*engine.Call
	for range places {
		invite()
		calls = append(calls, accept())
	}
	for range 3 {
		if reason := endOf(t, invite()); reason.Kind != sip.Busy {
			t.Errorf("one too many ended with %+v", reason)
		}
	}
	if err := calls[0].Reject(); err != nil {
		t.Fatal(err)
	}
	until[engine.Ended](t, calls[0])
	if err := calls[1].Answer(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		invite()
		accept()
	}
	if reason := endOf(t, invite()); reason.Kind != sip.Busy {
		t.Errorf("one too many ended with %+v", reason)
	}
}

// A friend relays: verified with us under her own name, she takes a call that
// is meant for somebody else. What was compared counts for her name alone.
func TestAdversary_E3_FriendInTheMiddle(t *testing.T) {
	a := newEngine(t, engine.Config{StateDir: t.TempDir(), Identity: "sip:alice@test"})
	m := newEngine(t, engine.Config{StateDir: t.TempDir(), Identity: "sip:mallory@test"})
	var zids []string
	for i, c := range []struct {
		dialled string
		want    engine.SecurityLevel
	}{{"mallory", engine.LevelEncrypted}, {"mallory", engine.LevelVerified}, {"bob", engine.LevelEncrypted}} {
		caller, err := a.Dial(t.Context(), "sip:"+c.dialled+"@"+m.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		callee, err := m.Accept(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := callee.Answer(); err != nil {
			t.Fatal(err)
		}
		ours, hers := until[engine.Secured](t, caller), until[engine.Secured](t, callee)
		if ours.Level != c.want {
			t.Errorf("call %d, to %s: %s, want %s", i, c.dialled, ours.Level, c.want)
		}
		zids = append(zids, ours.PeerZID)
		if c.dialled == "mallory" {
			if err := errors.Join(caller.SetVerified(true), callee.SetVerified(true)); err != nil {
				t.Fatal(err)
			}
		} else if ours.Verified || hers.PeerZID == "" {
			t.Error("what was compared with her counts for the other")
		}
		if err := callee.Close(); err != nil {
			t.Fatal(err)
		}
		until[engine.Ended](t, caller)
	}
	if zids[0] != zids[1] || zids[1] != zids[2] {
		t.Errorf("not the same phone: %v", zids)
	}
}
