package attend_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// Pauses grow until a connection was good, and each end is told.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := make(chan route.Event)
		begun, n := time.Now(), 0
		go attend.Run(ctx, route.BlueZ, events, func(_ context.Context, tell attend.Tell) error {
			if n++; n == 9 {
				if err := tell(time.Now(), route.Ready{}); err != nil {
					t.Error(err)
				}
			}
			return errors.New("it is a test")
		})
		var lost []time.Duration
		for len(lost) < 11 {
			switch e := <-events; f := e.Fact.(type) {
			case route.Lost:
				if f.Reason != "it is a test" || e.From != route.BlueZ || !e.At.Equal(time.Now()) {
					t.Errorf("%+v", e)
				}
				lost = append(lost, time.Since(begun))
			case route.Ready:
				if len(lost) != 8 {
					t.Errorf("ready after %d", len(lost))
				}
			}
		}
		const ms = time.Millisecond
		for i, want := range []time.Duration{0, 20 * ms, 60 * ms, 140 * ms, 300 * ms, 620 * ms, 1120 * ms, 1620 * ms, 2120 * ms, 2140 * ms, 2180 * ms} {
			if lost[i] != want {
				t.Errorf("lost %d at %v, want %v", i, lost[i], want)
			}
		}
		cancel()
		synctest.Wait()
	})
}

// Nobody who takes facts: Run ends all the same.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan error, 1)
		ended := false
		go func() {
			attend.Run(ctx, route.ALSA, nil, func(_ context.Context, tell attend.Tell) error {
				err := tell(time.Now(), route.Ready{})
				told <- err
				return err
			})
			ended = true
		}()
		synctest.Wait()
		cancel()
		synctest.Wait()
		if err := <-told; !errors.Is(err, context.Canceled) || !ended {
			t.Errorf("told %v, ended %v", err, ended)
		}
	})
}

func TestHeart(t *testing.T) {
	var h attend.Heart
	beat := func(wantAsk bool, wantErr error) {
		t.Helper()
		if ask, err := h.Beat(); ask != wantAsk || !errors.Is(err, wantErr) {
			t.Fatalf("ask %v, error %v", ask, err)
		}
	}
	for range 100 { // it may take a while to tell all there is
		beat(false, nil)
		h.Answered() // which part of it does not prolong
	}
	beat(false, attend.ErrSlow)
	h.Ready()
	for range 10 {
		beat(true, nil)
		beat(false, nil)
		h.Answered()
	}
	beat(true, nil)
	beat(false, nil)
	beat(false, nil)
	beat(false, attend.ErrSlow)
}
