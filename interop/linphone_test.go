//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sotto/media/audio"
)

// linphoneConfig says how a Linphone is to behave. The algorithms are names of
// Sotto's, separated by commas, best first; empty is Linphone's own choice.
type linphoneConfig struct {
	Name                      string
	KeyAgreement, SAS         string
	Hashes, Ciphers, AuthTags string
	Daemon                    bool   // linphone-daemon, not linphonec
	Codec                     string // the one it speaks, of 8000 Hz in SDP; empty: all it has
	Plain                     bool   // no media encryption at all: a Linphone built without ZRTP
	Answer                    bool   // answer calls by itself
	Play                      string // WAV file heard by the other side, from the start of every call
	Home                      string // directory that outlasts the program; empty: a new one
}

// linphone is a running linphonec or linphone-daemon with a home directory of
// its own. Its process's transcript is its debug log and what it prints.
type linphone struct {
	*process
	cfg       linphoneConfig
	sip, rtp  int // ports; RTCP is rtp+1
	recording string
}

// linphoneSecure is what Linphone logs about a call that became secure.
type linphoneSecure struct {
	SAS      string
	Verified bool   // "previously verified yes"
	Suite    string // in Linphone's words
}

// startLinphone returns once the SIP port is open and audio goes to files.
func startLinphone(t *testing.T, free *ports, cfg linphoneConfig) *linphone {
	t.Helper()
	if cfg.Home == "" {
		cfg.Home = t.TempDir()
	}
	// Without this directory Linphone opens no SIP port.
	if err := os.MkdirAll(filepath.Join(cfg.Home, ".local/share/linphone"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := &linphone{cfg: cfg, sip: free.pair(t), rtp: free.pair(t), recording: filepath.Join(cfg.Home, "heard.wav")}
	if err := os.WriteFile(l.rc(), []byte(l.settings()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.process = l.start(t)
	l.await(t, "Creating listening point", patience)
	// What a program says to a command it says when its ports are open.
	if cfg.Daemon {
		l.say(t, "version")
		l.await(t, "Version: ", patience)
		return l
	}
	l.say(t, "soundcard use files")
	l.await(t, "Using wav files", patience)
	l.say(t, "play %s", cfg.Play)
	l.say(t, "record %s", l.recording)
	return l
}

func (l *linphone) rc() string { return filepath.Join(l.cfg.Home, "linphonerc") }

// zrtpCache is the SQLite file with linphonec's ZID and retained secrets.
func (l *linphone) zrtpCache() string { return filepath.Join(l.cfg.Home, ".linphone-zidcache") }

// start starts the program, whose debug log goes to descriptor 3.
func (l *linphone) start(t *testing.T) *process {
	t.Helper()
	cfg := l.cfg
	program, args, answer := "linphonec", []string{"-S", "-c", l.rc(), "-d", "6", "-l", "/dev/fd/3"}, "-a"
	if cfg.Daemon {
		program, args, answer = "linphone-daemon", []string{"--config", l.rc(), "--log", "/dev/fd/3"}, "--auto-answer"
	}
	requireTool(t, program)
	if cfg.Answer {
		args = append(args, answer)
	}
	cmd := telephone(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+cfg.Home, "TMPDIR="+cfg.Home, "PULSE_SERVER=unix:"+cfg.Home+"/none")
	switch {
	case cfg.Plain:
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+buildC(t, "nozrtp.c", "-shared", "-fPIC"))
	case cfg.Daemon:
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+buildC(t, "wavfiles.c", "-shared", "-fPIC"), "SAY="+cfg.Play, "HEARD="+l.recording)
	}
	return startProcess(t, program+" "+cfg.Name, cmd)
}

// buildC compiles a file of the folder linphone and returns the path of what
// comes of it.
func buildC(t *testing.T, file string, flags ...string) string {
	t.Helper()
	requireTool(t, "gcc")
	out := filepath.Join(t.TempDir(), strings.TrimSuffix(file, ".c"))
	args := append([]string{"-Wall", "-Wextra", "-Werror", "-o", out, "linphone/" + file}, flags...)
	if said, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%s doesn't build: %v\n%s\nIf a header is missing, run: %s", file, err, said, packages)
	}
	return out
}

// settings is the configuration file. Linphone adds the mandatory algorithms
// to those named here.
func (l *linphone) settings() string {
	cfg := l.cfg
	encryption := "media_encryption=zrtp\nmedia_encryption_mandatory=1"
	if cfg.Plain {
		encryption = "media_encryption=none"
	}
	return fmt.Sprintf(`[sip]
bind_address=127.0.0.1
sip_port=%[2]d
sip_tcp_port=0
sip_tls_port=0
contact="%[1]s" <sip:%[1]s@127.0.0.1:%[2]d>
guess_hostname=0
default_proxy=-1
use_ipv6=0
auto_net_state_mon=0
%[4]s
%[5]s%[6]s[rtp]
bind_address=127.0.0.1
audio_rtp_port=%[3]d
audio_jitt_comp=100
audio_adaptive_jitt_comp_enabled=0
[sound]
echocancellation=0
[video]
enabled=0
capture=0
display=0
automatically_initiate=0
automatically_accept=0
`, cfg.Name, l.sip, l.rtp, encryption, cfg.suites(), cfg.codecs())
}

// suites are the settings about algorithms.
func (cfg linphoneConfig) suites() string {
	var b strings.Builder
	for _, list := range []struct{ setting, kind, names string }{
		{"zrtp_key_agreements_suites", "KEY_AGREEMENT", cfg.KeyAgreement},
		{"zrtp_hash_suites", "HASH", cfg.Hashes},
		{"zrtp_cipher_suites", "CIPHER", cfg.Ciphers},
		{"zrtp_auth_suites", "AUTHTAG", cfg.AuthTags},
		{"zrtp_sas_suites", "SAS", cfg.SAS},
	} {
		if list.names == "" {
			continue
		}
		prefix := "MS_ZRTP_" + list.kind + "_"
		names := strings.Split(strings.ToUpper(list.names), ",")
		fmt.Fprintf(&b, "%s=%s%s\n", list.setting, prefix, strings.Join(names, ","+prefix))
	}
	return b.String()
}

// codecs are the settings about codecs.
func (cfg linphoneConfig) codecs() string {
	if cfg.Codec == "" {
		return ""
	}
	return "[misc]\nadd_missing_audio_codecs=0\n[audio_codec_0]\nmime=" + cfg.Codec + "\nrate=8000\nchannels=1\nenabled=1\n"
}

// uri is where the Linphone is reached.
func (l *linphone) uri() string { return fmt.Sprintf("sip:%s@127.0.0.1:%d", l.cfg.Name, l.sip) }

func (l *linphone) call(t *testing.T, uri string) { l.say(t, "call %s", uri) }

// awaitSecured waits until Linphone has agreed keys in the current call.
func (l *linphone) awaitSecured(t *testing.T) linphoneSecure {
	t.Helper()
	secrets := regexp.MustCompile(`SAS is (\S+) previously verified (yes|no)`)
	// Its main loop is told before the thread with the keys has logged what they are:
	// it may log the token, without which the SAS can't be confirmed, first.
	lines := l.awaitAll(t, "SAS is ", "ZRTP algo used during negotiation: ", "Authentication token is ")
	found := secrets.FindStringSubmatch(lines[0])
	if found == nil {
		t.Fatalf("%s: its line about the SAS has changed", l.name)
	}
	if _, token, _ := strings.Cut(lines[2], "Authentication token is "); !strings.HasPrefix(token, found[1]) {
		t.Errorf("%s: of the SAS %s, its main loop knows %q", l.name, found[1], token)
	}
	_, suite, _ := strings.Cut(lines[1], "negotiation: ")
	return linphoneSecure{SAS: found[1], Verified: found[2] == "yes", Suite: suite}
}

// setVerified confirms the SAS as a user does after comparing it, and returns
// when that is done: commands are carried out one after the other.
func (l *linphone) setVerified(t *testing.T) {
	t.Helper()
	l.say(t, "zrtp-set-verified")
	l.say(t, "help zrtp-set-verified")
	l.await(t, "'Set ZRTP SAS verified'", patience)
}

// sendDigits sends DTMF, each digit when the one before is over: Linphone drops
// what comes sooner. linphonec waits a second after each.
func (l *linphone) sendDigits(t *testing.T, digits string) {
	t.Helper()
	command := "%c"
	if l.cfg.Daemon {
		command = "dtmf %c"
	}
	for _, digit := range digits {
		l.say(t, command, digit)
		l.await(t, "Finished sending RFC2833 dtmf", patience)
	}
}

// awaitDigits waits until Linphone has received so many.
func (l *linphone) awaitDigits(t *testing.T, count int) {
	t.Helper()
	deadline := time.After(patience)
	for len(l.digits()) < count {
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s: it has received the digits %q only", l.name, l.digits())
		}
	}
}

