//go:build interop

package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"sotto/internal/libsrtp"
	"sotto/media/protect"
)

// Packets sealed over all profiles.
const (
	srtpPackets     = 48_000
	srtpPacketsLong = 1_000_000 // with SOTTO_LONG
)

const (
	packetsOfKey = 1000 // one key serves
	burst        = 125  // that are sealed before the next are delivered
	maxJump      = 28_000
	replayWindow = 128 // ours; libsrtp has no other for SRTCP
	sealing      = 0   // libsrtp's sessions
	opening      = 1
)

// srtpExchange sends random packets of one profile through us and through
// libsrtp, which must do the same to each.
type srtpExchange struct {
	t       *testing.T
	rng     *rand.Rand
	bytes   *rand.ChaCha8
	profile protect.Profile
	peer    *libsrtp.Peer

	streams []*srtpStream
	opener  *protect.Opener
	batch   bool          // we take several packets at once
	late    []srtpArrival // sealed, and still on their way after the next burst

	sealed, opened, replayed, damaged, reused int
}

// srtpStream is what one source sends.
type srtpStream struct {
	sealer *protect.Sealer
	ssrc   uint32
	index  uint64 // of the last RTP packet
	seen   uint64 // the greatest index that was opened
}

// srtpArrival is one packet as it arrives.
type srtpArrival struct {
	stream *srtpStream
	index  uint64
	rtcp   bool
	sealed []byte
	plain  []byte // nil: it was damaged on its way
	again  bool   // the packet before it, to be sealed a second time
}

// TestLibsrtpDifferential compares what both do to random packets: header
// shapes, sizes, jumps, roll-overs, reordering, replays, damage.
func TestLibsrtpDifferential(t *testing.T) {
	packets := srtpPackets
	if os.Getenv("SOTTO_LONG") != "" {
		packets = srtpPacketsLong
	}
	t.Log("with the tier", protect.Tier())
	var comparable []string
	for _, name := range libsrtp.Profiles {
		if !strings.HasPrefix(name, "AES_192") { // see TestLibsrtpDerives192Otherwise
			comparable = append(comparable, name)
		}
	}
	for i, name := range comparable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := startLibsrtp(t)
			source := rand.NewChaCha8([32]byte{byte(i), 'l', 'i', 'b', 's', 'r', 't', 'p'})
			x := &srtpExchange{t: t, rng: rand.New(source), bytes: source, profile: profileNamed(t, name), peer: peer}
			for x.sealed < packets/len(comparable) {
				x.key()
			}
			t.Logf("%d sealed alike, %d opened alike; refused by both: %d replayed, %d damaged, %d sealed again",
				x.sealed, x.opened, x.replayed, x.damaged, x.reused)
			for what, n := range map[string]int{"opened": x.opened, "replayed": x.replayed, "damaged": x.damaged, "sealed again": x.reused} {
				if n < x.sealed/100 {
					t.Errorf("only %d of %d were %s", n, x.sealed, what)
				}
			}
		})
	}
}

// TestLibsrtpDifferentialTiers does it with the instructions that this processor
// has besides the best ones. They are chosen when a program starts.
func TestLibsrtpDifferentialTiers(t *testing.T) {
	for _, tier := range protect.Tiers() {
		if tier == protect.Tier() {
			continue
		}
		again := exec.Command(os.Args[0], "-test.run=^TestLibsrtpDifferential$", "-test.v")
		again.Env = append(os.Environ(), "SOTTO_SRTP_TIER="+tier)
		out, err := again.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "with the tier "+tier) {
			t.Errorf("%s: %v\n%s", tier, err, out)
		}
	}
}

// TestLibsrtpDerives192Otherwise says why the profiles with AES-192 can't be
// compared: libsrtp 2.5 derives their session keys with AES-256, of which the
// master salt makes the end of the key, where RFC 6188 §3.1 wants AES-192. All
// else is as it should be. Should this test fail, they can be compared.
func TestLibsrtpDerives192Otherwise(t *testing.T) {
	peer := startLibsrtp(t)
	for name, tagLen := range map[string]int{"AES_192_CM_HMAC_SHA1_80": 10, "AES_192_CM_HMAC_SHA1_32": 4} {
		material := make([]byte, 24+14)
		for i := range material {
			material[i] = byte(5 * i)
		}
		if err := peer.Open(libsrtp.Session{ID: sealing, Profile: name, Window: replayWindow, Key: material}); err != nil {
			t.Fatal(err)
		}
		packet := []byte("\x80\x60\x00\x01timessrctwenty bytes payload")
		derive := func(label byte, n int) []byte { // RFC 3711 §4.3.1, but for the key's length
			iv := make([]byte, 16)
			copy(iv, material[32:])
			iv[7] ^= label
			return keystream(t, material[:32], iv, make([]byte, n))
		}
		iv := append(derive(2, 14), 0, 0) // RFC 3711 §4.1.1
		for i := range 4 {
			iv[4+i] ^= packet[8+i]
		}
		iv[13] ^= 1
		want := append(bytes.Clone(packet[:12]), keystream(t, derive(0, 24), iv, packet[12:])...)
		mac := hmac.New(sha1.New, derive(1, 20))
		mac.Write(append(bytes.Clone(want), 0, 0, 0, 0))
		want = append(want, mac.Sum(nil)[:tagLen]...)

		theirs := []libsrtp.Packet{{Session: sealing, Kind: libsrtp.Protect, Bytes: packet}}
		if err := peer.Run(theirs); err != nil || !bytes.Equal(theirs[0].Result, want) {
			t.Errorf("%s: %v, status %d, %x; want %x", name, err, theirs[0].Status, theirs[0].Result, want)
		}
	}
}

