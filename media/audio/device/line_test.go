package device

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media/audio"
)

// world is a sound system with one device, in virtual time.
type world struct {
	present atomic.Bool                   // the device is there, and works
	hangs   atomic.Pointer[chan struct{}] // if not nil, the system answers when it is closed
	running atomic.Pointer[working]
	opened  atomic.Int32
}

// newWorld is one that has the device.
func newWorld() *world {
	w := &world{}
	w.present.Store(true)
	return w
}

// working is the stream of a world.
type working struct {
	card         card
	world        *world
	killed       atomic.Bool // it does nothing any more
	closed, done chan struct{}
}

// hang keeps whoever asks waiting, until what is returned is called.
func (w *world) hang() (goOn func()) {
	c := make(chan struct{})
	w.hangs.Store(&c)
	return func() { w.hangs.Store(nil); close(c) }
}

func (w *world) answer() {
	if c := w.hangs.Load(); c != nil {
		<-*c
	}
}

func (w *world) open(_ string, d Direction, c card) (io.Closer, error) {
	w.answer()
	if !w.present.Load() {
		return nil, ErrNotFound
	}
	w.opened.Add(1)
	s := &working{card: c, world: w, closed: make(chan struct{}), done: make(chan struct{})}
	w.running.Store(s)
	go s.work()
	return s, nil
}

// work is the card's thread: a block each 10 ms.
func (s *working) work() {
	defer close(s.done)
	block := make([]int16, 480)
	for {
		select {
		case <-s.closed:
			return
		case <-time.After(10 * time.Millisecond):
		}
		if s.world.present.Load() && !s.killed.Load() {
			for i := range block {
				block[i] = 1000
			}
			s.card.exchange(block)
		}
	}
}

func (s *working) Close() error {
	s.world.answer()
	close(s.closed)
	<-s.done
	return nil
}

// expect waits for the next event.
func expect(t *testing.T, events <-chan Event, kind EventKind, limit time.Duration) {
	t.Helper()
	select {
	case e := <-events:
		if e.Kind != kind || e.Device != "mic" || e.Direction != Capture || time.Since(e.At) != 0 {
			t.Fatalf("%v after %v: %+v", kind, limit, e)
		}
	case <-time.After(limit):
		t.Fatalf("not %v within %v", kind, limit)
	}
}

func read(t *testing.T, s *Source) (level float64) {
	t.Helper()
	var pcm [audio.FrameSamples]int16
	if err := s.ReadFrame(pcm[:]); err != nil {
		t.Fatal(err)
	}
	return audio.LevelOf(pcm[:]).Peak
}

// A device that goes is reported within 100 ms, however it goes, and the same
// one is opened again when it is back.
func TestLossAndReturn(t *testing.T) {
	for name, lose := range map[string]func(*world){
		"unplugged": func(w *world) { w.present.Store(false) },
		"suspended": func(w *world) { w.present.Store(false); w.running.Load().card.stopped() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				s, err := openSource(t.Context(), "mic", w.open)
				if err != nil {
					t.Fatal(err)
				}
				for range 100 {
					time.Sleep(20 * time.Millisecond)
					read(t, s)
				}
				if level := read(t, s); level < -31 {
					t.Errorf("%.1f dBFS are heard", level)
				}
				time.Sleep(5 * time.Millisecond) // between two blocks
				lose(w)
				expect(t, s.Events(), Lost, 100*time.Millisecond)
				expect(t, s.Events(), Gone, patience+100*time.Millisecond)
				time.Sleep(10 * time.Minute)
				for range 5 { // what had come before
					read(t, s)
				}
				if level := read(t, s); level > audio.SilenceLevel {
					t.Errorf("lost, and %.1f dBFS are heard", level)
				}
				w.present.Store(true)
				expect(t, s.Events(), Returned, time.Second)
				time.Sleep(time.Second)
				read(t, s)
				if level := read(t, s); level < -31 {
					t.Errorf("returned, and %.1f dBFS are heard", level)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				if _, open := <-s.Events(); open {
					t.Error("an event after Close")
				}
				var pcm [audio.FrameSamples]int16
				if err := s.ReadFrame(pcm[:]); !errors.Is(err, os.ErrClosed) {
					t.Errorf("ReadFrame after Close: %v", err)
				}
			})
		})
	}
}

// That a device has been gone is known, whatever has happened since and nobody has
// listened to; one that was lost for a moment has not been.
func TestGoneIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s, err := openSource(t.Context(), "mic", w.open)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		halt := func(d time.Duration) {
			w.present.Store(false)
			time.Sleep(d)
			w.present.Store(true)
			time.Sleep(2 * time.Second)
		}
		time.Sleep(time.Second)
		if halt(patience / 2); s.Gone() || len(s.Events()) != 2 {
			t.Fatalf("after a moment: gone %v, %d events", s.Gone(), len(s.Events()))
		}
		halt(10 * patience)
		for range 2 * cap(s.line.events) {
			halt(patience / 2)
		}
		for len(s.Events()) > 0 {
			if e := <-s.Events(); e.Kind == Gone {
				t.Fatal("the event is still there: this shows nothing")
			}
		}
		if !s.Gone() {
			t.Error("nobody can know that it was gone")
		}
	})
}

// A device that does nothing is lost after 70 ms, but not because this process stood
// still for as long: what it could not see, it does not count.
func TestStandingStill(t *testing.T) {
	var now time.Time
	s := stillness{beats: 1, at: now}
	after := func(d time.Duration, beats uint64) time.Duration {
		now = now.Add(d)
		want := s.beats != beats
		if moved := s.look(now, beats); moved != want {
			t.Fatalf("at %v: moved %v, want %v", now, moved, want)
		}
		return s.lasted
	}
	for n := range 8 {
		if got, want := after(look, 1), time.Duration(n+1)*look; got != want {
			t.Errorf("look %d: still for %v, want %v", n, got, want)
		}
	}
	if got := after(look, 2); got != 0 {
		t.Errorf("still for %v after it moved", got)
	}
	if got := after(time.Hour, 2); got >= silent || got < look {
		t.Errorf("still for %v after a pause of this process", got)
	}
}

