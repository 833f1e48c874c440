// Package soundserver runs a real PulseAudio or PipeWire for a test, in a folder
// of its own and without hardware: its devices are null sinks.
package soundserver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// packages is what a Debian machine needs for these tests.
const packages = "apt-get install -y pulseaudio pulseaudio-utils pipewire pipewire-bin pipewire-pulse wireplumber dbus"

// patience bounds every wait for something a server should do at once.
const patience = 20 * time.Second

// Kind is which server.
type Kind string

// The kinds of servers.
const (
	PulseAudio Kind = "PulseAudio"
	PipeWire   Kind = "PipeWire" // with its imitation of PulseAudio
)

// Kinds is all of them.
var Kinds = []Kind{PulseAudio, PipeWire}

// Server is one that runs. One goroutine uses it.
type Server struct {
	Kind Kind
	// Dir is its folder: its runtime directory, its client's home.
	Dir       string
	t         testing.TB
	processes []*exec.Cmd
}

// Start runs a server until the test ends, and this process before other work.
// The environment of this process leads to it, so tests with servers come one
// after another.
func Start(t testing.TB, kind Kind) *Server {
	t.Helper()
	hurry()
	s := &Server{Kind: kind, Dir: t.TempDir(), t: t}
	if err := os.Chmod(s.Dir, 0o700); err != nil { // a runtime directory has to be private
		t.Fatal(err)
	}
	for key, value := range map[string]string{
		"HOME": s.Dir, "XDG_RUNTIME_DIR": s.Dir, "XDG_CONFIG_HOME": s.Dir + "/config", "XDG_STATE_HOME": s.Dir + "/state",
		"PULSE_SERVER": "unix:" + s.Dir + "/pulse/native", "PULSE_RUNTIME_PATH": s.Dir + "/pulse",
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + s.Dir + "/bus",
	} {
		t.Setenv(key, value)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			s.showLogs()
		}
	})
	s.Run()
	return s
}

// Run starts it, also again after Kill: it has no devices then.
func (s *Server) Run() {
	s.t.Helper()
	if s.Kind == PulseAudio {
		s.program("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1", "--disallow-exit=yes",
			"--log-target=stderr", "-L", "module-native-protocol-unix auth-anonymous=1 socket="+s.Dir+"/pulse/native")
	} else {
		s.program("dbus-daemon", "--session", "--nofork", "--nopidfile", "--address=unix:path="+s.Dir+"/bus")
		s.await("bus")
		s.program("pipewire")
		s.await("pipewire-0")
		s.program("wireplumber")
		s.program("pipewire-pulse")
	}
	s.await("pulse/native")
	s.Until("answer", func() bool { _, err := pactl("info"); return err == nil })
}

// hurry lets the threads of this process, and those that they will make, go
// before others where that is allowed.
func hurry() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, thread := range threads {
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, -15) // not allowed: then not
		}
	}
}

func (s *Server) program(name string, args ...string) {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.Dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	// It goes before other work where that is allowed (root), as a sound server does
	// elsewhere, so that a busy machine isn't heard.
	cmd := exec.Command("nice", append([]string{"-n", "-15", name}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%v; run: %s", err, packages)
	}
	s.processes = append(s.processes, cmd)
}

// Kill ends it as a crash would.
func (s *Server) Kill() {
	for _, p := range s.processes {
		_ = p.Process.Kill() // it may have ended
		_ = p.Wait()
	}
	s.processes = nil
	for _, socket := range []string{"pulse/native", "pipewire-0", "bus"} {
		_ = os.Remove(filepath.Join(s.Dir, socket)) // it may not be there
	}
}

// Freeze stops all its work, or lets it go on.
func (s *Server) Freeze(on bool) {
	signal := syscall.SIGCONT
	if on {
		signal = syscall.SIGSTOP
	}
	for _, p := range s.processes {
		if err := p.Process.Signal(signal); err != nil {
			s.t.Error(err)
		}
	}
}

func (s *Server) showLogs() {
	names, _ := filepath.Glob(filepath.Join(s.Dir, "*.log"))
	for _, name := range names {
		text, _ := os.ReadFile(name)
		s.t.Logf("%s:\n%s", filepath.Base(name), text)
	}
}

// await waits for a file in the server's folder.
func (s *Server) await(file string) {
	s.t.Helper()
	s.Until(file, func() bool { _, err := os.Stat(filepath.Join(s.Dir, file)); return err == nil })
}

// Until waits until something holds.
func (s *Server) Until(what string, holds func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("%s: no %s", s.Kind, what)
		}
	}
}

// AddSink makes a null sink, and returns the number to remove it by.
func (s *Server) AddSink(name string) (module string) {
	s.t.Helper()
	args := []string{"load-module", "module-null-sink", "sink_name=" + name, "rate=48000", "channels=2"}
	if s.Kind == PulseAudio {
		args = append(args, "norewinds=1") // otherwise it has 2 s of silence ahead while it idles
	}
	module = s.Pactl(args...)
	s.Until("sink "+name, func() bool {
		sources, err := pactl("list", "short", "sources")
		return err == nil && strings.Contains(sources, "\t"+name+".monitor\t")
	})
	return module
}

// SetDefault makes a sink or a source the default: PipeWire can't until its session
// manager is up.
func (s *Server) SetDefault(kind, name string) {
	s.t.Helper()
	s.Until("default "+kind+" "+name, func() bool { _, err := pactl("set-default-"+kind, name); return err == nil })
}

// Pactl asks the server for something, and returns what it says.
func (s *Server) Pactl(args ...string) string {
	s.t.Helper()
	out, err := pactl(args...)
	if err != nil {
		s.t.Fatalf("pactl %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

// TryPactl is Pactl for what the server may refuse.
func (s *Server) TryPactl(args ...string) (string, error) { return pactl(args...) }

func pactl(args ...string) (string, error) {
	out, err := exec.Command("pactl", args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
