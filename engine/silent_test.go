package engine

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"sotto/engine/audit"
	"sotto/zrtp"
)

// onHungDisk is a leg with keys whose audit trail is never written.
func onHungDisk(t *testing.T) *leg {
	t.Helper()
	l := playing(t, Config{})
	l.trail = new(audit.Log).Recorder("call") // no goroutine writes it
	l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
	l.onKeys(zrtp.Secured{SAS: "sas"})
	return l
}

// What ends a call silences it, whatever the disk does that has its audit trail.
func TestSilentThoughTheDiskHangs(t *testing.T) {
	for name, end := range map[string]func(*leg){
		"keys":    func(l *leg) { l.withoutKeys(cleared, textCleared) },
		"SAS":     func(l *leg) { _ = l.setVerified(false) },
		"hang up": func(l *leg) { l.end(Reason{Kind: HungUp}) },
	} {
		t.Run(name, func(t *testing.T) {
			l := onHungDisk(t)
			if l.voice.silent {
				t.Error("silent before")
			}
			end(l)
			if !l.voice.silent {
				t.Error("not silent")
			}
		})
	}
}

// Who hangs up, or closes the Engine, is heard no more while the leg still waits for
// something, be it that the voice is let through just then.
func TestMuteBeforeTheLeg(t *testing.T) {
	ends := map[string]func(*leg){
		"hang up":           func(l *leg) { go l.call.Close() },
		"the engine closes": func(l *leg) { l.engine.cancel() },
	}
	for name, c := range map[string]struct {
		insecure bool
		release  func(*leg)
	}{
		"keys": {false, func(l *leg) {
			l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
			l.onKeys(zrtp.Secured{SAS: "sas"})
		}},
		"in the clear": {true, func(l *leg) { l.withoutKeys(noZRTP, textNoZRTP) }},
	} {
		for how, end := range ends {
			for when, early := range map[string]bool{"before": true, "after": false} {
				t.Run(how+" "+when+" "+name, func(t *testing.T) {
					l := waiting(t, Config{AllowInsecure: c.insecure})
					plays, reads := make(beat), make(heardBy, 1000)
					talk := func() {
						l.onAudio(opened{audio: internal(reads, plays)})
						c.release(l)
					}
					if !early {
						talk()
						<-reads
					}
					end(l)
					for begun := time.Now(); !l.voice.fallen.Load(); runtime.Gosched() {
						if time.Since(begun) > limit {
							t.Fatal("not mute")
						}
					}
					if early {
						talk()
					}
					plays.frames(t, 3) // what has begun is not called back
					for len(reads) > 0 {
						<-reads
					}
					if plays.frames(t, 5); len(reads) != 0 {
						t.Errorf("%d frames of the microphone are read", len(reads))
					}
				})
			}
		}
	}
}

// heardBy is a microphone that says when it is read.
type heardBy chan struct{}

func (h heardBy) ReadFrame(pcm []int16) error {
	clear(pcm)
	h <- struct{}{}
	return nil
}

// A call ends though the disk hangs, and its user hears that the trail is not on
// it.
func TestEndsThoughTheDiskHangs(t *testing.T) {
	l := onHungDisk(t)
	l.gone = true // nobody is there to say BYE to
	l.end(Reason{Kind: HungUp})
	begin := time.Now()
	l.finish()
	if took := time.Since(begin); took < diskTimeout || took > 5*diskTimeout {
		t.Errorf("ended after %v, want %v", took, diskTimeout)
	}
	events := l.call.events.events
	last := events[len(events)-1]
	if _, ended := last.(Ended); !ended || !warns(events[len(events)-2]) {
		t.Errorf("the last events: %+v", events[len(events)-2:])
	}
}

// That the trail lacks something is told once.
func TestUntrailedIsToldOnce(t *testing.T) {
	l := onHungDisk(t)
	for range 3000 {
		l.record("event")
	}
	err := <-l.trail.Missed()
	if !errors.Is(err, audit.ErrFull) {
		t.Error(err)
	}
	warnings := 0
	for range 2 {
		l.onUntrailed(err)
	}
	for _, e := range l.call.events.events {
		if warns(e) {
			warnings++
		}
	}
	if warnings != 1 {
		t.Errorf("told %d times", warnings)
	}
}

// In the midst of a call its trail can't be written any more: the user hears of it,
// and the call goes on.
func TestTrailFails(t *testing.T) {
	open := func(cfg Config) *Engine {
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(); err != nil {
				t.Error(err)
			}
		})
		return e
	}
	a, b := open(Config{AuditFile: filepath.Join(t.TempDir(), "trail")}), open(Config{})
	near, err := a.Dial(t.Context(), "sip:bob@"+b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err := b.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := a.trail.Close(); err != nil {
		t.Fatal(err)
	}
	a.trail = nil // it is closed once
	if err := far.Answer(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for warned, secured := false, false; !warned || !secured; {
		e, err := near.Next(ctx)
		if err != nil {
			t.Fatalf("warned %v, secured %v: %v", warned, secured, err)
		}
		warned = warned || warns(e)
		if _, is := e.(Secured); is {
			secured = true
		}
	}
}
