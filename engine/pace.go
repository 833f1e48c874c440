package engine

import (
	"context"
	"time"

	"sotto/media"
)

// maxLag is how far the pace may fall behind before the lost frames are let
// go instead of being made up in a burst.
const maxLag = 5 * media.FrameDuration

// pace calls tick every 20 ms until ctx ends or tick fails, with the deadline
// that it was due at. Deadlines come from the clock alone, so a slow tick does
// not shift those that follow.
func pace(ctx context.Context, tick func(deadline time.Time) error) error {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := tick(next); err != nil {
			return err
		}
		next = next.Add(media.FrameDuration)
		if now := time.Now(); now.Sub(next) > maxLag {
			next = now
		}
		timer.Reset(time.Until(next))
	}
}
