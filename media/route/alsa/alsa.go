// Package alsa tells what the kernel says of sound cards, without a daemon:
// devices, where their cards sit, and which programs have them open. It looks
// again and again, as the kernel does not tell of itself.
package alsa

import (
	"context"
	"io/fs"
	"reflect"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// interval is how often the kernel is asked.
const interval = 50 * time.Millisecond

// maxFacts is how much there may be.
const maxFacts = 1024

// Watch tells what the kernel says until ctx ends. Root is the file system
// with /proc and /sys in it. A kernel without sound has no devices.
func Watch(ctx context.Context, root fs.FS, out chan<- route.Event) {
	attend.Run(ctx, route.ALSA, out, func(ctx context.Context, tell attend.Tell) error {
		return follow(ctx, root, tell)
	})
}

func follow(ctx context.Context, root fs.FS, tell attend.Tell) error {
	known := map[route.ID]route.Fact{}
	look := time.NewTicker(interval)
	defer look.Stop()
	for ready := false; ; {
		now := time.Now()
		there, err := scan(root)
		if err != nil {
			return err
		}
		if err := tellChanges(now, known, there, tell); err != nil {
			return err
		}
		known = there
		if !ready {
			if err := tell(now, route.Ready{}); err != nil {
				return err
			}
			ready = true
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tellChanges tells what makes there of known.
func tellChanges(now time.Time, known, there map[route.ID]route.Fact, tell attend.Tell) error {
	for id := range known {
		if there[id] == nil {
			if err := tell(now, route.Gone{ID: id}); err != nil {
				return err
			}
		}
	}
	for id, fact := range there {
		if reflect.DeepEqual(known[id], fact) {
			continue
		}
		if err := tell(now, fact); err != nil {
			return err
		}
	}
	return nil
}
