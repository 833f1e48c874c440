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

// linphoneConfig says how a linphonec is to behave.
type linphoneConfig struct {
	Name         string
	KeyAgreement string // X255 or DH3k: the only one it prefers
	SAS          string // B32 or B256
	Plain        bool   // no media encryption at all: a Linphone built without ZRTP
	Answer       bool   // answer calls by itself
	Play         string // WAV file heard by the other side, from the start of every call
}

// linphone is a running linphonec with a home directory of its own.
type linphone struct {
	*process
	sip, rtp  int // ports; RTCP is rtp+1
	recording string
}

// linphoneSecure is what linphonec logs about a call that became secure.
type linphoneSecure struct {
	SAS      string
	Verified bool   // "previously verified yes"
	Suite    string // in Linphone's words
}

// startLinphone returns once the SIP port is open and audio goes to files.
func startLinphone(t *testing.T, free *ports, cfg linphoneConfig) *linphone {
	t.Helper()
	requireTool(t, "linphonec")
	home := t.TempDir()
	// Without this directory linphonec opens no SIP port.
	if err := os.MkdirAll(filepath.Join(home, ".local/share/linphone"), 0o700); err != nil {
		t.Fatal(err)
	}
	l := &linphone{sip: free.pair(t), rtp: free.pair(t), recording: filepath.Join(home, "heard.wav")}
	rc := filepath.Join(home, "linphonerc")
	if err := os.WriteFile(rc, []byte(l.settings(cfg)), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-S", "-c", rc, "-d", "6", "-l", "/dev/fd/3"}
	if cfg.Answer {
		args = append(args, "-a")
	}
	cmd := telephone("linphonec", args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "PULSE_SERVER=unix:"+home+"/none")
	if cfg.Plain {
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+buildNoZRTP(t))
	}
	l.process = startProcess(t, "linphonec "+cfg.Name, cmd)
	l.await(t, "Creating listening point", patience)
	l.say(t, "soundcard use files")
	l.await(t, "Using wav files", patience)
	l.say(t, "play %s", cfg.Play)
	l.say(t, "record %s", l.recording)
	return l
}

// buildNoZRTP compiles what takes ZRTP out of a linphonec.
func buildNoZRTP(t *testing.T) string {
	t.Helper()
	requireTool(t, "gcc")
	lib := filepath.Join(t.TempDir(), "nozrtp.so")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", lib, "linphone/nozrtp.c").CombinedOutput(); err != nil {
		t.Fatalf("nozrtp.so doesn't build: %v\n%s", err, out)
	}
	return lib
}

// settings is the configuration file. Linphone adds the mandatory algorithms
// to the suites named here.
func (l *linphone) settings(cfg linphoneConfig) string {
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
zrtp_key_agreements_suites=MS_ZRTP_KEY_AGREEMENT_%[5]s
zrtp_sas_suites=MS_ZRTP_SAS_%[6]s
[rtp]
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
`, cfg.Name, l.sip, l.rtp, encryption, strings.ToUpper(cfg.KeyAgreement), cfg.SAS)
}

// uri is where the linphonec called name is reached.
func (l *linphone) uri(name string) string { return fmt.Sprintf("sip:%s@127.0.0.1:%d", name, l.sip) }

func (l *linphone) call(t *testing.T, uri string) { l.say(t, "call %s", uri) }

// awaitSecured waits until linphonec has agreed keys in the current call.
func (l *linphone) awaitSecured(t *testing.T) linphoneSecure {
	t.Helper()
	secrets := regexp.MustCompile(`SAS is (\S+) previously verified (yes|no)`)
	found := secrets.FindStringSubmatch(l.await(t, "SAS is ", patience))
	if found == nil {
		t.Fatalf("%s: its line about the SAS has changed", l.name)
	}
	// Until its main loop knows of the keys, the SAS can't be confirmed.
	defer l.await(t, "Authentication token is "+found[1], patience)
	_, suite, _ := strings.Cut(l.await(t, "ZRTP algo used during negotiation: ", patience), "negotiation: ")
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

func (l *linphone) hangUp(t *testing.T) { l.say(t, "terminate") }

func (l *linphone) awaitEnded(t *testing.T, limit time.Duration) {
	l.await(t, "to LinphoneCallReleased", limit)
}

// awaitRecorded waits until linphonec has recorded this much of the call.
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

// heard is what linphonec recorded of the last call.
func (l *linphone) heard(t *testing.T) recording {
	t.Helper()
	b, err := os.ReadFile(l.recording)
	if err != nil {
		t.Fatal(err)
	}
	// linphonec counts its 44 byte header into the length of the data.
	if len(b) < 44 || string(b[36:40]) != "data" {
		t.Fatalf("%s recorded no WAV file (%d bytes)", l.name, len(b))
	}
	binary.LittleEndian.PutUint32(b[40:], uint32(len(b)-44))
	return recording{l.name, pcmOf(t, b)}
}

// suiteWords are Linphone's names for the parts of a suite.
func suiteWords(keyAgreement, sas string) []string {
	words := map[string]string{
		"X255": "KeyAgreement: ECDH-255", "DH3k": "KeyAgreement: DHM-3072",
		"B32": "Sas Rendering: Base32", "B256": "Sas Rendering: PGP-WordList",
	}
	return []string{words[keyAgreement], words[sas]}
}
