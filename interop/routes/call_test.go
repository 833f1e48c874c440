//go:build interop

package routes

import (
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sotto/media/audio"
	"sotto/media/audio/device"
	"sotto/media/route"
	"sotto/media/route/system"
)

// call is what a call is to the sound server: a stream each way, pinned to the
// built-in devices, and the watch over them.
type call struct {
	t     *testing.T
	watch *system.Watch

	mu      sync.Mutex // guards what follows
	news    chan struct{}
	reports []seen
}

// seen is a report, and when the alarm before it was heard.
type seen struct {
	route.Report
	at    time.Time
	alarm route.Alarm
}

// startCall opens both devices, plays a tone and watches. It returns when the
// route is known.
func startCall(t *testing.T) *call {
	t.Helper()
	c := startCallOn(t, speaker)
	c.until("the route is known", func(r route.Report) bool { return r.Unknown == "" && len(r.Routes) == 2 })
	return c
}

// startCallOn plays on any sink.
func startCallOn(t *testing.T, name string) *call {
	t.Helper()
	sink, err := device.OpenSink(t.Context(), name, "call")
	if err != nil {
		t.Fatal(err)
	}
	source, err := device.OpenSource(t.Context(), microphone, "call")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		sink.Close()
		source.Close()
	})
	go talk(sink, source)
	return watch(t, route.Self{PID: os.Getpid(), Stream: "call", Playback: true, Capture: true})
}

// talk plays a tone and records, until the devices are closed.
func talk(sink *device.Sink, source *device.Source) {
	tone, err := audio.ParseSource("tone:440")
	if err != nil {
		panic(err)
	}
	frame := make([]int16, 960)
	for beat := time.NewTicker(20 * time.Millisecond); ; <-beat.C {
		if tone.ReadFrame(frame) != nil || sink.WriteFrame(frame) != nil || source.ReadFrame(frame) != nil {
			return
		}
	}
}

// watch begins to watch and collects all reports.
func watch(t *testing.T, self route.Self) *call {
	t.Helper()
	w, err := system.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{t: t, watch: w, news: make(chan struct{})}
	var collecting sync.WaitGroup
	collecting.Go(func() {
		for a := range w.Alarms() {
			now := time.Now()
			r, err := w.Report(t.Context())
			if err != nil {
				return
			}
			c.mu.Lock()
			c.reports = append(c.reports, seen{r, now, a})
			close(c.news)
			c.news = make(chan struct{})
			c.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		collecting.Wait()
	})
	return c
}

// forget leaves out of account what has been reported until now.
func (c *call) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reports = nil
}

// until returns the first report since the last forget that is as wanted.
func (c *call) until(what string, wanted func(route.Report) bool) seen {
	c.t.Helper()
	deadline := time.After(patience)
	for from := 0; ; {
		c.mu.Lock()
		all, news := c.reports, c.news
		c.mu.Unlock()
		for ; from < len(all); from++ {
			if wanted(all[from].Report) {
				return all[from]
			}
		}
		select {
		case <-news:
		case <-deadline:
			r, err := c.watch.Report(c.t.Context())
			c.t.Fatalf("%s: not within %v; now %+v, %v", what, patience, r, err)
		}
	}
}

// known waits until both of the call's routes, and nothing else, are reported.
func (c *call) known() {
	c.t.Helper()
	eventually(c.t, "the call's own routes are back", func() bool {
		r, err := c.watch.Report(c.t.Context())
		return err == nil && r.Unknown == "" && len(r.Routes) == 2 && len(r.Bluetooth) == 0 && len(r.Taps) == 0
	})
}

// awaitSink waits until the headset can be played to, and returns its name.
func (c *call) awaitSink() (name string) {
	c.t.Helper()
	address := strings.ReplaceAll(headset, ":", "_")
	eventually(c.t, "the headset has a sink", func() bool {
		devices, err := c.watch.Devices(c.t.Context())
		for _, d := range devices {
			if strings.Contains(d.Device, address) && !d.Capture {
				name = d.Device
			}
		}
		return err == nil && name != ""
	})
	return name
}

// accepted says whether secure mode accepts all that is known of a stream.
func accepted(r route.Report) bool {
	refused := func(r route.Route) bool { return route.Policy{}.Accept(r) != nil }
	return r.Unknown == "" && len(r.Routes) > 0 && !slices.ContainsFunc(r.Routes, refused)
}
