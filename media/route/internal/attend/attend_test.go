package attend_test

import (
	"context"
	"errors"
	"io"
	"net"
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

// paused is a connection whose owner cannot run after each of its first deadlines
// until that is over.
type paused struct {
	net.Conn
	pauses int
}

func (p *paused) SetWriteDeadline(until time.Time) error {
	err := p.Conn.SetWriteDeadline(until)
	if p.pauses > 0 {
		p.pauses--
		time.Sleep(time.Until(until) + time.Millisecond)
	}
	return err
}

// What a system reads is written, whatever our own process does meanwhile. What
// it does not read is waited for as long as for an answer.
func TestWrite(t *testing.T) {
	const text = "what is sent"
	for _, c := range []struct {
		name   string
		pauses int
		rest   time.Duration // when the system reads more than 5 bytes; 0: never
		want   error
	}{
		{"at once", 0, 1, nil},
		{"we paused", 2, 1, nil},
		{"in two tries", 0, attend.Beat * 3 / 2, nil},
		{"not whole", 0, 0, attend.ErrSlow},
	} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			got := make(chan string, 1)
			go func() {
				b := make([]byte, len(text))
				n, _ := io.ReadFull(theirs, b[:5])
				if c.rest > 0 {
					time.Sleep(c.rest)
					more, _ := io.ReadFull(theirs, b[n:])
					n += more
				}
				got <- string(b[:n])
			}()
			begun := time.Now()
			if err := attend.Write(&paused{ours, c.pauses}, []byte(text)); err != c.want {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if took := time.Since(begun); took > 3*attend.Beat {
				t.Errorf("%s: after %v", c.name, took)
			}
			if read := <-got; c.want == nil && read != text {
				t.Errorf("%s: %q was read", c.name, read)
			}
		})
	}
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
