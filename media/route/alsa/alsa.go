// Package alsa tells what the kernel says of sound cards, without a daemon:
// devices, where their cards sit, what is plugged into their jacks, and which
// programs have them open. It looks again and again, as of all this the kernel
// tells of itself only what happens to jacks.
package alsa

import (
	"context"
	"io/fs"
	"os"
	"reflect"
	"time"

	"sotto/media/route"
	"sotto/media/route/internal/attend"
)

// interval is how often the kernel is asked.
const interval = 50 * time.Millisecond

// maxFacts is how much there may be.
const maxFacts = 1024

// Watch tells what the kernel says until ctx ends. A kernel without sound has no
// devices.
func Watch(ctx context.Context, out chan<- route.Event) {
	kernel{os.DirFS("/"), openControl}.watch(ctx, out)
}

// kernel is where it is asked: root has /proc and /sys in it.
type kernel struct {
	root fs.FS
	open opener
}

func (k kernel) watch(ctx context.Context, out chan<- route.Event) {
	attend.Run(ctx, route.ALSA, out, k.follow)
}

func (k kernel) follow(ctx context.Context, tell attend.Tell) error {
	known := map[route.ID]route.Fact{}
	panels := newPanels(k.open)
	defer panels.close()
	look := time.NewTicker(interval)
	defer look.Stop()
	now := time.Now()
	for ready := false; ; {
		there, cards, err := scan(k.root)
		if err != nil {
			return err
		}
		if err := panels.meet(cards); err != nil {
			return err
		}
		panels.tell(there)
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
			now = time.Now()
		case s := <-panels.stirs:
			now = s.at
			if err := panels.take(s); err != nil {
				return err
			}
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