// digits are those of DTMF that Linphone has received, in order.
func (l *linphone) digits() string {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	var all strings.Builder
	for _, line := range l.out.lines {
		if _, tone, ok := strings.Cut(line, "Receiving dtmf "); ok {
			all.WriteByte(tone[0])
		}
	}
	return all.String()
}

func (l *linphone) hangUp(t *testing.T) { l.say(t, "terminate") }

func (l *linphone) awaitEnded(t *testing.T, limit time.Duration) {
	l.await(t, "to LinphoneCallReleased", limit)
}

// awaitRecorded waits until Linphone has recorded this much of the call.
func (l *linphone) awaitRecorded(t *testing.T, length time.Duration) {
	t.Helper()
	want := int64(length.Seconds() * audio.SampleRate * 2)
	deadline := time.After(length + patience)
	for {
		if f, err := os.Stat(l.recording); err == nil && f.Size() >= want {
			return
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s: its recording doesn't reach %v", l.name, length)
		}
	}
}

// quit ends the process, which completes its recording.
func (l *linphone) quit(t *testing.T) {
	t.Helper()
	l.say(t, "quit")
	if code := l.exitCode(t, patience); code != 0 {
		t.Errorf("%s ended with code %d", l.name, code)
	}
}

// heard is what Linphone recorded of the last call.
func (l *linphone) heard(t *testing.T) recording {
	t.Helper()
	b, err := os.ReadFile(l.recording)
	if err != nil {
		t.Fatal(err)
	}
	// Linphone counts its 44 byte header into the length of the data.
	if len(b) < 44 || string(b[36:40]) != "data" {
		t.Fatalf("%s recorded no WAV file (%d bytes)", l.name, len(b))
	}
	binary.LittleEndian.PutUint32(b[40:], uint32(len(b)-44))
	return recording{l.name, pcmOf(t, b)}
}

// inLinphonesWords is a suite, as Sotto prints it, the way Linphone logs it.
func inLinphonesWords(t *testing.T, suite string) string {
	t.Helper()
	words := map[string]string{
		"X255": "ECDH-255", "X448": "ECDH-448", "DH3k": "DHM-3072", "DH2k": "DHM-2048",
		"S256": "SHA-256", "S384": "SHA-384", "AES1": "AES-128", "AES3": "AES-256",
		"HS32": "HMAC-SHA1-32", "HS80": "HMAC-SHA1-80", "B32": "Base32", "B256": "PGP-WordList",
	}
	part := strings.Split(suite, "/")
	if len(part) != 5 {
		t.Fatalf("%q is no suite", suite)
	}
	return fmt.Sprintf("Cipher: %s - KeyAgreement: %s - Hash: %s - AuthTag: %s - Sas Rendering: %s",
		words[part[2]], words[part[0]], words[part[1]], words[part[3]], words[part[4]])
}
