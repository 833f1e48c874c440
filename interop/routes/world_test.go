//go:build interop

package routes

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sotto/media/audio"
)

// world is a machine's audio: a bus with Bluetooth, and a sound server.
type world struct {
	t       *testing.T
	server  server
	dir     string
	air     *air
	running map[string]*daemon // of the sound server, by name
	aborted int                // how often PulseAudio has
}

// server is a kind of sound server.
type server string

const (
	pulseAudio server = "PulseAudio"
	pipeWire   server = "PipeWire"
)

// servers are both.
var servers = []server{pulseAudio, pipeWire}

// inEach runs a scene with each server.
func inEach(t *testing.T, scene func(*testing.T, *world)) {
	for _, s := range servers {
		t.Run(string(s), func(t *testing.T) { scene(t, newWorld(t, s)) })
	}
}

// newWorld makes a world that is the test's environment from here on.
func newWorld(t *testing.T, s server) *world {
	t.Helper()
	w := &world{t: t, server: s, dir: t.TempDir(), running: map[string]*daemon{}}
	home := filepath.Join(w.dir, "home")
	for key, value := range map[string]string{
		"XDG_RUNTIME_DIR": w.dir, "HOME": home, "XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_STATE_HOME": filepath.Join(home, "state"),
		"DBUS_SYSTEM_BUS_ADDRESS":  "unix:path=" + filepath.Join(w.dir, "system"),
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(w.dir, "session"),
		"PULSE_SERVER":             "unix:" + w.socket(),
	} {
		t.Setenv(key, value)
	}
	for _, key := range []string{"PULSE_RUNTIME_PATH", "PULSE_COOKIE", "PIPEWIRE_REMOTE", "PIPEWIRE_RUNTIME_DIR"} {
		t.Setenv(key, "") // so that it is as it was when the test has ended
		os.Unsetenv(key)
	}
	w.startBus("system", "system")
	w.air = startAir(t, w.dir)
	w.startServer()
	return w
}

// socket is where the server listens, as PulseAudio or as its imitation.
func (w *world) socket() string {
	if w.server == pipeWire {
		return filepath.Join(w.dir, "pulse", "native")
	}
	return filepath.Join(w.dir, "pulse.socket")
}

