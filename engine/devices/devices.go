// Package devices gives the calls of an engine the microphone and the
// loudspeaker of this machine: each opened by its name, so that nothing moves it
// elsewhere, and watched for as long as the call lasts.
//
//	cfg.OpenAudio = devices.Choice{Policy: cfg.Routes}.Open
//
// Several calls of one process may have the same devices. Those of another process
// are, to each other, programs that listen in.
package devices

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"sotto/engine"
	"sotto/media/audio"
	"sotto/media/audio/device"
	"sotto/media/audio/voice"
	"sotto/media/route"
	"sotto/media/route/system"
)

// patience is how long the monitors may take to tell what a device is.
const patience = 2 * time.Second

// Choice says which devices to use. The zero value takes what the system takes
// where no other is asked for, if secure mode accepts that.
type Choice struct {
	// Capture and Playback are IDs as of [device.List]. Empty: the default
	// device at the time of opening.
	Capture, Playback string
	// Policy is that of the engine. What it refuses is not even opened.
	Policy route.Policy
	// AllowInsecure is that of the engine: any device will do, nothing watches
	// over it, and no radio is powered down.
	AllowInsecure bool
	// Voice is what is done to the microphone's sound. Nothing by default: leave
	// to the platform what it does by itself. A build without speexdsp opens
	// nothing with it ([voice.ErrNotBuilt]).
	Voice voice.Options
}

// Choose makes a Choice of the devices of these IDs, at most one microphone and
// one loudspeaker; an ID may be that of both. The error says which devices there
// are, if one is not among them.
func Choose(ctx context.Context, policy route.Policy, ids ...string) (Choice, error) {
	all, err := device.List(ctx)
	if err != nil {
		return Choice{}, err
	}
	return choose(all, policy, ids)
}

func choose(all []device.Device, policy route.Policy, ids []string) (Choice, error) {
	c := Choice{Policy: policy}
	for _, id := range ids {
		if err := c.add(all, id); err != nil {
			return Choice{}, err
		}
	}
	for d, id := range map[device.Direction]string{device.Capture: c.Capture, device.Playback: c.Playback} {
		if _, err := pick(all, d, id); err != nil {
			return Choice{}, err
		}
	}
	return c, nil
}

// add chooses the device of that ID too. A card of ALSA's has one ID for its
// microphone and its loudspeaker: it is whichever is not chosen yet.
func (c *Choice) add(all []device.Device, id string) error {
	var taken error
	chosen := false
	for _, d := range all {
		if d.ID != id {
			continue
		}
		end := &c.Playback
		if d.Direction == device.Capture {
			end = &c.Capture
		}
		if *end == "" {
			*end, chosen = id, true
		} else {
			taken = fmt.Errorf("devices: %q and %q are both %v devices", *end, id, d.Direction)
		}
	}
	switch {
	case chosen:
		return nil
	case taken != nil:
		return taken
	}
	return fmt.Errorf("%w: %q; there are %s", ErrNoDevice, id, names(all))
}

func names(all []device.Device) string {
	if len(all) == 0 {
		return "none"
	}
	var list []string
	for _, d := range all {
		list = append(list, fmt.Sprintf("%q (%v)", d.ID, d.Direction))
	}
	return strings.Join(list, ", ")
}

// Open implements [engine.Config.OpenAudio]. Its error is a *[route.Refusal] if
// there is no such device, or one that may not be used.
func (c Choice) Open(ctx context.Context) (a engine.Audio, err error) {
	capture, playback, err := c.find(ctx)
	if err == nil && c.AllowInsecure {
		return c.start(ctx, engine.Audio{}, newName(), [2]string{capture, playback})
	}
	if errors.Is(err, ErrNoDevice) && !c.AllowInsecure { // there may be one soon
		_, err = c.Policy.Check(route.Report{Unknown: strings.TrimPrefix(err.Error(), "devices: ")})
	}
	if err != nil {
		return engine.Audio{}, err
	}
	name := newName()
	watch, err := system.Open(route.Self{PID: os.Getpid(), Stream: name, Capture: true, Playback: true})
	if err != nil {
		return engine.Audio{}, err
	}
	restore, err := c.admit(ctx, watch, capture, playback)
	if err != nil {
		return engine.Audio{}, errors.Join(err, watch.Close())
	}
	a.Watch = watch
	if restore != nil {
		a.Watch = darkness{watch, restore}
	}
	ours.join(name, watch)
	a.Watch = member{a.Watch, func() { ours.leave(name) }}
	return c.start(ctx, a, name, [2]string{capture, playback})
}

