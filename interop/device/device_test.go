//go:build interop

package device

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"sotto/internal/soundserver"
	"sotto/media/audio"
	"sotto/media/audio/device"
)

// onEach runs a test with each server and a sink named speaker.
func onEach(t *testing.T, test func(t *testing.T, s *soundserver.Server, module string)) {
	for _, kind := range soundserver.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			s := soundserver.Start(t, kind)
			test(t, s, s.AddSink("speaker"))
		})
	}
}

// every20ms runs frame n times at its pace.
func every20ms(t *testing.T, n int, frame func() error) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range n {
		<-tick.C
		if err := frame(); err != nil {
			t.Fatal(err)
		}
	}
}

// play writes n frames of a tone.
func play(t *testing.T, sink audio.Sink, n int) {
	t.Helper()
	tone := audio.NewTone(440, 0.5)
	var pcm [audio.FrameSamples]int16
	every20ms(t, n, func() error {
		_ = tone.ReadFrame(pcm[:]) // it has no end
		return sink.WriteFrame(pcm[:])
	})
}

// record reads n frames.
func record(t *testing.T, source audio.Source, n int) []int16 {
	t.Helper()
	pcm := make([]int16, n*audio.FrameSamples)
	rest := pcm
	every20ms(t, n, func() error {
		err := source.ReadFrame(rest[:audio.FrameSamples])
		rest = rest[audio.FrameSamples:]
		return err
	})
	return pcm
}

// flaw says in what pcm differs from a tone of 440 Hz without a click: its slope
// changes no more from sample to sample than such a tone's does. A hundredth of it
// may be missing, because the pitch is off by what the clocks differ.
func flaw(pcm []int16) string {
	if share := audio.ToneLevel(pcm, 440); share < 0.98 {
		return fmt.Sprintf("%.4f of what is heard is the tone", share)
	}
	peak, bend := 0.0, 0.0
	for i := 2; i < len(pcm); i++ {
		peak = max(peak, math.Abs(float64(pcm[i])))
		bend = max(bend, math.Abs(float64(pcm[i])-2*float64(pcm[i-1])+float64(pcm[i-2])))
	}
	w := 2 * math.Pi * 440 / audio.SampleRate
	if bend > peak*w*w+8 {
		return fmt.Sprintf("the slope changes by %.0f within a sample, a tone's by %.0f", bend, peak*w*w)
	}
	return ""
}

// A tone has some stretches of a third of a second to come through clean. A machine
// that stands still for 30 ms lets the sound server run dry, and spoils the stretch
// that this is in, several in a second when others are busy on it; what is wrong with
// the device spoils all.
const (
	stretches     = 40
	stretchFrames = 16
)

// heardClean takes stretches of sound until one of them is a clean tone in which
// nobody starved, and fails if none is.
func heardClean(t *testing.T, what string, starved func() uint64, take func() []int16) {
	t.Helper()
	for range stretches {
		before := starved()
		pcm := take()
		found := flaw(pcm)
		if n := starved() - before; n > 0 {
			found += fmt.Sprintf(" starved %d times", n)
		}
		if found == "" {
			return
		}
		t.Logf("%s: %s", what, found)
	}
	t.Errorf("%s: not clean in any of %d stretches", what, stretches)
}

// keepPlaying writes a tone until the test calls stop.
func keepPlaying(t *testing.T, sink audio.Sink) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		tone := audio.NewTone(440, 0.5)
		var pcm [audio.FrameSamples]int16
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			_ = tone.ReadFrame(pcm[:]) // it has no end
			if err := sink.WriteFrame(pcm[:]); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

func openSink(t *testing.T, id string) *device.Sink {
	t.Helper()
	sink, err := device.OpenSink(t.Context(), id, "call")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sink.Close() })
	return sink
}

func openSource(t *testing.T, id string) *device.Source {
	t.Helper()
	source, err := device.OpenSource(t.Context(), id, "call")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	return source
}

// openBoth opens the speaker and its monitor.
func openBoth(t *testing.T) (*device.Sink, *device.Source) {
	t.Helper()
	return openSink(t, "speaker"), openSource(t, "speaker.monitor")
}

func TestList(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		s.SetDefault("sink", "speaker")
		found := map[string]device.Device{}
		// PipeWire's session manager takes up a default in its own time.
		for by := time.Now().Add(5 * time.Second); !found["playback speaker"].Default; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(by) {
				t.Fatalf("%+v", found)
			}
			all, err := device.List(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				found[d.Direction.String()+" "+d.ID] = d
			}
		}
		if d := found["playback speaker"]; d.Name == "" {
			t.Errorf("%+v", found)
		}
		if d := found["capture speaker.monitor"]; d.Name == "" {
			t.Errorf("%+v", found)
		}
	})
}

