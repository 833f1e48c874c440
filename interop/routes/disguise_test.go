//go:build interop

package routes

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sotto/media/route"
)

// builtinName is what PulseAudio calls a laptop's own speaker.
const builtinName = "alsa_output.pci-0000_00_1f.3.analog-stereo"

// Devices that are none, or that lead away from this machine, whatever they
// say of themselves.
func TestDisguises(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		c := watch(t, route.Self{})
		far := w.startFarServer()
		for _, d := range []struct {
			what   string
			module []string
			device string
			want   route.Class
		}{
			{"null sink that claims to be built in", []string{"module-null-sink", "sink_name=" + builtinName, "sink_properties='" + builtin + " device.profile.name=analog-stereo'"}, builtinName, route.Virtual},
			{"remapped speaker", []string{"module-remap-sink", "master=" + speaker, "sink_name=remapped", "sink_properties='" + builtin + "'"}, "remapped", route.Virtual},
			{"remapped microphone", []string{"module-remap-source", "master=" + microphone, "source_name=remapped_mic"}, "remapped_mic", route.Virtual},
			{"combination", []string{"module-combine-sink", "slaves=" + speaker, "sink_name=combined"}, "combined", route.Virtual},
			{"echo canceller's sink", []string{"module-echo-cancel", "source_master=" + microphone, "sink_master=" + speaker, "sink_name=cancelled", "source_name=cancelled_mic"}, "cancelled", route.Virtual},
			{"echo canceller's microphone", []string{"module-echo-cancel", "source_master=" + microphone, "sink_master=" + speaker, "sink_name=cancelled", "source_name=cancelled_mic"}, "cancelled_mic", route.Virtual},
			{"tunnel", []string{"module-tunnel-sink", "server=unix:" + far, "sink_name=tunnel"}, "tunnel", route.Network},
			{"null sink for RTP", []string{"module-null-sink", "sink_name=rtp"}, "rtp", route.Network},
			{"monitor of the speaker", nil, speaker + ".monitor", route.Monitor},
		} {
			if w.server == pipeWire && d.want == route.Monitor {
				continue // its graph has the speaker itself there, recorded from behind
			}
			unload := func() {}
			if d.module != nil {
				unload = w.load(d.module[0], d.module[1:]...)
			}
			var got route.Route
			eventually(t, d.what+" appears", func() bool {
				devices, err := c.watch.Devices(t.Context())
				i := slices.IndexFunc(devices, func(r route.Route) bool { return r.Device == d.device })
				if err == nil && i >= 0 {
					got = devices[i]
				}
				return i >= 0
			})
			if err := (route.Policy{}).Accept(got); err == nil || got.Class != d.want {
				t.Errorf("%s: %v (%v), want %v", d.what, got, err, d.want)
			} else {
				t.Logf("%s: %v", d.what, err)
			}
			unload()
		}
	})
}

// A call on a device that is none is followed to the hardware behind it.
func TestBehindDisguises(t *testing.T) {
	inEach(t, func(t *testing.T, w *world) {
		w.air.connect(t)
		ear := watch(t, route.Self{}).awaitSink()
		for what, module := range map[string][]string{
			"remap":       {"module-remap-sink", "master=" + ear, "sink_name=innocent"},
			"combination": {"module-combine-sink", "slaves=" + speaker + "," + ear, "sink_name=innocent"},
			"loopback":    {"module-loopback", "source=" + microphone, "sink=" + ear, "source_dont_move=1", "sink_dont_move=1"},
		} {
			t.Run(what, func(t *testing.T) {
				unload := w.load(module[0], module[1:]...)
				on := speaker
				if what != "loopback" {
					on = "innocent"
				}
				c := startCallOn(t, on)
				seen := c.until("the headset behind is seen", func(r route.Report) bool { return slices.ContainsFunc(r.Routes, bluetooth) })
				if accepted(seen.Report) {
					t.Errorf("accepted: %+v", seen.Report)
				}
				unload()
			})
		}
	})
}

// A module of the server sends what we play to the network. PulseAudio's needs
// GStreamer. To the graph it is a stream that records, and its name says that it
// is a network. PipeWire's two servers name it differently, and either may be first.
func TestSentAway(t *testing.T) {
	w := newWorld(t, pipeWire)
	c := startCall(t)
	unload := w.load("module-rtp-send", "source="+speaker+".monitor", "destination_ip=127.0.0.1")
	seen := c.until("the sender is reported", func(r route.Report) bool {
		return slices.ContainsFunc(r.Routes, func(r route.Route) bool { return r.Class == route.Network })
	})
	var refusal *route.Refusal
	if _, err := (route.Policy{}).Check(seen.Report); !errors.As(err, &refusal) || refusal.Class != route.Network ||
		!strings.HasPrefix(refusal.Device, "rtp-sink") && refusal.Device != "RTP Sender Stream" {
		t.Errorf("%v: %+v", err, seen.Report)
	}
	unload()
	c.known()
}

// What an RTP receiver of PipeWire's makes of a session that somebody announces is a
// microphone to the graph, and is refused as a network. PulseAudio's receiver makes
// none: it plays what it gets.
func TestFromNetwork(t *testing.T) {
	w := newWorld(t, pipeWire)
	c := watch(t, route.Self{})
	announced, voice := freePort(t), freePort(t)
	loader := exec.Command("pw-cli") // what it loads lasts as long as it runs
	commands, err := loader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	startDaemon(t, w.dir, loader)
	if _, err := fmt.Fprintf(commands, "load-module libpipewire-module-rtp-source { sap.ip=127.0.0.1 sap.port=%d local.ifname=lo stream.props={ media.class=Audio/Source } }\n", announced); err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: announced})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// A header of the Session Announcement Protocol, from 127.0.0.1, and a description.
	announcement := "\x20\x00\x12\x34\x7f\x00\x00\x01application/sdp\x00" + fmt.Sprintf("v=0\r\no=root 1 0 IN IP4 127.0.0.1\r\ns=innocent microphone\r\n"+
		"c=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 127\r\na=rtpmap:127 L16/48000/2\r\n", voice)
	var got route.Route
	eventually(t, "the microphone appears", func() bool {
		_, _ = conn.Write([]byte(announcement)) // nobody listens at first
		devices, err := c.watch.Devices(t.Context())
		i := slices.IndexFunc(devices, func(r route.Route) bool { return strings.Contains(r.Device, "innocent microphone") })
		if err == nil && i >= 0 {
			got = devices[i]
		}
		return err == nil && i >= 0
	})
	if _, err := (route.Policy{}).Verify(got); err == nil || got.Class != route.Network || !got.Capture {
		t.Errorf("%+v (%v)", got, err)
	} else {
		t.Log(err)
	}
}

// freePort is a UDP port that nobody has.
func freePort(t *testing.T) int {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}
