//go:build interop

package interop

import (
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sotto/engine"
	"sotto/zrtp"
	"sotto/zrtp/wire"
	"sotto/zrtp/zidcache"
)

// acquaintance is a sotto and a linphonec that call each other again and again,
// in one direction.
type acquaintance struct {
	lab
	t     *testing.T
	cfg   sottoConfig
	phone *linphone
}

// acquaintances runs test in each direction, as subtests that end in name.
func acquaintances(t *testing.T, l lab, name string, test func(*acquaintance)) {
	for _, caller := range []string{"sotto", "linphonec"} {
		t.Run(caller+" calls, "+name, func(t *testing.T) {
			t.Parallel()
			a := &acquaintance{lab: l, t: t, cfg: l.sottoConfig(t)}
			a.cfg.KeyAgreement, a.cfg.SAS, a.cfg.Duration = "X255", "B32", 0
			a.phone = startLinphone(t, l.free, linphoneConfig{
				Name: "linphone", KeyAgreement: "X255", SAS: "B32", Play: l.theirs.Path, Answer: caller == "sotto", Home: t.TempDir()})
			test(a)
			a.phone.quit(t)
		})
	}
}

// call makes a call and fails the test unless our user sees level, with its
// text and no other, and Linphone's knows of a comparison exactly if known.
func (a *acquaintance) call(level engine.SecurityLevel, known bool) (us *sotto, secured sottoEvent) {
	a.t.Helper()
	us = a.lab.dial(a.t, a.cfg, a.phone)
	secured = us.awaitEvent(a.t, "secured", patience)
	security := us.awaitEvent(a.t, "security", patience)
	theirs := a.phone.awaitSecured(a.t)
	same(a.t, "SAS", secured.SAS, theirs.SAS)
	same(a.t, "suite", inLinphonesWords(a.t, secured.Suite), theirs.Suite)
	if secured.Level != security.Level || secured.Verified != level.Verified() || security.Text != level.Text() {
		a.t.Errorf("want level %v; sotto says %s\n%s", level, secured.line, security.line)
	}
	if theirs.Verified != known {
		a.t.Errorf("linphonec knows the SAS as verified: %t", theirs.Verified)
	}
	return us, secured
}

// compare has both users compare the SAS of the call.
func (a *acquaintance) compare(us *sotto) {
	a.t.Helper()
	us.say(a.t, "y")
	if now := us.awaitEvent(a.t, "security", patience); now.Text != engine.LevelCompared.Text() {
		a.t.Errorf("after the comparison: %s", now.line)
	}
	a.phone.setVerified(a.t)
}

// talk lasts until both have heard each other's tone.
func (a *acquaintance) talk() { a.phone.awaitRecorded(a.t, 2500*time.Millisecond) }

// checkTalk is for after a call with talk.
func (a *acquaintance) checkTalk() {
	a.t.Helper()
	there, here := a.phone.heard(a.t).tone(a.ours.Hz), a.cfg.heard(a.t).tone(a.theirs.Hz)
	if there < toneHeard || here < toneHeard {
		a.t.Errorf("share of the other's tone: linphonec heard %.3f, sotto %.3f", there, here)
	}
}

// end has linphonec hang up. Nothing but the level has spoken of the security
// of the call.
func (a *acquaintance) end(us *sotto) {
	a.t.Helper()
	a.phone.hangUp(a.t)
	a.phone.awaitEnded(a.t, patience)
	us.awaitEnded(a.t, patience)
	for _, e := range us.events() {
		if e.Event == "warning" || e.Event == "refused" {
			a.t.Errorf("sotto says %s", e.line)
		}
	}
}

// mismatches is how often linphonec has found that we lack what it remembers.
func (a *acquaintance) mismatches() int {
	return a.phone.count("Zrtp Event dispatched : cache mismatch")
}