// Only the device's own name opens it: no alias, no number, nothing that the
// server takes for its default.
func TestExactNames(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		for _, id := range []string{"@DEFAULT_SINK@", "@NONE@", "0", "Speaker", "speaker ", "speak", "headset"} {
			if _, err := device.OpenSink(t.Context(), id, "call"); !errors.Is(err, device.ErrNotFound) {
				t.Errorf("sink %q: %v", id, err)
			}
		}
		for _, id := range []string{"@DEFAULT_SOURCE@", "@DEFAULT_MONITOR@", "speaker", "headset"} {
			if _, err := device.OpenSource(t.Context(), id, "call"); !errors.Is(err, device.ErrNotFound) {
				t.Errorf("source %q: %v", id, err)
			}
		}
	})
}

// TestPlayback: what another program records of a sink is what was played.
func TestPlayback(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		recorder := exec.Command("nice", "-n", "-15", "parec", "-d", "speaker.monitor", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=20")
		out, err := recorder.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := recorder.Start(); err != nil {
			t.Fatal(err)
		}
		sink := openSink(t, "speaker")
		stop := keepPlaying(t, sink)
		_, _ = io.CopyN(io.Discard, out, 2*2*audio.SampleRate) // until all have settled
		heardClean(t, "parec", sink.Starved, func() []int16 {
			pcm := make([]byte, 2*stretchFrames*audio.FrameSamples)
			if _, err := io.ReadFull(out, pcm); err != nil {
				t.Fatal(err)
			}
			return samples(t, pcm)
		})
		stop()
		_ = recorder.Process.Kill()
		_ = recorder.Wait()
	})
}

func samples(t *testing.T, raw []byte) []int16 {
	t.Helper()
	pcm := make([]int16, len(raw)/2)
	if err := binary.Read(bytes.NewReader(raw), binary.LittleEndian, pcm); err != nil {
		t.Fatal(err)
	}
	return pcm
}

// TestCapture: what another program plays is what is read.
func TestCapture(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		source := openSource(t, "speaker.monitor")
		player := exec.Command("nice", "-n", "-15", "pacat", "-d", "speaker", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=50")
		in, err := player.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := player.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			tone := audio.NewTone(440, 0.5)
			var pcm [audio.FrameSamples]int16
			for err := error(nil); err == nil; {
				_ = tone.ReadFrame(pcm[:])
				err = binary.Write(in, binary.LittleEndian, pcm[:])
			}
		}()
		record(t, source, 50)
		heardClean(t, "captured", source.Starved, func() []int16 { return record(t, source, stretchFrames) })
		if l := source.Level(); l.Peak < -7 || l.Peak > -2 { // PipeWire adds the two channels up
			t.Errorf("a tone of -6 dBFS is at %+v", l)
		}
		source.Mute(true)
		record(t, source, 1)
		for range stretches { // in any of which nothing may have come in time
			if l := audio.LevelOf(record(t, source, 5)); l.Peak != audio.SilenceLevel {
				t.Errorf("muted: %+v", l)
			}
			if source.Level().Peak > -7 {
				break
			}
		}
		if l := source.Level(); l.Peak < -7 {
			t.Errorf("muted, %+v before the gate", l)
		}
		_ = player.Process.Kill()
		_ = player.Wait()
	})
}

// expect waits for an event of a kind, and returns how long after begin it was
// noticed. On a machine that stands still a device can be lost and return before.
func expect(t *testing.T, events <-chan device.Event, kind device.EventKind, begin time.Time) time.Duration {
	t.Helper()
	for deadline := time.After(10 * time.Second); ; {
		select {
		case e := <-events:
			if e.Kind == kind {
				return e.At.Sub(begin)
			}
		case <-deadline:
			t.Fatalf("not %v", kind)
		}
	}
}

// lossLimit is within what time the loss of a device is an event.
const lossLimit = 100 * time.Millisecond

// lose takes the devices away from an open sink and source, and returns how long
// it took until both had noticed.
func lose(t *testing.T, sink *device.Sink, source *device.Source, away func()) time.Duration {
	t.Helper()
	for len(sink.Events())+len(source.Events()) > 0 { // that was the machine
		select {
		case <-sink.Events():
		case <-source.Events():
		}
	}
	away()
	gone := time.Now()
	of, from := expect(t, sink.Events(), device.Lost, gone), expect(t, source.Events(), device.Lost, gone)
	t.Logf("loss of the sink: %.1f ms, of the source: %.1f ms", of.Seconds()*1000, from.Seconds()*1000)
	return max(of, from)
}

// returned waits until both are back.
func returned(t *testing.T, sink *device.Sink, source *device.Source) {
	t.Helper()
	for _, events := range []<-chan device.Event{sink.Events(), source.Events()} {
		expect(t, events, device.Returned, time.Now())
	}
}

// inTime does what takes no longer than it may; if it does it is done again, at
// most twice. The machine may stand still once, what is wrong with the device
// stays so.
func inTime(t *testing.T, what string, may time.Duration, do func() time.Duration) {
	t.Helper()
	var took []time.Duration
	for range 3 {
		if took = append(took, do()); took[len(took)-1] <= may {
			return
		}
	}
	t.Errorf("%s took more than %v each time: %v", what, may, took)
}

