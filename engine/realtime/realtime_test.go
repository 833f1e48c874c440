package realtime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"sotto/media"
)

// sender takes as long for each frame as work says, in the virtual time of
// synctest, and notes when its packets leave.
type sender struct {
	work     func(frame int) time.Duration
	interval time.Duration // 0: media.FrameDuration
	frames   int           // prepared or skipped
	skipped  int
	left     []time.Duration // since began
	began    time.Time
	end      int // frames until the source ends; 0: never
	err      error
}

func (s *sender) Interval() time.Duration {
	if s.interval == 0 {
		return media.FrameDuration
	}
	return s.interval
}

func (s *sender) Prepare() error {
	if s.work != nil {
		time.Sleep(s.work(s.frames))
	}
	s.frames++
	return s.err
}

func (s *sender) Skip() {
	s.frames++
	s.skipped++
}

func (s *sender) Send() error {
	s.left = append(s.left, time.Since(s.began))
	return nil
}

func (s *sender) Stats() media.SenderStats {
	return media.SenderStats{SourceEnded: s.end > 0 && s.frames >= s.end}
}

// capture runs s for a time.
func capture(t *testing.T, s *sender, d time.Duration) {
	t.Helper()
	place := take(t, NewPhases())
	time.Sleep(time.Until(place.First()))
	s.began = place.First()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := Capture(ctx, place, s); err != nil {
		t.Fatal(err)
	}
}

// turnOf is the frame in whose turn a packet left.
func turnOf(left time.Duration) int { return int((left - Departure) / media.FrameDuration) }

// However long encoding takes, if it is not longer than Departure: packets leave
// at fixed times.
func TestDeparturesAreTheClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		s := &sender{work: func(int) time.Duration { return time.Duration(rng.Int64N(int64(Departure))) }}
		capture(t, s, 10*time.Second)
		if len(s.left) != 500 || s.skipped != 0 {
			t.Fatalf("%d packets left in 10 s, %d skipped", len(s.left), s.skipped)
		}
		for i, left := range s.left {
			if want := Departure + time.Duration(i)*media.FrameDuration; left != want {
				t.Fatalf("packet %d left at %v, want %v", i, left, want)
			}
		}
	})
}

// Packets of 10 ms leave every 10 ms.
func TestDeparturesOfShortPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{interval: media.FrameDuration / 2}
		capture(t, s, time.Second)
		if len(s.left) != 100 || s.left[99] != Departure+99*s.interval {
			t.Fatalf("%d packets left in 1 s, the last at %v", len(s.left), s.left[len(s.left)-1])
		}
	})
}

// A machine that is too busy for a while loses the frames of that while, and is
// on time again after it. Two packets never leave in one turn.
func TestStallSkips(t *testing.T) {
	for _, stall := range []time.Duration{4, 22, 23, 24, 90, 1000, 3_600_000} {
		stall *= time.Millisecond
		synctest.Test(t, func(t *testing.T) {
			s := &sender{work: func(frame int) time.Duration {
				if frame == 10 {
					return stall
				}
				return time.Millisecond
			}}
			turns := int((stall + time.Second) / media.FrameDuration)
			capture(t, s, time.Duration(turns)*media.FrameDuration)
			if got := len(s.left) + s.skipped; got != turns {
				t.Errorf("stall of %v: %d packets left, %d skipped, of %d turns", stall, len(s.left), s.skipped, turns)
			}
			if want := int((stall - Departure) / media.FrameDuration); s.skipped != want {
				t.Errorf("stall of %v: %d skipped, want %d", stall, s.skipped, want)
			}
			checkTurns(t, s)
			if last := s.left[len(s.left)-1]; (last-Departure)%media.FrameDuration != 0 {
				t.Errorf("stall of %v: the last packet left at %v", stall, last)
			}
		})
	}
}

