package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sotto/media/audio"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// The levels are told apart by name and text, and ordered: what is encrypted
// lies above what is not, what is verified above what is not.
func TestLevelsAreOrdered(t *testing.T) {
	want := []SecurityLevel{
		LevelAttacked, LevelClear, LevelNone, LevelGoingSecure,
		LevelSuspect, LevelRelayed, LevelEncrypted, LevelContinued,
		LevelVerified, LevelCompared,
	}
	var zero SecurityLevel
	if !slices.IsSorted(want) || zero != LevelNone || len(want) != len(levels) {
		t.Fatalf("%d", want)
	}
	seen := map[string]bool{}
	for i, l := range want {
		if seen[l.String()] || seen[l.Text()] || l.Text() == "" {
			t.Errorf("level %d: %q, %q", l, l, l.Text())
		}
		seen[l.String()], seen[l.Text()] = true, true
		if l.Encrypted() != (i >= 4) || l.Verified() != (i >= 8) {
			t.Errorf("%s: encrypted %v, verified %v", l, l.Encrypted(), l.Verified())
		}
	}
	for _, l := range []SecurityLevel{-128, LevelAttacked - 1, LevelCompared + 1, 127} {
		if l.String() != LevelNone.String() || l.Encrypted() || l.Verified() {
			t.Errorf("unknown level %d is trusted", int8(l))
		}
	}
	for n := NoticeDisclosure; n <= NoticeSignaling; n++ {
		if n.Text() == "" || seen[n.String()] || n.String() == Notice(200).String() {
			t.Errorf("notice %d: %q, %q", n, n, n.Text())
		}
		seen[n.String()] = true
	}
}

// secured is a call with keys, of which s is told.
func secured(t *testing.T, s zrtp.Secured) *leg {
	t.Helper()
	l := playing(t, Config{})
	if s.Verified {
		verifiedRecord(t, l, "")
	}
	s.PeerZID = wire.ZID{7}
	l.onKeys(zrtp.PeerFound{})
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2), PeerFlags: s.PeerFlags})
	l.onKeys(s)
	return l
}

// latest is the Security that holds.
func latest(t *testing.T, l *leg) (s Security) {
	t.Helper()
	for _, e := range unread(t, l.call) {
		if e, ok := e.(Security); ok {
			s = e
		}
	}
	return s
}

// What the key agreement has found out becomes a level or a notice, and each
// level only with all that it takes.
func TestAdversary_E4_WhatSecuredSays(t *testing.T) {
	for name, c := range map[string]struct {
		secured zrtp.Secured
		level   SecurityLevel
		notices []Notice
	}{
		"first call":     {zrtp.Secured{}, LevelEncrypted, nil},
		"known":          {zrtp.Secured{Continued: true}, LevelContinued, nil},
		"verified":       {zrtp.Secured{Continued: true, Verified: true}, LevelVerified, []Notice{NoticeNameless}},
		"cache mismatch": {zrtp.Secured{CacheMismatch: true}, LevelSuspect, nil},
		"mismatch wins":  {zrtp.Secured{Continued: true, Verified: true, CacheMismatch: true}, LevelSuspect, nil},
		"notices": {
			zrtp.Secured{AuxMismatch: true, PeerFlags: zrtp.Flags{AllowClear: true}}, LevelEncrypted,
			[]Notice{NoticeAuxMismatch, NoticeAllowClear},
		},
	} {
		l := secured(t, c.secured)
		if s := latest(t, l); s.Level != c.level || l.call.Level() != c.level || s.Text != c.level.Text() || !slices.Equal(s.Notices, c.notices) {
			t.Errorf("%s: %+v", name, s)
		}
	}
	l := playing(t, Config{})
	l.onKeys(zrtp.PeerFound{MiTM: true})
	if s := latest(t, l); s.Level != LevelGoingSecure || !slices.Equal(s.Notices, []Notice{NoticePBX}) {
		t.Errorf("a PBX: %+v", s)
	}
}