// A short halt is reported, and the stream goes on without being opened again.
func TestShortHalt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s, err := openSource(t.Context(), "mic", w.open)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(time.Second)
		w.present.Store(false)
		time.Sleep(40 * time.Millisecond)
		w.present.Store(true)
		time.Sleep(time.Second)
		w.present.Store(false)
		expect(t, s.Events(), Lost, 100*time.Millisecond)
		time.Sleep(patience - 100*time.Millisecond)
		w.present.Store(true)
		expect(t, s.Events(), Returned, 100*time.Millisecond)
		time.Sleep(time.Minute)
		if w.opened.Load() != 1 || len(s.Events()) != 0 {
			t.Errorf("opened %d times, %d more events", w.opened.Load(), len(s.Events()))
		}
	})
}

// A stream that the server has killed is opened again soon: its device is there.
func TestKilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s, err := openSource(t.Context(), "mic", w.open)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(time.Second)
		w.running.Load().killed.Store(true)
		expect(t, s.Events(), Lost, 100*time.Millisecond)
		expect(t, s.Events(), Gone, patience+100*time.Millisecond)
		expect(t, s.Events(), Returned, retry+100*time.Millisecond)
		if w.opened.Load() != 2 {
			t.Errorf("opened %d times", w.opened.Load())
		}
	})
}

// A system that hangs keeps nobody waiting, and what it opens too late is
// closed.
func TestSystemHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		goOn := w.hang()
		begin := time.Now()
		if _, err := openSource(t.Context(), "mic", w.open); !errors.Is(err, ErrNoAnswer) || time.Since(begin) != answers {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		begin = time.Now()
		if _, err := openSource(ctx, "mic", w.open); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 50*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(begin))
		}
		goOn()
		synctest.Wait()
		if w.opened.Load() != 2 {
			t.Errorf("opened %d times", w.opened.Load())
		}
		time.Sleep(time.Second) // synctest fails if a stream is left open

		s, err := openSource(t.Context(), "mic", w.open)
		if err != nil {
			t.Fatal(err)
		}
		goOn = w.hang()
		begin = time.Now()
		if err := s.Close(); !errors.Is(err, ErrNoAnswer) || time.Since(begin) != closes {
			t.Errorf("Close: %v after %v", err, time.Since(begin))
		}
		goOn()
	})
}

func TestOpenFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := openSink(t.Context(), "mic", (&world{}).open); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v", err)
		}
	})
	for _, id := range []string{"", "a\x00b", string(make([]byte, 256))} {
		if _, err := OpenSource(t.Context(), id, "call"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// Nobody has to listen, and who listens late hears the latest.
func TestEventsAreDropped(t *testing.T) {
	l := &line{id: "mic", events: make(chan Event, 2)}
	for _, kind := range []EventKind{Lost, Returned, Lost, Returned, Lost} {
		l.tell(Event{Kind: kind})
	}
	if a, b := <-l.events, <-l.events; a.Kind != Returned || b.Kind != Lost || len(l.events) != 0 {
		t.Errorf("%v, %v", a, b)
	}
}

// A microphone that is flushed says nothing of what it has heard while nobody
// read it.
func TestSourceFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		s, err := openSource(t.Context(), "mic", w.open)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(time.Second) // the ring is full
		w.present.Store(false)  // and nothing more comes
		s.Flush()
		for range 30 {
			if level := read(t, s); level > audio.SilenceLevel {
				t.Fatalf("%.1f dBFS of the past are heard", level)
			}
		}
		w.present.Store(true)
		for range 150 {
			time.Sleep(20 * time.Millisecond)
			read(t, s)
		}
		if level := read(t, s); level < -31 {
			t.Errorf("then %.1f dBFS are heard", level)
		}
	})
}

// A microphone that is flushed says nothing either of what it has heard by then
// and the server still holds, whether that comes at its pace or all at once.
func TestSourceFlushUnderway(t *testing.T) {
	for name, block := range map[string]int{"at its pace": 480, "at once": underway} {
		t.Run(name, func(t *testing.T) {
			var pcm [audio.FrameSamples]int16
			s := &Source{trim: audio.NewTrimmer()}
			s.clock = newClock(&s.outlet)
			past, present := make([]int16, block), make([]int16, audio.FrameSamples)
			for i := range past {
				past[i] = 20000
			}
			for i := range present {
				present[i] = 100
			}
			next := func(heard []int16) {
				t.Helper()
				for n := 0; n < audio.FrameSamples; n += len(heard) {
					s.outlet.ring.write(heard)
				}
				if err := s.ReadFrame(pcm[:]); err != nil {
					t.Fatal(err)
				}
			}
			for range 10 {
				next(past)
			}
			if audio.LevelOf(pcm[:]).Peak < -10 {
				t.Fatal("nothing is heard")
			}
			s.Flush()
			for n := 0; n < underway; n += max(block, audio.FrameSamples) {
				if next(past); audio.LevelOf(pcm[:]).Peak > audio.SilenceLevel {
					t.Fatalf("%v of the past after %d samples", audio.LevelOf(pcm[:]), n)
				}
			}
			for range 20 {
				if next(present); slices.Max(pcm[:]) > 200 {
					t.Fatalf("%v of the past", audio.LevelOf(pcm[:]))
				}
			}
			if slices.Max(pcm[:]) < 50 {
				t.Error("nothing more is heard")
			}
		})
	}
}
