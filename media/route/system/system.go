// Package system watches the audio of this machine: it runs the monitors that
// this machine needs, and draws one picture of what they tell.
package system

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"sotto/media/route"
	"sotto/media/route/alsa"
	"sotto/media/route/bluez"
	"sotto/media/route/pipewire"
	"sotto/media/route/pulse"
)

const (
	// queue is how many events may wait. A monitor whose events are not taken
	// does not answer its system in time, and is lost.
	queue = 256
	// patience is how long the sound server may take to say what it is.
	patience = time.Second
	// pause is how long a monitor rests that has told nonsense.
	pause = time.Second
)

// Watch is a [route.Watch] over this machine. Its methods may be called from
// any goroutine.
type Watch struct {
	cancel context.CancelFunc
	ended  chan struct{} // closed when no goroutine is left

	alarms  chan route.Alarm
	reports chan chan<- route.Report
	devices chan chan<- []route.Route
	others  chan []string
}

// Open begins to watch, for the streams of self. What is to be watched is
// settled here: PulseAudio, or PipeWire's graph and its imitation of PulseAudio,
// or neither; and always BlueZ and the kernel's cards. A sound server of another kind
// that comes later makes the route unknown; one that comes where there was none
// is a program like any other, whom the kernel shows. The error is that the sound
// server is on another machine, or does not answer.
func Open(self route.Self) (*Watch, error) {
	monitors, want, err := choose()
	if err != nil {
		return nil, fmt.Errorf("route: %w", err)
	}
	return start(self, monitors, route.NewWorld(want...)), nil
}

// monitor tells of one system.
type monitor struct {
	from  route.Origin
	watch func(ctx context.Context, out chan<- route.Event) // until ctx ends
	// again has what wants it to begin again. It waits there while the monitor
	// rests or ends.
	again chan struct{}
}

// choose returns the monitors, and which systems have to be known.
func choose() ([]monitor, []route.Origin, error) {
	monitors := []monitor{
		{from: route.BlueZ, watch: bluez.Watch},
		{from: route.ALSA, watch: alsa.Watch},
	}
	want := []route.Origin{route.BlueZ, route.ALSA}
	graph := pipewire.Socket()
	pipeWire := exists(graph)
	if pipeWire {
		monitors = append(monitors, monitor{from: route.PipeWire, watch: func(ctx context.Context, out chan<- route.Event) {
			pipewire.Watch(ctx, graph, out)
		}})
	}
	server := pulse.Server{}
	var err error
	if server.Socket, err = pulse.Socket(); err != nil {
		return nil, nil, err
	}
	switch {
	case exists(server.Socket):
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if server.OnPipeWire, err = pulse.OnPipeWire(ctx, server.Socket); err != nil {
			return nil, nil, fmt.Errorf("the sound server at %s: %w", server.Socket, err)
		}
	case pipeWire:
		server.OnPipeWire = true // and it is yet to come
	default:
		return monitors, want, nil
	}
	monitors = append(monitors, monitor{from: route.Pulse, watch: func(ctx context.Context, out chan<- route.Event) {
		pulse.Watch(ctx, server, out)
	}})
	if want = append(want, route.Pulse); server.OnPipeWire {
		want = append(want, route.PipeWire)
	}
	return monitors, want, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// start starts the monitors, and the goroutine that owns the world.
func start(self route.Self, monitors []monitor, world *route.World) *Watch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watch{
		cancel: cancel, ended: make(chan struct{}),
		alarms: make(chan route.Alarm, 1), reports: make(chan chan<- route.Report), devices: make(chan chan<- []route.Route), others: make(chan []string),
	}
	events := make(chan route.Event, queue)
	var running sync.WaitGroup
	for i := range monitors {
		m := &monitors[i]
		m.again = make(chan struct{}, 1)
		running.Go(func() { m.run(ctx, events) })
	}
	running.Go(func() { w.run(ctx, &picture{world: world, self: self, monitors: monitors}, events) })
	go func() {
		running.Wait()
		close(w.ended)
	}()
	return w
}

// run lets m watch until ctx ends, and begin again when that is wanted.
func (m *monitor) run(ctx context.Context, out chan<- route.Event) {
	for ctx.Err() == nil {
		watching, stop := context.WithCancel(ctx)
		var watch sync.WaitGroup
		watch.Go(func() { m.watch(watching, out) })
		select {
		case <-m.again:
		case <-ctx.Done():
		}
		stop()
		watch.Wait()
		select {
		case out <- route.Event{At: time.Now(), From: m.from, Fact: route.Lost{Reason: "it has told what cannot be"}}:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

// run owns the picture until ctx ends.
func (w *Watch) run(ctx context.Context, p *picture, events <-chan route.Event) {
	defer close(w.alarms)
	p.draw()
	for {
		select {
		case e := <-events:
			if ctx.Err() != nil {
				return // it may be no more than that a monitor ends
			}
			w.take(p, e, events)
		case reply := <-w.reports:
			w.catchUp(p, events)
			reply <- p.report
		case reply := <-w.devices:
			w.catchUp(p, events)
			reply <- p.devices
		case p.self.Others = <-w.others:
			if text := p.redraw(); text != "" {
				w.alarm(route.Alarm{At: time.Now(), Text: text})
			}
		case <-ctx.Done():
			return
		}
	}
}

// catchUp takes what waits, so that an answer is no older than the question.
func (w *Watch) catchUp(p *picture, events <-chan route.Event) {
	if len(events) > 0 {
		w.take(p, <-events, events)
	}
}

func (w *Watch) take(p *picture, e route.Event, more <-chan route.Event) {
	if text := p.take(e, more); text != "" {
		w.alarm(route.Alarm{At: e.At, Text: text})
	}
}

func (w *Watch) alarm(a route.Alarm) {
	select {
	case w.alarms <- a:
	default: // one waits already; who reads it will ask for a report
	}
}

// Alarms implements [route.Watch].
func (w *Watch) Alarms() <-chan route.Alarm { return w.alarms }

// Report implements [route.Watch].
func (w *Watch) Report(ctx context.Context) (route.Report, error) {
	return ask(ctx, w.ended, w.reports)
}

// Devices are all devices that there are, with what they were found to be.
func (w *Watch) Devices(ctx context.Context) ([]route.Route, error) {
	return ask(ctx, w.ended, w.devices)
}

// Others replaces [route.Self.Others]. What happens after it returns is seen with
// these names.
func (w *Watch) Others(names []string) {
	select {
	case w.others <- names:
	case <-w.ended:
	}
}

// ask asks the goroutine that owns the world.
func ask[T any](ctx context.Context, ended <-chan struct{}, questions chan<- chan<- T) (answer T, err error) {
	reply := make(chan T, 1)
	select {
	case questions <- reply:
		return <-reply, nil
	case <-ended:
		return answer, route.ErrWatch
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}

// Close implements [route.Watch]. It returns when no goroutine is left.
func (w *Watch) Close() error {
	w.cancel()
	<-w.ended
	return nil
}