// verifiedRecord makes the user's record of the peer of secured.
func verifiedRecord(t *testing.T, l *leg, name string) {
	t.Helper()
	if err := l.store.Update(wire.ZID{7}, func(r *zrtp.Record) error {
		r.Name, r.Verified = name, true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

func stored(t *testing.T, l *leg) zrtp.Record {
	t.Helper()
	r, err := l.store.Load(wire.ZID{7})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Verified with an attacker, who now brings somebody else to the phone: the
// name shows it, and "correcting" the name takes the verification away, in this
// call and in the store.
func TestAdversary_E3_NameIsShownAndRenamingUnverifies(t *testing.T) {
	for name, first := range map[string]string{"another name": "Mallory", "the first name": ""} {
		t.Run(name, func(t *testing.T) {
			l := playing(t, Config{})
			verifiedRecord(t, l, first)
			l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
			l.onKeys(zrtp.Secured{PeerZID: wire.ZID{7}, Continued: true, Verified: true})
			want := NoticeNameless
			if first != "" {
				want = NoticeName
			}
			if s := latest(t, l); s.Level != LevelVerified || s.Name != first || !slices.Equal(s.Notices, []Notice{want}) {
				t.Fatalf("%+v", s)
			}
			if err := l.setName(first); err != nil || stored(t, l).Verified != true {
				t.Errorf("the same name: %v", err)
			}
			if err := l.setName(" Bob "); err != nil {
				t.Fatal(err)
			}
			if s := latest(t, l); s.Level != LevelContinued || s.Name != "Bob" || !slices.Equal(s.Notices, []Notice{NoticeName}) {
				t.Errorf("renamed: %+v", s)
			}
			if r := stored(t, l); r.Name != "Bob" || r.Verified {
				t.Errorf("stored: %+v", r)
			}
		})
	}
}

// Whoever has compared may name; a phone under suspicion has nobody's name.
func TestSetName(t *testing.T) {
	l := playing(t, Config{})
	if err := l.setName("Bob"); err == nil {
		t.Error("named before there were keys")
	}
	l = secured(t, zrtp.Secured{})
	verifiedRecord(t, l, "")
	l.trust.compared = true
	if err := l.setName("Bob"); err != nil || latest(t, l).Level != LevelCompared || !stored(t, l).Verified {
		t.Errorf("after the comparison: %v", err)
	}
	for _, bad := range []string{"two\nlines", "\x1b[31m", "\xff", strings.Repeat("x", maxName+1)} {
		if err := l.setName(bad); err == nil || l.trust.name != "Bob" {
			t.Errorf("%q: accepted", bad)
		}
	}
	l.store = fullStore{l.store}
	if err := l.setName("Eve"); err == nil || l.trust.name != "Bob" || stored(t, l).Name != "Bob" {
		t.Errorf("on a full disk: %v, %q", err, l.trust.name)
	}
	l = secured(t, zrtp.Secured{CacheMismatch: true})
	if err := l.setName("Bob"); err == nil || stored(t, l).Name != "" {
		t.Error("an impostor took the name")
	}
}

type unreadable struct{ zrtp.Store }

func (unreadable) Load(wire.ZID) (zrtp.Record, error) {
	return zrtp.Record{}, errors.New("zidcache: damaged")
}

// A name that can't be read is told, not taken for none: without it nobody knows
// with whom the SAS was compared. Nor does a verification last that another call
// has taken back since this one began.
func TestAdversary_E3_VerifiedTakesTheRecord(t *testing.T) {
	for name, broken := range map[string]bool{"unreadable": true, "taken back": false} {
		l := playing(t, Config{})
		if broken {
			l.store = unreadable{l.store}
		}
		l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
		l.onKeys(zrtp.Secured{Continued: true, Verified: true})
		events := unread(t, l.call)
		if w, ok := events[0].(Warning); ok != broken || ok && !strings.Contains(w.Text, "damaged") {
			t.Errorf("%s: %+v", name, events[0])
		}
		for _, e := range events {
			if s, ok := e.(Secured); ok && (s.Verified || s.Level != LevelContinued) {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if l.call.Level() != LevelContinued {
			t.Errorf("%s: %s", name, l.call.Level())
		}
	}
}

// A PBX relays the SAS of whom it has connected: the call is never better than
// relayed, whatever was compared before and will be, and nothing of that is
// stored about our own keys. It waits until the user knows of the call at all.
func TestAdversary_E6_RelayedIsNotVerified(t *testing.T) {
	l := waiting(t, Config{})
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
	l.onKeys(zrtp.Secured{PeerZID: wire.ZID{7}, Continued: true, Verified: true, Enrolled: true})
	l.onKeys(zrtp.SASRelayed{SAS: "far:away", Scheme: wire.A("B256"), Far: true})
	if len(unread(t, l.call)) != 0 {
		t.Error("told before there is audio")
	}
	l.onAudio(opened{audio: internal(audio.Silence{}, audio.Discard{})})
	var names []string
	var last Security
	for _, e := range unread(t, l.call) {
		names = append(names, fmt.Sprintf("%T", e))
		if r, ok := e.(SASRelayed); ok && r != (SASRelayed{"far:away", "B256"}) {
			t.Errorf("%+v", r)
		}
		last, _ = e.(Security)
	}
	if got := strings.Join(names, " "); got != "engine.Secured engine.Security engine.SASRelayed engine.Security" {
		t.Error(got)
	}
	if last.Level != LevelRelayed || !slices.Contains(last.Notices, NoticePBX) {
		t.Errorf("%+v", last)
	}
	if err := l.setName("Bob"); err == nil {
		t.Error("named before the comparison")
	}
	if err := l.setVerified(true); err != nil {
		t.Fatal(err)
	}
	if s := latest(t, l); s.Level != LevelRelayed || !slices.Contains(s.Notices, NoticeRelayCompared) || stored(t, l).Verified {
		t.Errorf("compared: %+v", s)
	}
	l.onKeys(zrtp.SASRelayed{SAS: "some:body", Scheme: wire.A("B256"), Far: true})
	if s := latest(t, l); s.Level != LevelRelayed || slices.Contains(s.Notices, NoticeRelayCompared) {
		t.Errorf("connected to another: %+v", s)
	}
	if err := l.setName("Bob"); err == nil {
		t.Error("another took the name")
	}
	l.onKeys(zrtp.SASRelayed{Flags: zrtp.Flags{Disclosure: true}})
	if l.reason == nil || l.reason.Kind != NotSecure {
		t.Errorf("a far side that discloses: %+v", l.reason)
	}
}

// A secret that is missing stays an alarm behind a PBX, until the SAS with the
// PBX itself has been compared.
func TestAdversary_E1_RelayHidesNoMismatch(t *testing.T) {
	for _, compared := range []bool{false, true} {
		l := secured(t, zrtp.Secured{CacheMismatch: true})
		l.trust.compared = compared
		want := LevelSuspect
		if compared {
			want = LevelRelayed
		}
		l.onKeys(zrtp.SASRelayed{Far: true})
		if s := latest(t, l); s.Level != want {
			t.Errorf("compared %v: %+v", compared, s)
		}
		if err := l.setVerified(true); err != nil || l.call.Level() != want {
			t.Errorf("compared %v: %v, %s", compared, err, l.call.Level())
		}
	}
}

// A name given to the party beyond a PBX is no comparison with the PBX, whose
// record it is: the next call must not be verified under it.
func TestAdversary_E3_NamingBehindRelayUnverifies(t *testing.T) {
	l := playing(t, Config{})
	verifiedRecord(t, l, "Exchange")
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
	l.onKeys(zrtp.Secured{PeerZID: wire.ZID{7}, Continued: true, Verified: true, Enrolled: true})
	l.onKeys(zrtp.SASRelayed{SAS: "far:away", Scheme: wire.A("B256"), Far: true})
	if err := errors.Join(l.setVerified(true), l.setName("Carol")); err != nil {
		t.Fatal(err)
	}
	if r := stored(t, l); r.Name != "Carol" || r.Verified {
		t.Errorf("stored: %+v", r)
	}
}

// The user is asked, and trusts nobody without a comparison.
func TestAdversary_E6_EnrollmentIsAsked(t *testing.T) {
	l := secured(t, zrtp.Secured{})
	l.onKeys(zrtp.EnrollmentRequested{})
	if s := latest(t, l); !slices.Contains(s.Notices, NoticeEnrollment) {
		t.Errorf("%+v", s)
	}
	if err := l.enroll(); err == nil || !strings.Contains(err.Error(), "compare") {
		t.Errorf("not compared: %v", err)
	}
	l.trust.compared = true
	if err := l.enroll(); err == nil || l.trust.forget(NoticeEnrollment) == false {
		t.Errorf("the Session, which was not asked, agrees: %v", err)
	}
}

// A call whose peer wants it clear, and one that is clear, ends in both modes.
func TestAdversary_D5_ClearIsRefused(t *testing.T) {
	for _, cfg := range []Config{{}, {AllowInsecure: true}} {
		for _, e := range []zrtp.Event{zrtp.Failed{Code: wire.ErrorGoClear, Err: errors.New("zrtp: not allowed")}, zrtp.Cleared{Remote: true}} {
			l := playing(t, cfg)
			l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
			l.onKeys(zrtp.Secured{})
			l.onKeys(e)
			if l.reason == nil || l.reason.Kind != NotSecure || !l.voice.silent {
				t.Errorf("%T: %+v", e, l.reason)
			}
			_, failed := e.(zrtp.Failed)
			if s := latest(t, l); slices.Contains(s.Notices, NoticeClearRefused) != failed {
				t.Errorf("%T: %+v", e, s)
			}
		}
	}
}
