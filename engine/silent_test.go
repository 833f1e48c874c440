package engine

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"sotto/zrtp"
)

// witness is a log that notes whether the call is silent whenever it is written.
type witness struct {
	slog.Handler
	leg *leg
	n   int
	ok  bool
}

func (w *witness) Handle(context.Context, slog.Record) error {
	if w.leg != nil {
		w.n++
		w.ok = w.ok && w.leg.voice.silent
	}
	return nil
}

func (w *witness) Enabled(context.Context, slog.Level) bool { return true }

// What ends a call silences it before the audit trail is written, which may take
// the disk its time.
func TestSilentBeforeTheTrail(t *testing.T) {
	for name, end := range map[string]func(*leg){
		"keys":    func(l *leg) { l.withoutKeys(cleared, textCleared) },
		"SAS":     func(l *leg) { _ = l.setVerified(false) },
		"hang up": func(l *leg) { l.end(Reason{Kind: HungUp}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := &witness{Handler: slog.DiscardHandler, ok: true}
			l := playing(t, Config{AuditFile: filepath.Join(t.TempDir(), "trail"), Logger: slog.New(w)})
			l.onKeys(zrtp.KeysReady{Send: newKeys(1), Receive: newKeys(2)})
			l.onKeys(zrtp.Secured{SAS: "sas"})
			trail := l.engine.trail
			if err := trail.Close(); err != nil { // so each record is an error, which is logged
				t.Fatal(err)
			}
			w.leg = l
			end(l)
			w.leg, l.engine.trail = nil, nil
			if w.n == 0 || !w.ok {
				t.Errorf("%d records, all in silence: %v", w.n, w.ok)
			}
		})
	}
}
