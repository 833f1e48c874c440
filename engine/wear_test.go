package engine

import (
	"errors"
	"testing"
	"time"

	"sotto/media/protect"
	"sotto/zrtp"
)

// talks is a call in which voice flows both ways, and keys to make others of.
func talks(t *testing.T) (*leg, srtpKeys) {
	t.Helper()
	l := playing(t, Config{})
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
	l.onKeys(zrtp.Secured{})
	if l.state != talking {
		t.Fatalf("the call is %s", l.state)
	}
	unread(t, l.call)
	return l, srtpKeysOf(newKeys(3))
}

// used is a sealer whose key has protected packets up to these.
func used(t *testing.T, l *leg, k srtpKeys, packet uint64, report uint32) *protect.Sealer {
	t.Helper()
	s, err := protect.NewSealer(k.profile, k.key, k.salt)
	if err == nil {
		err = s.Resume(packet, report)
	}
	if err != nil {
		t.Fatal(err)
	}
	l.voice.protectors = append(l.voice.protectors, s)
	return s
}

// wantSpent demands that a call ended in silence because its keys are used up.
func wantSpent(t *testing.T, l *leg) {
	t.Helper()
	if l.reason == nil || l.reason.Kind != NotSecure || l.reason.Text != textKeysSpent || !l.voice.silent {
		t.Errorf("ended with %+v, silent: %t", l.reason, l.voice.silent)
	}
	events := unread(t, l.call)
	if len(events) == 0 || events[len(events)-1] != (Refused{Text: textKeysSpent}) {
		t.Errorf("told of %v", events)
	}
}

// Keys that wear thin are told of once, long before they end; then the call ends in
// silence, and says why.
func TestReportsUseTheKeysUp(t *testing.T) {
	l, k := talks(t)
	opener, err := protect.NewOpener(k.profile, k.key, k.salt)
	if err != nil {
		t.Fatal(err)
	}
	l.voice.protectors = append(l.voice.protectors, opener)
	if err := l.voice.flow.Load().reports.Release(l.path.verified, used(t, l, k, 0, 1<<31-4), opener); err != nil {
		t.Fatal(err)
	}
	report := func() { l.reportAt = time.Now(); l.onTime(l.reportAt) }
	for i := range 3 {
		report()
		warnings := 0
		for _, e := range unread(t, l.call) {
			if e == (Warning{textKeysThin}) {
				warnings++
			}
		}
		if first := i == 0; l.reason != nil || (warnings == 1) != first || warnings > 1 {
			t.Errorf("after %d reports: %d warnings, ended with %+v", i+1, warnings, l.reason)
		}
	}
	report()
	wantSpent(t, l)
}

func TestVoiceUsesTheKeysUp(t *testing.T) {
	l, k := talks(t)
	if err := l.voice.flow.Load().sender.Release(l.path.verified, used(t, l, k, 1<<48-1, 0)); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-l.voice.over:
		if !errors.Is(err, protect.ErrKeyLimit) {
			t.Errorf("the voice ended with %v", err)
		}
		l.onAudioOver(err)
	case <-time.After(limit):
		t.Fatal("the voice goes on")
	}
	wantSpent(t, l)
}