// A machine that is always too busy sends what it can.
func TestOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(3, 4))
		s := &sender{work: func(int) time.Duration { return time.Duration(rng.Int64N(int64(60 * time.Millisecond))) }}
		capture(t, s, 20*time.Second)
		if n := len(s.left); n < 500 || n > 667 {
			t.Errorf("%d packets left, of 30 ms of work each", n)
		}
		if s.frames < 995 || s.frames > 1005 {
			t.Errorf("%d frames in 20 s: the timestamps do not follow the time", s.frames)
		}
		checkTurns(t, s)
	})
}

func checkTurns(t *testing.T, s *sender) {
	t.Helper()
	for i := 1; i < len(s.left); i++ {
		if turnOf(s.left[i]) <= turnOf(s.left[i-1]) {
			t.Fatalf("packets left at %v and %v, in one turn", s.left[i-1], s.left[i])
		}
	}
}

func TestCaptureEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sender{end: 3}
		if err := Capture(t.Context(), take(t, NewPhases()), s); !errors.Is(err, io.EOF) || len(s.left) != 3 {
			t.Errorf("at the source's end: %v after %d packets", err, len(s.left))
		}
		broken := errors.New("broken")
		s = &sender{err: broken}
		if err := Capture(t.Context(), take(t, NewPhases()), s); !errors.Is(err, broken) || len(s.left) != 1 {
			t.Errorf("of a broken source: %v after %d packets, want that which is in the frame's place", err, len(s.left))
		}
	})
}

// player takes as long for each frame as work says, and makes halves of some.
type player struct {
	work  func(frame int) time.Duration
	at    []time.Duration // of frames
	began time.Time
	half  bool // made of the frame
	err   error
}

func (p *player) Play(now time.Time) (time.Duration, error) {
	if p.half {
		p.half = false
		if late := now.Sub(p.began) - p.at[len(p.at)-1]; late != media.FrameDuration/2 {
			return 0, fmt.Errorf("a second half %v after the first", late)
		}
		return media.FrameDuration / 2, p.err
	}
	p.at = append(p.at, now.Sub(p.began))
	frame := len(p.at) - 1
	time.Sleep(p.work(frame))
	if p.half = frame == 3 || frame == 4 || frame == 29; p.half {
		return media.FrameDuration / 2, p.err
	}
	return media.FrameDuration, p.err
}

// The sink gets a frame for each 20 ms, in halves where it has to be, late ones too,
// unless they are too many.
func TestPlayout(t *testing.T) {
	for _, c := range []struct {
		stall  time.Duration
		frames int
	}{{time.Millisecond, 50}, {90 * time.Millisecond, 50}, {500 * time.Millisecond, 31}} {
		synctest.Test(t, func(t *testing.T) {
			place := take(t, NewPhases())
			defer place.leave()
			p := &player{began: place.First().Add(playing), work: func(frame int) time.Duration {
				if frame == 10 {
					return c.stall
				}
				return time.Millisecond
			}}
			time.Sleep(time.Until(p.began))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := Playout(ctx, place.First(), p); err != nil {
				t.Fatal(err)
			}
			if n := len(p.at); n < c.frames || n > c.frames+1 || p.at[n-1]%media.FrameDuration != 0 {
				t.Errorf("stall of %v: %d frames, the last at %v", c.stall, n, p.at[n-1])
			}
			p.err = errors.New("broken")
			if err := Playout(t.Context(), place.First(), p); !errors.Is(err, p.err) {
				t.Errorf("of a broken sink: %v", err)
			}
		})
	}
}

// Datagrams go from Write to Read until the socket is closed.
func TestReadWrite(t *testing.T) {
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	to := conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := Write(conn, &to, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	var got string
	Read(conn, func(now time.Time, pkt []byte) {
		got = string(pkt)
		if d := time.Since(now); d < 0 || d > time.Minute {
			t.Errorf("arrived %v ago", d)
		}
		_ = conn.Close()
	})
	if got != "hello" {
		t.Errorf("read %q", got)
	}
	if err := Write(conn, &to, []byte("hello")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("written to a closed socket: %v", err)
	}
}