// soon fails if something took longer than it may, by more than a machine stands
// still.
func soon(t *testing.T, what string, took, may time.Duration) {
	t.Helper()
	t.Logf("%s: %.1f ms", what, took.Seconds()*1000)
	if took > may {
		t.Errorf("%s took %v, more than %v", what, took, may)
	}
}

// TestUnplugged: a device that goes is an event, and works again when it is
// back. Meanwhile it neither blocks nor moves to another.
func TestUnplugged(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, module string) {
		s.AddSink("headset")
		s.SetDefault("sink", "headset")
		sink, source := openBoth(t)
		inTime(t, "loss", lossLimit, func() time.Duration {
			play(t, sink, 25)
			took := lose(t, sink, source, func() { s.Pactl("unload-module", module) })
			play(t, sink, 50)
			record(t, source, 5)
			if l := audio.LevelOf(record(t, source, 5)); l.Peak > audio.SilenceLevel {
				t.Errorf("lost, and %+v is heard", l)
			}
			if streams := s.Pactl("list", "short", "sink-inputs"); streams != "" {
				t.Errorf("streams without their device: %s", streams)
			}
			module = s.AddSink("speaker")
			returned(t, sink, source)
			return took
		})
		stop := keepPlaying(t, sink)
		record(t, source, 100)
		heardClean(t, "after the return", source.Starved, func() []int16 { return record(t, source, stretchFrames) })
		stop()
		begin := time.Now()
		if err := errors.Join(sink.Close(), source.Close()); err != nil {
			t.Error(err)
		}
		soon(t, "Close", time.Since(begin), 200*time.Millisecond)
	})
}

// TestServerDies: a server that is killed loses all its devices; Close does not
// wait for it, and a new server brings them back.
func TestServerDies(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		sink, source := openBoth(t)
		inTime(t, "loss", lossLimit, func() time.Duration {
			play(t, sink, 25)
			took := lose(t, sink, source, s.Kill)
			s.Run()
			s.AddSink("speaker")
			returned(t, sink, source)
			return took
		})
		lose(t, sink, source, s.Kill)
		if _, err := device.OpenSink(t.Context(), "speaker", "call"); err == nil {
			t.Error("opened without a server")
		}
		if all, err := device.List(t.Context()); err == nil && len(all) == 0 || err != nil && !errors.Is(err, device.ErrNoSystem) {
			t.Errorf("listed without a server: %v, %v", all, err) // there may be cards
		}
		begin := time.Now()
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
		soon(t, "Close", time.Since(begin), 200*time.Millisecond)
		s.Run()
		s.AddSink("speaker")
		expect(t, source.Events(), device.Returned, begin)
	})
}

// TestServerHangs: a server that lives and does nothing keeps nobody waiting.
func TestServerHangs(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		sink, source := openBoth(t)
		freeze := func() { s.Freeze(true) }
		inTime(t, "loss", lossLimit, func() time.Duration {
			play(t, sink, 25)
			took := lose(t, sink, source, freeze)
			s.Freeze(false)
			returned(t, sink, source)
			return took
		})
		defer s.Freeze(false)
		lose(t, sink, source, freeze)
		inTime(t, "two frames", 200*time.Millisecond, func() time.Duration {
			begin := time.Now()
			record(t, source, 1)
			play(t, sink, 1)
			return time.Since(begin)
		})
		inTime(t, "OpenSink and List", 200*time.Millisecond, func() time.Duration {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := device.OpenSink(ctx, "speaker", "call"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("OpenSink: %v", err)
			}
			if _, err := device.List(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("List: %v", err)
			}
			return time.Since(begin)
		})
		begin := time.Now()
		if err := errors.Join(sink.Close(), source.Close()); !errors.Is(err, device.ErrNoAnswer) {
			t.Errorf("Close: %v", err)
		}
		soon(t, "Close", time.Since(begin), 1200*time.Millisecond)
	})
}

// TestPinned: no order moves a stream to another device, and a new default does
// not either.
func TestPinned(t *testing.T) {
	onEach(t, func(t *testing.T, s *soundserver.Server, _ string) {
		s.AddSink("headset")
		sink, source := openBoth(t)
		play(t, sink, 25)
		other := openSource(t, "headset.monitor")
		for _, m := range []struct{ what, list, to string }{
			{"sink-input", "sink-inputs", "headset"}, {"source-output", "source-outputs", "headset.monitor"},
		} {
			id, _, _ := strings.Cut(s.Pactl("list", "short", m.list), "\t")
			if out, err := s.TryPactl("move-"+m.what, id, m.to); err == nil || !strings.Contains(out, "Invalid argument") {
				t.Errorf("move-%s: %v %s", m.what, err, out)
			}
		}
		s.SetDefault("sink", "headset")
		s.SetDefault("source", "headset.monitor")
		stop := keepPlaying(t, sink)
		record(t, source, 50)
		heardClean(t, "where it was opened", source.Starved, func() []int16 { return record(t, source, stretchFrames) })
		record(t, other, 1)
		if l := audio.LevelOf(record(t, other, 20)); l.Peak > audio.SilenceLevel {
			t.Errorf("%+v on the other device", l)
		}
		stop()
	})
}