// keystream is AES in counter mode.
func keystream(t *testing.T, key, iv, data []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, len(data))
	cipher.NewCTR(block, iv).XORKeyStream(out, data)
	return out
}

func startLibsrtp(t *testing.T) *libsrtp.Peer {
	t.Helper()
	peer, err := libsrtp.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := peer.Close(); err != nil {
			t.Error(err)
		}
	})
	return peer
}

// profileNamed finds ours by its IANA name.
func profileNamed(t *testing.T, name string) protect.Profile {
	t.Helper()
	for _, p := range protect.Profiles() {
		if p.String() == name {
			return p
		}
	}
	t.Fatalf("we have no profile %s", name)
	return 0
}

// key exchanges packets under a new key.
func (x *srtpExchange) key() {
	x.t.Helper()
	material := x.random(x.profile.KeyLen() + x.profile.SaltLen())
	key, salt := material[:x.profile.KeyLen()], material[x.profile.KeyLen():]
	for id, inbound := range []bool{sealing: false, opening: true} {
		s := libsrtp.Session{ID: uint16(id), Inbound: inbound, Profile: x.profile.String(), Window: replayWindow, Key: material}
		if err := x.peer.Open(s); err != nil {
			x.t.Fatal(err)
		}
	}
	var err error
	if x.opener, err = protect.NewOpener(x.profile, key, salt); err != nil {
		x.t.Fatal(err)
	}
	x.streams, x.late, x.batch = nil, nil, !x.batch
	for range 1 + x.rng.IntN(3) {
		sealer, err := protect.NewSealer(x.profile, key, salt)
		if err != nil {
			x.t.Fatal(err)
		}
		// Below 2^15, so that whichever packet arrives first is of the first
		// 2^16 (RFC 3711 §3.3.1).
		start := x.rng.Uint64N(1 << 15)
		x.streams = append(x.streams, &srtpStream{sealer: sealer, ssrc: x.rng.Uint32(), index: start, seen: start})
	}
	for range packetsOfKey / burst {
		x.open(x.travel(x.seal()))
	}
}

func (x *srtpExchange) random(n int) []byte {
	b := make([]byte, n)
	_, _ = x.bytes.Read(b) // never fails
	return b
}

// seal has both seal the next packets, and compares.
func (x *srtpExchange) seal() []srtpArrival {
	x.t.Helper()
	var sent []srtpArrival
	for range burst {
		d := srtpArrival{stream: x.streams[x.rng.IntN(len(x.streams))], rtcp: x.rng.IntN(4) == 0}
		if d.rtcp {
			d.plain = x.rtcp(d.stream)
		} else {
			d.plain = x.rtp(d.stream)
			d.index = d.stream.index
		}
		sent = append(sent, d)
		if !d.rtcp && x.rng.IntN(30) == 0 {
			d.again = true
			sent = append(sent, d)
		}
	}
	theirs := make([]libsrtp.Packet, len(sent))
	for i, d := range sent {
		theirs[i] = libsrtp.Packet{Session: sealing, Kind: libsrtp.Protect, Bytes: d.plain}
		if d.rtcp {
			theirs[i].Kind = libsrtp.ProtectRTCP
		}
	}
	x.run(theirs)
	x.sealOurs(sent)
	for i, d := range sent {
		switch {
		case d.again && theirs[i].Status == libsrtp.Replay:
			x.reused++
		case theirs[i].Status != libsrtp.OK || !bytes.Equal(theirs[i].Result, d.sealed):
			x.t.Fatalf("%x sealed to\n%x\nlibsrtp, status %d:\n%x", theirs[i].Bytes, d.sealed, theirs[i].Status, theirs[i].Result)
		default:
			x.sealed++
		}
	}
	return slices.DeleteFunc(sent, func(d srtpArrival) bool { return d.again })
}

