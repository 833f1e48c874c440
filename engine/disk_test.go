package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sotto/engine/audit"
	"sotto/internal/secret"
	"sotto/zrtp"
	"sotto/zrtp/wire"
)

// hungDisk is a memory of one peer whose disk answers nothing until it is freed.
type hungDisk struct {
	memory
	freed  chan struct{}
	mu     sync.Mutex // guards record
	record zrtp.Record
	late   chan error // what came of a change after that
}

func newHungDisk(under memory) *hungDisk {
	return &hungDisk{memory: under, freed: make(chan struct{}), late: make(chan error, 8)}
}

func (d *hungDisk) Close() error {
	<-d.freed
	return d.memory.Close()
}

func (d *hungDisk) Store(string, string) zrtp.Store { return d }

func (d *hungDisk) Load(wire.ZID) (zrtp.Record, error) {
	<-d.freed
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.record, nil
}

func (d *hungDisk) Update(_ wire.ZID, change func(*zrtp.Record) error) error {
	<-d.freed
	d.mu.Lock()
	defer d.mu.Unlock()
	err := change(&d.record)
	d.late <- err
	return err
}

// Neither the file of peers nor the audit trail keeps a program from ending when the
// disk hangs, and who closes hears what may be missing.
func TestCloseThoughTheDiskHangs(t *testing.T) {
	t.Parallel()
	peers := func(e *Engine) func() {
		d := newHungDisk(e.memory)
		e.memory, e.cfg.StateDir = d, "here"
		return func() { close(d.freed) }
	}
	trail := func(e *Engine) func() {
		e.trail, e.cfg.AuditFile = new(audit.Log), "there" // no goroutine writes it
		return func() {}
	}
	for name, c := range map[string]struct {
		hang []func(*Engine) func()
		want []string
	}{
		"peers": {[]func(*Engine) func(){peers}, []string{"other phones", "here"}},
		"trail": {[]func(*Engine) func(){trail}, []string{"last records", "there"}},
		"both":  {[]func(*Engine) func(){peers, trail}, []string{"here", "there"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := New(Config{})
			if err != nil {
				t.Fatal(err)
			}
			for _, hang := range c.hang {
				defer hang(e)()
			}
			closed := make(chan error, 1)
			go func() { closed <- e.Close() }()
			select {
			case err := <-closed:
				if !errors.Is(err, errHung) {
					t.Fatal(err)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("no %q in %v", want, err)
					}
				}
			case <-time.After(limit):
				t.Fatal("Close does not return")
			}
		})
	}
}

// A leg does not wait for ever either, so that its user can still hang up: a call is
// not made without the secrets of earlier ones.
func TestHangUpThoughTheDiskHangs(t *testing.T) {
	t.Parallel()
	near, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	far, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	defer near.Close()
	d := newHungDisk(near.memory)
	defer close(d.freed)
	near.memory = d
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	call, err := near.Dial(ctx, "sip:bob@"+far.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	answering, err := far.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := answering.Answer(); err != nil {
		t.Fatal(err)
	}
	for {
		e, err := call.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if ended, is := e.(Ended); is {
			if ended.Reason.Kind != NotSecure || !strings.Contains(ended.Reason.Text, "disk") {
				t.Errorf("%+v", ended.Reason)
			}
			return
		}
	}
}

// Whoever has given up a change has its secrets for itself: it is not made when the disk
// answers later. What has been changed in time does not depend on them either.
func TestLateChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newHungDisk(nil)
		s := promptStore{d}
		mine := secret.Copy([]byte("mine"))
		change := func(r *zrtp.Record) error {
			r.RS1 = mine
			return nil
		}
		begun := time.Now()
		if err := s.Update(wire.ZID{}, change); !errors.Is(err, errHung) || time.Since(begun) != diskTimeout {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		if r, err := s.Load(wire.ZID{}); !errors.Is(err, errHung) || r.RS1 != nil {
			t.Error(r, err)
		}
		close(d.freed)
		synctest.Wait() // what came too late is over, and shares no secret with what follows
		if err := <-d.late; !errors.Is(err, errHung) || d.record.RS1 != nil {
			t.Errorf("made late: %v", err)
		}
		if err := s.Update(wire.ZID{}, change); err != nil {
			t.Fatal(err)
		}
		if <-d.late; d.record.RS1 == mine {
			t.Error("the store has the caller's secret itself")
		}
	})
}
