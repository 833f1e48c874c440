// Package libsrtp is Debian's libsrtp in a process of its own, for tests and
// benchmarks: a second opinion on bytes and verdicts. Debian builds it on NSS,
// which makes it many times slower than libsrtp can be: its times are worth
// little.
//
// The program is written in C, see peer/libsrtp_peer.c, and built with gcc when it
// is needed. A [Peer] belongs to one goroutine.
package libsrtp

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

//go:embed peer/libsrtp_peer.c
var source []byte

// Packages are Debian's names of what Build needs.
const Packages = "gcc libc6-dev libsrtp2-dev"

// Profiles are the IANA names of the profiles that libsrtp has, in the order
// in which libsrtp_peer.c counts them.
var Profiles = []string{
	"AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32",
	"AES_192_CM_HMAC_SHA1_80", "AES_192_CM_HMAC_SHA1_32",
	"AES_256_CM_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_32",
	"AEAD_AES_128_GCM", "AEAD_AES_256_GCM",
}

// Status is what libsrtp says of a packet, srtp_err_status_t.
type Status uint8

// The statuses that matter to a comparison; the others are in srtp.h.
const (
	OK        Status = 0
	AuthFail  Status = 7
	Replay    Status = 9
	ReplayOld Status = 10
)

// Peer is the running program.
type Peer struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	requests *bufio.Writer
	answers  *bufio.Reader
	dir      string
}

// Start builds the program and runs it. An error says what is missing.
func Start() (*Peer, error) {
	dir, err := os.MkdirTemp("", "sotto-libsrtp-")
	if err != nil {
		return nil, err
	}
	p := &Peer{dir: dir}
	if err := p.start(filepath.Join(dir, "libsrtp_peer")); err != nil {
		_ = os.RemoveAll(dir) // a leftover harms nobody
		return nil, err
	}
	return p, nil
}

func (p *Peer) start(program string) error {
	if err := os.WriteFile(program+".c", source, 0o600); err != nil {
		return err
	}
	gcc := exec.Command("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, program+".c", "-lsrtp2")
	if out, err := gcc.CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w\n%s\nsudo apt-get install -y %s", err, out, Packages)
	}
	p.cmd = exec.Command(program)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.in, p.requests, p.answers = in, bufio.NewWriter(in), bufio.NewReader(out)
	return p.cmd.Start()
}

// Close ends the program and removes it. Its error is that of a program that
// did not end well.
func (p *Peer) Close() error {
	err := errors.Join(p.in.Close(), p.cmd.Wait())
	return errors.Join(err, os.RemoveAll(p.dir))
}

// Version is what libsrtp calls itself.
func (p *Peer) Version() (string, error) {
	length, err := p.ask([]byte{'V'}, 1)
	if err != nil {
		return "", err
	}
	version := make([]byte, length[0])
	_, err = io.ReadFull(p.answers, version)
	return string(version), err
}

// Session is one session of the program, of one direction.
type Session struct {
	ID      uint16 // below 4096; chosen by the caller, a used one is replaced
	Inbound bool   // opens; otherwise seals
	Profile string // one of Profiles
	Window  uint16 // for replays, in packets
	Key     []byte // master key and salt
}

// Open makes s.
func (p *Peer) Open(s Session) error {
	profile := slices.Index(Profiles, s.Profile)
	if profile < 0 {
		return fmt.Errorf("libsrtp: no profile %q", s.Profile)
	}
	b := binary.LittleEndian.AppendUint16([]byte{'N'}, s.ID)
	b = append(b, flag(s.Inbound), byte(profile))
	b = binary.LittleEndian.AppendUint16(b, s.Window)
	b = append(append(b, byte(len(s.Key))), s.Key...)
	answer, err := p.ask(b, 1)
	if err == nil && answer[0] != 0 {
		err = fmt.Errorf("libsrtp: status %d for a session with %s", answer[0], s.Profile)
	}
	return err
}

// ask sends one request and reads n bytes of answer.
func (p *Peer) ask(request []byte, n int) ([]byte, error) {
	if _, err := p.requests.Write(append(request, 'F')); err != nil {
		return nil, err
	}
	if err := p.requests.Flush(); err != nil {
		return nil, err
	}
	answer := make([]byte, n)
	_, err := io.ReadFull(p.answers, answer)
	return answer, err
}

func flag(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// Kind says what is to be done to a packet.
type Kind byte

// What libsrtp can do to a packet, as the program's requests are named.
const (
	Protect       Kind = 'P'
	Unprotect     Kind = 'R'
	ProtectRTCP   Kind = 'p'
	UnprotectRTCP Kind = 'r'
)

// Packet is one packet on its way through a session.
type Packet struct {
	Session uint16
	Kind    Kind
	Bytes   []byte // before; Run leaves it alone
	Status  Status // set by Run, as is:
	Result  []byte // after; empty unless Status is OK
}

// Run has libsrtp work on packets, in their order.
func (p *Peer) Run(packets []Packet) error {
	written := make(chan error, 1)
	go func() { written <- p.send(packets) }() // answers would fill the pipe
	err := p.receive(packets)
	return errors.Join(<-written, err)
}

func (p *Peer) send(packets []Packet) error {
	var head []byte
	for _, k := range packets {
		head = binary.LittleEndian.AppendUint16(append(head[:0], byte(k.Kind)), k.Session)
		head = binary.LittleEndian.AppendUint16(head, uint16(len(k.Bytes)))
		_, _ = p.requests.Write(head) // Flush reports
		_, _ = p.requests.Write(k.Bytes)
	}
	_ = p.requests.WriteByte('F')
	return p.requests.Flush()
}

func (p *Peer) receive(packets []Packet) error {
	for i := range packets {
		var head [3]byte
		if _, err := io.ReadFull(p.answers, head[:]); err != nil {
			return fmt.Errorf("libsrtp: %w", err)
		}
		packets[i].Status = Status(head[0])
		packets[i].Result = make([]byte, binary.LittleEndian.Uint16(head[1:]))
		if _, err := io.ReadFull(p.answers, packets[i].Result); err != nil {
			return fmt.Errorf("libsrtp: %w", err)
		}
	}
	return nil
}

// Load is what Measure measures: Timed packets with Size bytes of payload,
// after Warm others, of Contexts contexts in turn. Timed is a multiple of 8.
type Load struct {
	Profile     string
	Unprotect   bool
	Size        int
	Contexts    int
	Warm, Timed int
}

// Measure returns how long the Timed packets took: eight times what the median
// eighth of them took.
func (p *Peer) Measure(l Load) (time.Duration, error) {
	profile := slices.Index(Profiles, l.Profile)
	if profile < 0 {
		return 0, fmt.Errorf("libsrtp: no profile %q", l.Profile)
	}
	b := []byte{'M', byte(profile), flag(l.Unprotect)}
	b = binary.LittleEndian.AppendUint16(b, uint16(l.Size))
	b = binary.LittleEndian.AppendUint16(b, uint16(l.Contexts))
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Warm))
	b = binary.LittleEndian.AppendUint32(b, uint32(l.Timed))
	answer, err := p.ask(b, 9)
	if err != nil {
		return 0, err
	}
	if answer[0] != 0 {
		return 0, fmt.Errorf("libsrtp: status %d while measuring %+v", answer[0], l)
	}
	return time.Duration(binary.LittleEndian.Uint64(answer[1:])), nil
}