// TestWeForget has sotto lose what it remembers of a linphonec that was
// compared. For us the next call is a first meeting, with nothing to be alarmed
// about (RFC 6189 §4.3.2: the side that still has a secret is to warn); a
// comparison by both users makes the call after it a verified one.
func TestWeForget(t *testing.T) {
	lab := newLab(t, 27000)
	again := func(a *acquaintance, mismatches int) {
		a.t.Helper()
		us, _ := a.call(engine.LevelEncrypted, false)
		if got := a.mismatches(); got != mismatches {
			a.t.Errorf("linphonec finds %d cache mismatches, not %d", got, mismatches)
		}
		a.compare(us)
		a.talk()
		a.end(us)
		a.checkTalk()

		us, _ = a.call(engine.LevelVerified, true)
		a.end(us)
		if got := a.mismatches(); got != mismatches {
			a.t.Errorf("and then %d", got)
		}
	}
	// With the ZID gone too, linphonec takes us for somebody new.
	acquaintances(t, lab, "we lose all", func(a *acquaintance) {
		a.meet()
		var before, after wire.ZID
		a.remember(func(c *zidcache.Cache) { before = c.ZID() })
		if err := os.RemoveAll(a.cfg.State); err != nil {
			a.t.Fatal(err)
		}
		again(a, 0)
		if a.remember(func(c *zidcache.Cache) { after = c.ZID() }); before == after {
			a.t.Error("the ZID outlasts the state directory")
		}
	})
	// With the ZID kept, linphonec logs the mismatch. It shows its user no more
	// than a SAS that nobody has compared.
	acquaintances(t, lab, "we lose the secrets", func(a *acquaintance) {
		zid := a.meet()
		a.remember(func(c *zidcache.Cache) {
			err := c.Store("sip:sotto@127.0.0.1", "sip:linphone@127.0.0.1").Update(zid, func(r *zrtp.Record) error {
				if r.RS1 == nil || !r.Verified {
					return errors.New("no verified secret to forget")
				}
				*r = zrtp.Record{}
				return nil
			})
			if err != nil {
				a.t.Fatal(err)
			}
		})
		again(a, 1)
	})
}

// TestLinphoneForgets has linphonec lose what it remembers of us.
func TestLinphoneForgets(t *testing.T) {
	lab := newLab(t, 28000)
	// It makes itself a new ZID, and we know nobody of that ZID: a first
	// meeting for both.
	acquaintances(t, lab, "Linphone loses all", func(a *acquaintance) {
		before := a.meet()
		a.phone.quit(a.t)
		if err := os.Remove(a.phone.zrtpCache()); err != nil {
			a.t.Fatal(err)
		}
		a.phone = startLinphone(a.t, a.free, a.phone.cfg)
		us, secured := a.call(engine.LevelEncrypted, false)
		if secured.PeerZID == before.String() {
			a.t.Error("linphonec's ZID outlasts its cache")
		}
		a.compare(us)
		a.talk()
		a.end(us)
		a.checkTalk()
		us, _ = a.call(engine.LevelVerified, true)
		a.end(us)
	})
	// We expect a secret, and there is none: an attack, for all we know. Voice
	// flows, as RFC 6189 §4.3.2 has it, under a warning that stays until the
	// users have compared. Until then nothing is stored on our side: the call
	// after one without a comparison is as suspect. That time linphonec finds a
	// mismatch too, because it has taken the secret of the uncompared call.
	acquaintances(t, lab, "Linphone loses the secrets", func(a *acquaintance) {
		a.meet()
		out, err := exec.Command(buildC(a.t, "forget.c", "-lsqlite3"), a.phone.zrtpCache()).CombinedOutput()
		if err != nil {
			a.t.Fatalf("%v: %s", err, out)
		}
		us, _ := a.call(engine.LevelSuspect, false)
		a.talk()
		a.end(us)
		a.checkTalk()
		if got := a.mismatches(); got != 0 {
			a.t.Errorf("linphonec, which remembers nothing, finds %d mismatches", got)
		}
		us, _ = a.call(engine.LevelSuspect, false)
		if got := a.mismatches(); got != 1 {
			a.t.Errorf("linphonec finds %d mismatches in the second call", got)
		}
		a.compare(us)
		a.end(us)
		us, _ = a.call(engine.LevelVerified, true)
		a.end(us)
	})
}

// meet is a first call in which both users compare the SAS. It returns
// linphonec's ZID.
func (a *acquaintance) meet() wire.ZID {
	a.t.Helper()
	us, secured := a.call(engine.LevelEncrypted, false)
	a.compare(us)
	a.end(us)
	zid, err := hex.DecodeString(secured.PeerZID)
	if err != nil || len(zid) != len(wire.ZID{}) {
		a.t.Fatalf("ZID %q: %v", secured.PeerZID, err)
	}
	return wire.ZID(zid)
}

// remember opens what sotto remembers, between calls.
func (a *acquaintance) remember(see func(*zidcache.Cache)) {
	a.t.Helper()
	cache, err := zidcache.Open(filepath.Join(a.cfg.State, "peers.db"))
	if err != nil {
		a.t.Fatal(err)
	}
	defer cache.Close()
	see(cache)
}
