package engine

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// diskTimeout bounds how long anything waits for the disk: a call for what is kept of
// its peer, its end and whoever has compared the SAS for the audit trail, and
// Engine.Close for both files.
const diskTimeout = 2 * time.Second

// errHung is that nobody can wait any longer for the disk.
var errHung = errors.New("engine: the disk does not answer")

// onTime is what do returns, or [errHung] if that takes too long: then do goes on in
// its goroutine, as long as the disk takes.
func onTime(do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	late := time.NewTimer(diskTimeout)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return errHung
	}
}

// closeFile closes a file of the Engine's. The error says what may be missing in it.
func closeFile(path, missing string, closeIt func() error) error {
	err := onTime(closeIt)
	if errors.Is(err, errHung) {
		return fmt.Errorf("%w: %s may not be in %s", errHung, missing, path)
	}
	return err
}

// promptStore is a Store on a disk for a leg, which must hear its user, and of its
// audio route, though the disk hangs. What is late may be stored nevertheless: what
// has happened by then is as after a crash.
type promptStore struct{ zrtp.Store }

// Load implements [zrtp.Store].
func (s promptStore) Load(peer wire.ZID) (zrtp.Record, error) {
	var mu sync.Mutex // guards what follows
	var record zrtp.Record
	late := false
	err := onTime(func() error {
		r, err := s.Store.Load(peer)
		mu.Lock()
		defer mu.Unlock()
		if late { // nobody wants it any more
			r.Wipe()
		}
		record = r
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	late = true
	if err != nil {
		record.Wipe()
	}
	return record, err
}

// Update implements [zrtp.Store]. A change that is late is not made: it belongs to
// who has given up by then. What it has brought in time is copied for the same
// reason.
func (s promptStore) Update(peer wire.ZID, change func(*zrtp.Record) error) error {
	var mu sync.Mutex // guards late, and is held while change runs
	late := false
	err := onTime(func() error {
		var brought zrtp.Record
		defer brought.Wipe()
		return s.Store.Update(peer, func(r *zrtp.Record) error {
			mu.Lock()
			defer mu.Unlock()
			if late {
				return errHung
			}
			if err := change(r); err != nil {
				return err
			}
			r.RS1, r.RS2, r.PBXSecret = copied(r.RS1), copied(r.RS2), copied(r.PBXSecret)
			brought = *r
			return nil
		})
	})
	mu.Lock()
	defer mu.Unlock()
	late = true
	return err
}

func copied(s *secret.Bytes) *secret.Bytes {
	if s == nil {
		return nil
	}
	return secret.Copy(s.Reveal())
}