// start opens the microphone and the loudspeaker, in that order, with streams of
// that name, and adds them to what a has. With an error it closes all of that.
func (c Choice) start(ctx context.Context, a engine.Audio, name string, ids [2]string) (all engine.Audio, err error) {
	defer func() {
		if err != nil {
			all, err = engine.Audio{}, errors.Join(err, a.Close())
		}
	}()
	source, err := device.OpenSource(ctx, ids[0], name)
	if err != nil {
		return a, err
	}
	a.Source = &microphone{source}
	sink, err := device.OpenSink(ctx, ids[1], name)
	if err != nil {
		return a, err
	}
	a.Sink = &loudspeaker{sink}
	a.Source, a.Sink, err = c.couple(a.Source, a.Sink)
	return a, err
}

// couple puts between the two what is to be done to the microphone's sound. With
// an error it returns them as they are.
func (c Choice) couple(source audio.Source, sink audio.Sink) (audio.Source, audio.Sink, error) {
	if c.Voice == (voice.Options{}) {
		return source, sink, nil
	}
	p, err := voice.New(c.Voice)
	if err != nil {
		return source, sink, fmt.Errorf("devices: %w", err)
	}
	source, sink = voice.Couple(source, sink, p)
	return source, sink, nil
}

// admit verifies the two devices, and only then powers the radios down: the engine
// asks again and again for devices that are refused, and each time they would go
// down and up.
func (c Choice) admit(ctx context.Context, w watch, capture, playback string) (restore func(context.Context) error, err error) {
	routes, err := classes(ctx, w, capture, playback)
	if err != nil {
		return nil, err
	}
	if _, err = c.Policy.Verify(routes...); err != nil {
		return nil, err
	}
	return powerDown(ctx, c.Policy)
}

// find returns the devices that are chosen.
func (c Choice) find(ctx context.Context) (capture, playback string, err error) {
	all, err := device.List(ctx)
	if err != nil {
		return "", "", err
	}
	if capture, err = pick(all, device.Capture, c.Capture); err != nil {
		return "", "", err
	}
	playback, err = pick(all, device.Playback, c.Playback)
	return capture, playback, err
}

// ErrNoDevice is that there is no device as it was chosen.
var ErrNoDevice = errors.New("devices: there is no such device")

// pick is the device of that ID, or the default one.
func pick(all []device.Device, d device.Direction, id string) (string, error) {
	i := slices.IndexFunc(all, func(e device.Device) bool {
		return e.Direction == d && (e.ID == id || id == "" && e.Default)
	})
	switch {
	case i < 0 && id == "":
		return "", fmt.Errorf("%w: no %v device", ErrNoDevice, d)
	case i < 0:
		return "", fmt.Errorf("%w: %v device %q", ErrNoDevice, d, id)
	}
	return all[i].ID, nil
}

// watch is a [system.Watch].
type watch interface {
	route.Watch
	Devices(ctx context.Context) ([]route.Route, error)
}

// classes waits until the watch knows what the two devices are.
func classes(ctx context.Context, w watch, capture, playback string) ([]route.Route, error) {
	unknown := []route.Route{{Device: capture, Capture: true}}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		known, err := w.Devices(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return unknown, nil
		}
		if err != nil {
			return nil, err
		}
		from := slices.IndexFunc(known, func(r route.Route) bool { return r.Capture && r.Device == capture })
		to := slices.IndexFunc(known, func(r route.Route) bool { return !r.Capture && r.Device == playback })
		if from >= 0 && to >= 0 {
			return []route.Route{known[from], known[to]}, nil
		}
		select {
		case _, ok := <-w.Alarms():
			if !ok {
				return nil, route.ErrWatch
			}
		case <-ctx.Done():
			return unknown, nil
		}
	}
}

// errGone is that a device gives or takes nothing any more. It may come back by
// itself, but as what is anybody's guess: the engine opens anew. One that was only
// lost for a moment, because the machine stood still, goes on with the stream that
// is watched.
var errGone = errors.New("devices: it is unplugged, or the sound server is gone")

// gone is errGone from when a device has been gone. Its events do not tell: nobody takes
// them while a call is silent, and of many the first are lost.
func gone(d interface{ Gone() bool }) error {
	if d.Gone() {
		return errGone
	}
	return nil
}

// microphone is a [device.Source] that fails when its device is gone.
type microphone struct{ *device.Source }

func (m *microphone) ReadFrame(pcm []int16) error {
	if err := gone(m.Source); err != nil {
		return err
	}
	return m.Source.ReadFrame(pcm)
}

// loudspeaker is a [device.Sink] that fails when its device is gone.
type loudspeaker struct{ *device.Sink }

func (l *loudspeaker) WriteFrame(pcm []int16) error {
	if err := gone(l.Sink); err != nil {
		return err
	}
	return l.Sink.WriteFrame(pcm)
}

var (
	_ audio.Flusher = (*microphone)(nil)
	_ audio.Flusher = (*loudspeaker)(nil)
)
