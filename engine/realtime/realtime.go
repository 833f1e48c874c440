// Package realtime binds the halves of a voice stream, which know neither the
// clock nor the network, to both: [Capture] and [Playout] drive a
// [media.Sender] and a [media.Receiver] by deadlines that come from the clock
// alone, [Read] and [Write] move their packets, and [Trace] is a [media.Tracer]
// that notes the time.
//
// Whoever calls Capture, Playout or Read gives it a goroutine of its own, which
// owns that half of the stream for as long as the call takes.
package realtime

import (
	"context"
	"errors"
	"io"
	"time"

	"sotto/media"
)

const (
	// Departure is how long after its deadline a frame leaves. Encoding takes
	// less, so its time, which depends on what is said, does not show on the
	// wire. That is just before the frames of the next slot but one are due: a
	// processor wakes once for both, and packets go first.
	Departure = 2*slot - 10*time.Microsecond
	// playing is how long after the deadline of a frame to be sent one is played,
	// so that streams which wake together do the same one after the other.
	playing = 5 * time.Microsecond
	// maxLag is how far playing may fall behind before frames are let go
	// instead of being made up for in a burst, which the sink has to hold.
	maxLag = 5 * media.FrameDuration
)

// Sender is what Capture drives: a [media.Sender].
type Sender interface {
	Interval() time.Duration // from tick to tick; each makes a packet or a part of one
	Prepare() error
	Send() error
	Skip()
	Stats() media.SenderStats
}

// Player is what Playout drives: a [media.Receiver].
type Player interface {
	Play(now time.Time) (time.Duration, error)
}

// Capture makes each frame at its deadline, from p's first on, and sends it
// [Departure] later, until ctx ends or s fails; the error is [io.EOF] when the source
// has run out. What Prepare has made in place of a frame that failed leaves first, as
// the last frame of the source does: how a call ends on the wire does not tell why.
// When it returns it has given p back.
//
// The time from a frame's departure to the next one's is its turn, and a turn
// has one packet at most. On a machine that is too busy a packet takes the turn
// in which it is ready, and the frames whose turns are over, or taken, are
// skipped: nothing is made up for in a burst.
func Capture(ctx context.Context, p *Place, s Sender) error {
	defer p.leave()
	exact, turn := p.alarm, s.Interval()
	if turn != media.FrameDuration { // it leaves more often than those of its slot do
		var err error
		if exact, err = newAlarm(); err != nil {
			return err
		}
		defer exact.close()
	}
	var free time.Time // when the first turn begins that is not taken
	for deadline := p.first; wait(ctx, deadline); deadline = deadline.Add(turn) {
		leave := deadline.Add(Departure)
		if leave.Before(free) {
			s.Skip()
			continue
		}
		failed := s.Prepare()
		if exact.sleep(leave); ctx.Err() != nil {
			return nil
		}
		if err := errors.Join(failed, s.Send()); err != nil {
			return err
		}
		over := time.Since(leave)/turn + 1
		free = leave.Add(over * turn)
		if s.Stats().SourceEnded {
			return io.EOF
		}
	}
	return nil
}

// Playout has p play whenever what it has played before is over, from first on,
// until ctx ends or p fails. That is every 20 ms, and once between where p has to wait
// for a packet. For a stream with a [Place], first is that of the place.
func Playout(ctx context.Context, first time.Time, p Player) (err error) {
	var made time.Duration
	for deadline := first.Add(playing); wait(ctx, deadline); deadline = deadline.Add(made) {
		now := time.Now()
		if now.Sub(deadline) > maxLag {
			made = media.FrameDuration
			continue
		}
		if made, err = p.Play(now); err != nil {
			return err
		}
	}
	return nil
}

// wait returns at t, or at once if that has passed; false when ctx has ended. It
// sleeps through the end of ctx, which shows a frame later at most: a timer with
// a channel, to wait for both, would cost more than sealing the packet does.
func wait(ctx context.Context, t time.Time) bool {
	time.Sleep(time.Until(t))
	return ctx.Err() == nil
}
