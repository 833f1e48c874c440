package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sotto/engine"
	"sotto/engine/devices"
	"sotto/media/audio"
	"sotto/media/audio/voice"
	"sotto/media/route"
)

// live reports whether calls go over the microphone and the loudspeaker.
func (o *options) live() bool { return o.in == "" && o.out == "" && o.simulateRoute == "" }

// checkAudio finds what is wrong with the policy, the devices or the files.
func (o *options) checkAudio() (err error) {
	recoverRadios()
	if o.policy != "" {
		if o.routes, err = route.LoadPolicy(o.policy); err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
	}
	work, err := o.microphone()
	if err != nil {
		return err
	}
	if !o.live() {
		return o.checkFiles()
	}
	if o.choice, err = devices.Choose(context.Background(), o.routes, o.devices...); err != nil {
		return fmt.Errorf("no microphone and loudspeaker to use: %w; to go without, use --in and --out", err)
	}
	o.choice.Voice, o.choice.AllowInsecure = work, o.insecure
	return nil
}

// recoverRadios powers up what a call that has crashed has left powered down.
func recoverRadios() {
	if err := devices.RecoverRadios(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "sotto: Bluetooth was powered down for a call and is not up again:", oneLine(err.Error()))
	}
}

// microphone is what is to be done to the microphone's sound, if this build can.
func (o *options) microphone() (voice.Options, error) {
	if err := known("--voice", o.voice, voiceWork); err != nil || len(o.voice) == 0 {
		return voice.Options{}, err
	}
	if !o.live() {
		return voice.Options{}, errors.New("--voice with --in or --out: there is no microphone")
	}
	work := voice.Options{
		Echo:  slices.Contains(o.voice, "echo"),
		Noise: slices.Contains(o.voice, "noise"),
		Gain:  slices.Contains(o.voice, "gain"),
	}
	if _, err := voice.New(work); err != nil {
		return voice.Options{}, fmt.Errorf("--voice: %w", err)
	}
	return work, nil
}

// open is how calls get their audio.
func (o *options) open() func(context.Context) (engine.Audio, error) {
	if o.live() {
		return o.choice.Open
	}
	return o.openFiles
}

// checkFiles opens both files once, so that one which can't be read or written
// is found before anybody's phone rings. It creates what is not there and
// empties nothing.
func (o *options) checkFiles() error {
	if len(o.devices) > 0 {
		return errors.New("--device with --in or --out: want devices or files")
	}
	if o.tones != "" && o.tones != engine.NoTones {
		return errors.New("--tones with --in or --out: there is no loudspeaker")
	}
	o.tones = engine.NoTones // or the file of an earlier call would be emptied by one that nobody answers
	if o.in == "" {
		o.in = "silence"
	}
	source, err := audio.ParseSource(o.in)
	if err != nil {
		return fmt.Errorf("--in: %w", err)
	}
	if file, ok := source.(io.Closer); ok {
		if err := file.Close(); err != nil {
			return fmt.Errorf("--in: %w", err)
		}
	}
	if o.out == "" {
		return nil
	}
	if err := overItself(source, o.in, o.out); err != nil {
		return err
	}
	file, err := os.OpenFile(o.out, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	return file.Close()
}

// overItself is the error if the recording would be made over what is to be said.
func overItself(source audio.Source, in, out string) error {
	if _, file := source.(io.Closer); !file {
		return nil
	}
	said, err := os.Stat(in)
	if err != nil {
		return fmt.Errorf("--in: %w", err)
	}
	if heard, err := os.Stat(out); err == nil && os.SameFile(said, heard) {
		return fmt.Errorf("--in %s and --out %s are the same file", in, out)
	}
	return nil
}

// class is the class of the routes we report.
func (o *options) class() (route.Class, error) {
	if o.simulateRoute == "" {
		return route.Internal, nil
	}
	return parseClass(o.simulateRoute)
}

// openFiles opens source and sink for one call. The Engine closes them.
func (o *options) openFiles(ctx context.Context) (engine.Audio, error) {
	class, err := o.class()
	if err != nil {
		return engine.Audio{}, err
	}
	source, err := audio.ParseSource(o.in)
	if err != nil {
		return engine.Audio{}, err
	}
	n := o.answered.Add(1)
	from := route.Route{Class: class, Device: o.in, Evidence: []string{"--in"}}
	if o.simulateRoute != "" {
		from = route.Route{Class: class, Device: "simulated", Evidence: []string{"--simulate-route"}}
	}
	a := engine.Audio{Source: source, Sink: audio.Discard{}, Routes: []route.Route{from}}
	if o.out == "" {
		return a, nil
	}
	path := numbered(o.out, int(n))
	sink, err := newRecorder(ctx, path, func() (recording, error) {
		if err := overItself(source, o.in, path); err != nil {
			return nil, err
		}
		return audio.CreateWAV(path)
	}, o.warn)
	if err != nil {
		if file, ok := source.(io.Closer); ok {
			err = errors.Join(err, file.Close())
		}
		return engine.Audio{}, err
	}
	a.Sink = sink
	a.Routes = append(a.Routes, route.Route{Class: route.Internal, Device: path, Evidence: []string{"--out"}})
	return a, nil
}

// numbered is path for the first call and file-n.wav for the nth.
func numbered(path string, n int) string {
	if n < 2 {
		return path
	}
	ext := filepath.Ext(path)
	return fmt.Sprintf("%s-%d%s", strings.TrimSuffix(path, ext), n, ext)
}
