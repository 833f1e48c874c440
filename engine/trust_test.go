package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// The levels are told apart by name and text, and ordered: what is encrypted
// lies above what is not, what is verified above what is not.
func TestLevelsAreOrdered(t *testing.T) {
	want := []SecurityLevel{
		LevelAttacked, LevelClear, LevelNone, LevelGoingSecure,
		LevelSuspect, LevelEncrypted, LevelContinued,
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
		if l.Encrypted() != (i >= 4) || l.Verified() != (i >= 7) {
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

// A name that can't be read is told, not taken for none.
func TestNameUnreadable(t *testing.T) {
	l := playing(t, Config{})
	l.store = unreadable{l.store}
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
	l.onKeys(zrtp.Secured{})
	if w, ok := unread(t, l.call)[0].(Warning); !ok || !strings.Contains(w.Text, "damaged") {
		t.Errorf("%+v", w)
	}
}