// sealOurs seals each packet, or the RTP packets of some at once.
func (x *srtpExchange) sealOurs(sent []srtpArrival) {
	x.t.Helper()
	var jobs []protect.Outgoing
	var of []*srtpArrival
	flush := func() {
		protect.SealBatch(jobs)
		for i, job := range jobs {
			x.check(of[i], job.N, job.Err)
		}
		jobs, of = jobs[:0], of[:0]
	}
	for i := range sent {
		d := &sent[i]
		if d.rtcp {
			d.sealed = append(bytes.Clone(d.plain), make([]byte, x.profile.RTCPOverhead())...)
			n, err := d.stream.sealer.SealRTCP(d.sealed, len(d.plain))
			x.check(d, n, err)
			continue
		}
		d.sealed = append(bytes.Clone(d.plain), make([]byte, x.profile.TagLen())...)
		if x.batch {
			jobs, of = append(jobs, protect.Outgoing{Sealer: d.stream.sealer, Packet: d.sealed, N: len(d.plain)}), append(of, d)
			if x.rng.IntN(32) == 0 {
				flush()
			}
			continue
		}
		n, err := d.stream.sealer.Seal(d.sealed, len(d.plain))
		x.check(d, n, err)
	}
	flush()
}

// check looks at what sealing said.
func (x *srtpExchange) check(d *srtpArrival, n int, err error) {
	x.t.Helper()
	switch {
	case d.again && !errors.Is(err, protect.ErrReuse):
		x.t.Fatalf("one index sealed twice: %v", err)
	case !d.again && (err != nil || n != len(d.sealed)):
		x.t.Fatalf("sealed %d of %d bytes, %v: %x", n, len(d.sealed), err, d.plain)
	}
}

func (x *srtpExchange) run(packets []libsrtp.Packet) {
	x.t.Helper()
	if err := x.peer.Run(packets); err != nil {
		x.t.Fatal(err)
	}
}

// rtp is the stream's next RTP packet, whose header has any shape.
func (x *srtpExchange) rtp(s *srtpStream) []byte {
	step := uint64(1)
	switch x.rng.IntN(100) {
	case 0:
		step += x.rng.Uint64N(maxJump)
	case 1, 2, 3, 4, 5:
		step += x.rng.Uint64N(20)
	}
	if s.index+step-s.seen >= 1<<15 { // no index can be guessed from there
		step = 1
	}
	s.index += step
	b := x.random(12)
	b[0] = 2<<6 | b[0]&0x20 // padding is of the payload: any
	binary.BigEndian.PutUint16(b[2:], uint16(s.index))
	binary.BigEndian.PutUint32(b[8:], s.ssrc)
	if x.rng.IntN(3) == 0 {
		sources := x.rng.IntN(16)
		b[0] |= byte(sources)
		b = append(b, x.random(4*sources)...)
	}
	if x.rng.IntN(3) == 0 {
		words := x.rng.IntN(20)
		b[0] |= 0x10
		b = binary.BigEndian.AppendUint16(b, x.extension())
		b = binary.BigEndian.AppendUint16(b, uint16(words))
		b = append(b, x.random(4*words)...)
	}
	return append(b, x.random(x.size())...)
}

// extension is the kind of a header extension: those of RFC 8285, or any, but
// for encrypted ones (RFC 9335), which libsrtp 2.5 does not know.
func (x *srtpExchange) extension() uint16 {
	switch kind := uint16(x.rng.Uint32()); {
	case kind == 0xc0de || kind == 0xc2de || kind%4 == 0:
		return 0xbede
	case kind%4 == 1:
		return 0x1000
	default:
		return kind
	}
}

func (x *srtpExchange) size() int {
	if x.rng.IntN(4) == 0 {
		return x.rng.IntN(1501)
	}
	return x.rng.IntN(200)
}

// rtcp is a packet that begins as an RTCP packet does; what follows is any.
func (x *srtpExchange) rtcp(s *srtpStream) []byte {
	b := x.random(8 + x.size())
	b[0] = 2<<6 | b[0]&0x3f
	b[1] = 200 + b[1]%8
	binary.BigEndian.PutUint32(b[4:], s.ssrc)
	return b
}

// travel loses, repeats, damages and reorders.
func (x *srtpExchange) travel(sent []srtpArrival) []srtpArrival {
	arriving := x.late
	x.late = nil
	for _, d := range sent {
		switch x.rng.IntN(40) {
		case 0: // lost
			continue
		case 1: // older than the window when it comes
			x.late = append(x.late, d)
			continue
		case 2, 3:
			arriving = append(arriving, d)
		case 4, 5, 6:
			arriving = append(arriving, x.damage(d))
		}
		arriving = append(arriving, d)
	}
	for i := range arriving {
		if x.rng.IntN(5) == 0 {
			j := min(i+x.rng.IntN(40), len(arriving)-1)
			arriving[i], arriving[j] = arriving[j], arriving[i]
		}
	}
	return arriving
}

