package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"slices"
	"testing"

	"sotto/engine"
	"sotto/media"
	"sotto/sip/sdp"
)

// What a user is told, in order, of a call without a ZRTP hash in its
// signalling; and that comparing the SAS is worth the same all the same.
func TestSecurityIsTold(t *testing.T) {
	t.Parallel()
	r := newRogue(t, true)
	r.local.ZRTPHashes = nil
	call, _, _ := r.call(engine.Config{})
	for _, want := range []engine.SecurityLevel{engine.LevelNone, engine.LevelGoingSecure, engine.LevelEncrypted} {
		s := until[engine.Security](t, call)
		if s.Level != want || !slices.Equal(s.Notices, []engine.Notice{engine.NoticeNotAnnounced, engine.NoticeSignaling}) {
			t.Errorf("%+v, want %s", s, want)
		}
	}
	if err := call.SetVerified(true); err != nil {
		t.Fatal(err)
	}
	if s := next[engine.Security](t, call); s.Level != engine.LevelCompared || !slices.Contains(s.Notices, engine.NoticeNameless) {
		t.Errorf("%+v", s)
	}
	if err := call.SetVerified(false); err != nil {
		t.Fatal(err)
	}
	if s := next[engine.Security](t, call); s.Level != engine.LevelAttacked {
		t.Errorf("%+v", s)
	}
	next[engine.Refused](t, call)
	if e := next[engine.Ended](t, call); e.Level != engine.LevelAttacked || e.Reason.Kind != engine.NotSecure {
		t.Errorf("ended with %+v", e)
	}
}

// A policy may insist on the hash: then a call without it ends before a single
// packet.
func TestAdversary_F1_HashRequired(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]engine.Config{
		"secure mode":    {RequireHelloHash: true},
		"no secure mode": {RequireHelloHash: true, AllowInsecure: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, true)
			r.local.ZRTPHashes = nil
			call, _, _ := r.call(cfg)
			next[engine.Answered](t, call)
			next[engine.Refused](t, call)
			if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure || e.Level.Encrypted() {
				t.Errorf("ended with %+v", e)
			}
			for _, kind := range []media.Kind{media.KindZRTP, media.KindRTP, media.KindRTCP} {
				if n := r.seen[kind].Load(); n != 0 {
					t.Errorf("%d packets left", n)
				}
			}
			call, _, _ = newRogue(t, true).call(cfg)
			until[engine.Secured](t, call)
		})
	}
}

// An SDES key in the offer of a caller that announces its Hello goes into the
// keys if the policy says so, and the user hears if the caller has another.
func TestSignalledKey(t *testing.T) {
	t.Parallel()
	line := []byte("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + base64.StdEncoding.EncodeToString(signalledKey) + "|2^20\r\n")
	for name, c := range map[string]struct {
		use, theirs, announce, mismatch bool
	}{
		"both":          {true, true, true, false},
		"we alone":      {true, false, true, true},
		"not announced": {true, false, false, false},
		"no policy":     {false, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, e := newRogue(t, true), newEngine(t, engine.Config{UseSignalledKey: c.use})
			r.srtps.Store(c.theirs)
			if !c.announce {
				r.local.ZRTPHashes = nil
			}
			dialog, err := r.agent.Invite(t.Context(), uri(e), append(sdp.Offer(r.local).Append(nil), line...))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			call, err := e.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := call.Answer(); err != nil {
				t.Fatal(err)
			}
			s := reaches(t, call, engine.LevelEncrypted)
			if slices.Contains(s.Notices, engine.NoticeAuxMismatch) != c.mismatch {
				t.Errorf("%+v", s)
			}
			if err := call.Close(); err != nil {
				t.Fatal(err)
			}
			endOf(t, dialog)
		})
	}
}

// A hash that comes late has to be that of the Hello which was accepted.
func TestAdversary_F1_LateHash(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]bool{"right": false, "wrong": true} {
		t.Run(name, func(t *testing.T) {
			r := newRogue(t, true)
			late := r.local
			if wrong {
				late.ZRTPHashes = []sdp.ZRTPHash{{Version: "1.10", Hash: bytes.Repeat([]byte{3}, 32)}}
			}
			r.local.ZRTPHashes = nil
			call, dialog, answer := r.call(engine.Config{})
			reaches(t, call, engine.LevelEncrypted)
			err := r.reinvite(dialog, answer, late)
			if wrong {
				next[engine.Refused](t, call)
				if e := next[engine.Ended](t, call); e.Reason.Kind != engine.NotSecure {
					t.Errorf("ended with %+v", e)
				}
				return
			}
			if s := next[engine.Security](t, call); err != nil || slices.Contains(s.Notices, engine.NoticeNotAnnounced) || s.Level != engine.LevelEncrypted {
				t.Errorf("%v, %+v", err, s)
			}
		})
	}
}