// write writes a file of the world and returns its path.
func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// startBus starts a bus on which everything is allowed.
func (w *world) startBus(name, kind string) {
	w.t.Helper()
	socket := filepath.Join(w.dir, name)
	config := w.write(name+".conf", fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>%s</type>
  <listen>unix:path=%s</listen>
  <policy context="default">
    <allow user="*"/> <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/>
  </policy>
</busconfig>
`, kind, socket))
	startDaemon(w.t, w.dir, exec.Command("dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile")).listens(socket)
}

// builtin is what a laptop's own devices say of themselves.
const builtin = "device.api=alsa device.class=sound device.bus=pci device.form_factor=internal"

// startServer starts the sound server, or starts it again, with its devices.
func (w *world) startServer() {
	w.t.Helper()
	if w.server == pulseAudio {
		w.startPulseAudio()
	} else {
		w.startPipeWire()
	}
	w.plug(speaker)
	w.plug(microphone)
	eventually(w.t, "the server keeps defaults", func() bool { // WirePlumber does for PipeWire, once it is up
		output("pactl", "set-default-sink", speaker)
		output("pactl", "set-default-source", microphone)
		sink, _ := output("pactl", "get-default-sink")
		source, _ := output("pactl", "get-default-source")
		return sink == speaker && source == microphone
	})
	w.air.awaitServer(w.t)
}

func (w *world) startPulseAudio() {
	w.t.Helper()
	script := w.write("pulse.pa", fmt.Sprintf(`.fail
load-module module-native-protocol-unix socket=%s auth-anonymous=1
load-module module-bluez5-discover headset=native
load-module module-switch-on-connect ignore_virtual=no
`, w.socket()))
	w.run(exec.Command("pulseaudio", "-n", "-F", script, "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-exit=yes", "--log-level=info")).listens(w.socket())
}

func (w *world) startPipeWire() {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(w.dir, "session")); err != nil {
		w.startBus("session", "session")
		w.write("home/config/wireplumber/bluetooth.lua.d/60-test.lua", "bluez_monitor.properties[\"with-logind\"] = false\n")
	}
	w.run(exec.Command("pipewire")).listens(filepath.Join(w.dir, "pipewire-0"))
	w.run(exec.Command("wireplumber"))
	w.run(exec.Command("pipewire-pulse")).listens(w.socket())
}

// plug gives the machine one of its built-in devices.
func (w *world) plug(device string) {
	w.t.Helper()
	switch {
	case device == speaker:
		w.load("module-null-sink", "sink_name="+speaker, "rate=48000", "sink_properties='"+builtin+"'")
	case w.server == pipeWire:
		w.load("module-null-sink", "media.class=Audio/Source/Virtual", "sink_name="+microphone, "rate=48000", "channel_map=mono")
	default:
		w.load("module-null-source", "source_name="+microphone, "rate=48000", "channels=1")
	}
}

// speaks waits until the tone of a call comes out of the speaker.
func (w *world) speaks() {
	w.t.Helper()
	w.plays(440)
}

// plays waits until the tones of calls come out of the speaker, all together and
// little else.
func (w *world) plays(tones ...float64) {
	w.t.Helper()
	recorder := exec.Command("parec", "-d", speaker+".monitor", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=20")
	out, err := recorder.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := recorder.Start(); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		_ = recorder.Process.Kill()
		_ = recorder.Wait()
	}()
	pcm := make([]int16, audio.SampleRate/5)
	eventually(w.t, "the tones come out of the speaker", func() bool {
		if err := binary.Read(out, binary.LittleEndian, pcm); err != nil {
			w.t.Fatal(err)
		}
		all := 0.0
		for _, hz := range tones {
			share := audio.ToneLevel(pcm, hz)
			if all += share; share < 0.3 {
				return false
			}
		}
		return all > 0.95
	})
}

// run starts a part of the sound server.
func (w *world) run(cmd *exec.Cmd) *daemon {
	w.t.Helper()
	d := startDaemon(w.t, w.dir, cmd)
	w.running[d.name] = d
	return d
}

// startFarServer starts a PulseAudio that stands for another machine, and
// returns where it listens.
func (w *world) startFarServer() (socket string) {
	w.t.Helper()
	socket = filepath.Join(w.dir, "far.socket")
	cmd := exec.Command("pulseaudio", "-n", "-L", "module-native-protocol-unix socket="+socket+" auth-anonymous=1", "-L", "module-null-sink",
		"--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1")
	cmd.Env = append(os.Environ(), "PULSE_RUNTIME_PATH="+filepath.Join(w.dir, "far"))
	startDaemon(w.t, w.dir, cmd).listens(socket)
	return socket
}

// core is the part of the server through which all sound goes.
func (w *world) core() *daemon { return w.running[strings.ToLower(string(w.server))] }

// killServer kills the whole sound server.
func (w *world) killServer() {
	w.core().kill() // first, as nobody else is needed for its end
	for _, d := range w.running {
		d.kill()
	}
}

// revive starts PulseAudio again, as a user's session does, where it has aborted:
// it does about once in a thousand times that a headset connects, if the thread for
// the headset sets the sink's latency while the other one checks it.
func (w *world) revive() {
	w.t.Helper()
	select {
	case <-w.core().exited:
	default:
		return
	}
	log, err := os.ReadFile(w.core().log)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.aborted++; strings.Count(string(log), "Assertion 's->monitor_source->thread_info.fixed_latency == ") != w.aborted {
		w.t.Fatalf("%s has ended", w.server)
	}
	figure(w.t, "PulseAudio has aborted as the headset connected, and is started again")
	w.air.disconnect(w.t)
	w.startServer()
	w.air.connect(w.t)
}

// load makes a device by a module of the server, and returns how to unload it.
func (w *world) load(module string, args ...string) (unload func()) {
	w.t.Helper()
	index := must(w.t, "pactl", append([]string{"load-module", module}, args...)...)
	return func() {
		w.t.Helper()
		must(w.t, "pactl", "unload-module", index)
	}
}