func (x *srtpExchange) damage(d srtpArrival) srtpArrival {
	d.plain, d.sealed = nil, bytes.Clone(d.sealed)
	switch x.rng.IntN(4) {
	case 0:
		d.sealed = d.sealed[:x.rng.IntN(len(d.sealed))]
	case 1:
		d.sealed = append(d.sealed, x.random(1+x.rng.IntN(40))...)
	default:
		bit := x.rng.IntN(8 * len(d.sealed))
		d.sealed[bit/8] ^= 1 << (bit % 8)
	}
	return d
}

// open has both open what arrives, and compares.
func (x *srtpExchange) open(arriving []srtpArrival) {
	x.t.Helper()
	theirs := make([]libsrtp.Packet, len(arriving))
	for i, d := range arriving {
		theirs[i] = libsrtp.Packet{Session: opening, Kind: libsrtp.Unprotect, Bytes: d.sealed}
		if d.rtcp {
			theirs[i].Kind = libsrtp.UnprotectRTCP
		}
	}
	x.run(theirs)
	packets := make([][]byte, len(arriving))
	for i, d := range arriving {
		packets[i] = bytes.Clone(d.sealed)
	}
	var jobs []protect.Incoming
	var of []int
	flush := func() {
		protect.OpenBatch(jobs)
		for i, job := range jobs {
			x.compare(arriving[of[i]], job, theirs[of[i]])
		}
		jobs, of = jobs[:0], of[:0]
	}
	for i, d := range arriving {
		job := protect.Incoming{Opener: x.opener, Packet: packets[i]}
		switch {
		case d.rtcp:
			job.N, job.Err = x.opener.OpenRTCP(job.Packet)
			x.compare(d, job, theirs[i])
		case x.batch:
			jobs, of = append(jobs, job), append(of, i)
			if x.rng.IntN(32) == 0 {
				flush()
			}
		default:
			job.N, job.Err = x.opener.Open(job.Packet)
			x.compare(d, job, theirs[i])
		}
	}
	flush()
}

// compare holds what we have opened against libsrtp's.
func (x *srtpExchange) compare(d srtpArrival, ours protect.Incoming, theirs libsrtp.Packet) {
	x.t.Helper()
	packet, n, err := ours.Packet, ours.N, ours.Err
	if (err == nil) != (theirs.Status == libsrtp.OK) {
		x.t.Fatalf("we say %v, libsrtp %d: RTCP %t, index %d, greatest %d, intact %t: %x",
			err, theirs.Status, d.rtcp, d.index, d.stream.seen, d.plain != nil, d.sealed)
	}
	if err == nil {
		if d.plain == nil || !bytes.Equal(packet[:n], d.plain) || !bytes.Equal(theirs.Result, d.plain) {
			x.t.Fatalf("%x opened to\n%x\nlibsrtp:\n%x\nbut was\n%x", d.sealed, packet[:n], theirs.Result, d.plain)
		}
		if !d.rtcp {
			d.stream.seen = max(d.stream.seen, d.index)
		}
		x.opened++
		return
	}
	if n != 0 || !bytes.Equal(packet, d.sealed) {
		x.t.Fatalf("refused with %v, yet %d bytes, or changed", err, n)
	}
	if d.plain == nil {
		x.damaged++
		return
	}
	if outdated := !d.rtcp && d.index+1<<15 <= d.stream.seen; outdated { // guessed one roll-over too late, by both
		x.replayed++
		return
	}
	if !errors.Is(err, protect.ErrReplay) || theirs.Status != libsrtp.Replay && theirs.Status != libsrtp.ReplayOld {
		x.t.Fatalf("we say %v, libsrtp %d, of an intact packet that came twice or late: RTCP %t, index %d, greatest %d",
			err, theirs.Status, d.rtcp, d.index, d.stream.seen)
	}
	x.replayed++
}

// TestLibsrtpMeasures is what bench/srtp asks of the program.
func TestLibsrtpMeasures(t *testing.T) {
	peer := startLibsrtp(t)
	if version, err := peer.Version(); err != nil || !strings.HasPrefix(version, "libsrtp2 2.") {
		t.Errorf("%q, %v", version, err)
	}
	for _, name := range libsrtp.Profiles {
		for _, unprotect := range []bool{false, true} {
			l := libsrtp.Load{Profile: name, Unprotect: unprotect, Size: 80, Contexts: 3, Warm: 5, Timed: 64}
			if spent, err := peer.Measure(l); err != nil || spent <= 0 {
				t.Errorf("%+v: %v, %v", l, spent, err)
			}
		}
	}
	if _, err := peer.Measure(libsrtp.Load{Profile: libsrtp.Profiles[0], Size: 80, Timed: 64}); err == nil {
		t.Error("packets of no context are measured")
	}
}
