package media_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

const (
	opusType       = 96
	eventType      = 101
	otherEventType = 100
	ourSSRC        = 0x0a0b0c0d
	peerSSRC       = 0x1a1b1c1d
	profile        = protect.AESCM128HMACSHA1_80
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// at is the time of tick i.
func at(i int) time.Time { return epoch.Add(time.Duration(i) * media.FrameDuration) }

// verified is what a call on built-in devices gets.
func verified(t testing.TB) route.Verified {
	t.Helper()
	v, err := route.Policy{}.Verify(route.Route{Class: route.BuiltinMic, Capture: true}, route.Route{Class: route.BuiltinSpeaker})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func codec(t testing.TB, name string) codecs.Codec {
	t.Helper()
	c, ok := codecs.Lookup(name)
	if !ok {
		t.Fatalf("no codec %s", name)
	}
	return c
}

// keys are a master key and salt, another pair for each seed.
func keys(seed byte) (key, salt []byte) {
	return bytes.Repeat([]byte{seed}, profile.KeyLen()), bytes.Repeat([]byte{seed + 1}, profile.SaltLen())
}

func sealer(t testing.TB, seed byte) *protect.Sealer {
	t.Helper()
	key, salt := keys(seed)
	s, err := protect.NewSealer(profile, key, salt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func opener(t testing.TB, seed byte) *protect.Opener {
	t.Helper()
	key, salt := keys(seed)
	o, err := protect.NewOpener(profile, key, salt)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// wire keeps what is written to it.
type wire struct {
	packets [][]byte
	err     error // of the next write
}

func (w *wire) write(b []byte) error {
	if w.err != nil {
		return w.err
	}
	w.packets = append(w.packets, bytes.Clone(b))
	return nil
}

// take returns what was written since the last take.
func (w *wire) take() [][]byte {
	p := w.packets
	w.packets = nil
	return p
}

// tape is a sink that keeps what it hears.
type tape struct {
	pcm []int16
	err error
}

func (s *tape) WriteFrame(pcm []int16) error {
	s.pcm = append(s.pcm, pcm...)
	return s.err
}

// play has r make the frame that is due at now, in halves where it wants that.
func play(t testing.TB, r *media.Receiver, now time.Time) {
	t.Helper()
	for end := now.Add(media.FrameDuration); now.Before(end); {
		made, err := r.Play(now)
		must(t, err)
		now = now.Add(made)
	}
}

// frames is how many frames the tape holds.
func (s *tape) frames() int { return len(s.pcm) / audio.FrameSamples }

// silent reports whether nothing but silence was heard from frame on.
func (s *tape) silent(frame int) bool {
	for _, v := range s.pcm[frame*audio.FrameSamples:] {
		if v != 0 {
			return false
		}
	}
	return true
}

// mic is a source that counts its frames and can fail.
type mic struct {
	audio.Source
	read    int
	flushed []int // what read was, each time
	err     error
}

func (m *mic) Flush() { m.flushed = append(m.flushed, m.read) }

func (m *mic) ReadFrame(pcm []int16) error {
	m.read++
	if m.err != nil {
		for i := range pcm {
			pcm[i] = int16(i * 31)
		}
		return m.err
	}
	return m.Source.ReadFrame(pcm)
}

func tone() *mic { return &mic{Source: audio.NewTone(440, 0.25)} }

func senderConfig(t testing.TB, source audio.Source, w *wire) media.SenderConfig {
	return media.SenderConfig{
		Source: source, Codec: codec(t, "opus"), PayloadType: opusType,
		SSRC: ourSSRC, Sequence: 1000, Timestamp: 5000, Write: w.write, Secure: true,
	}
}

func newSender(t testing.TB, c media.SenderConfig) *media.Sender {
	t.Helper()
	s, err := media.NewSender(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func receiverConfig(t testing.TB, sink audio.Sink) media.ReceiverConfig {
	return media.ReceiverConfig{
		Sink:            sink,
		Payloads:        map[uint8]codecs.Codec{opusType: codec(t, "opus"), 0: codec(t, "PCMU"), 9: codec(t, "G722"), 8: codec(t, "PCMA")},
		TelephoneEvents: []uint8{eventType, otherEventType},
		Secure:          true,
	}
}

func newReceiver(t testing.TB, c media.ReceiverConfig) *media.Receiver {
	t.Helper()
	r, err := media.NewReceiver(c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rtp is a packet as a peer sends it, before SRTP.
func rtp(payloadType uint8, seq uint16, timestamp, ssrc uint32, payload []byte) []byte {
	b := []byte{0x80, payloadType}
	b = binary.BigEndian.AppendUint16(b, seq)
	b = binary.BigEndian.AppendUint32(b, timestamp)
	b = binary.BigEndian.AppendUint32(b, ssrc)
	return append(b, payload...)
}

// sealed is pkt after SRTP.
func sealed(t testing.TB, s *protect.Sealer, pkt []byte) []byte {
	t.Helper()
	buf := append(bytes.Clone(pkt), make([]byte, protect.MaxTagLen)...)
	n, err := s.Seal(buf, len(pkt))
	if err != nil {
		t.Fatal(err)
	}
	return buf[:n]
}

// coder makes payloads of one codec from a tone, of any number of samples.
type coder struct {
	t    testing.TB
	enc  codecs.Encoder
	down *audio.Resampler
	tone *audio.Tone
	rest []int16
	pkt  [1500]byte
}

func newCoder(t testing.TB, name string, hz float64) *coder {
	t.Helper()
	c := codec(t, name)
	enc, err := c.NewEncoder(codecs.Options{})
	must(t, err)
	down, err := audio.NewResampler(audio.SampleRate, c.SampleRate)
	must(t, err)
	return &coder{t: t, enc: enc, down: down, tone: audio.NewTone(hz, 0.25)}
}

// payload is the next n samples, which for Opus are 960.
func (c *coder) payload(n int) []byte {
	c.t.Helper()
	var frame, out [audio.FrameSamples]int16
	for len(c.rest) < n {
		must(c.t, c.tone.ReadFrame(frame[:]))
		c.rest = append(c.rest, out[:c.down.Process(out[:], frame[:])]...)
	}
	size, err := c.enc.Encode(c.pkt[:], c.rest[:n])
	must(c.t, err)
	c.rest = c.rest[n:]
	return bytes.Clone(c.pkt[:size])
}

// recorded reads a file of packets.
func recorded(t testing.TB, name string) [][]byte {
	t.Helper()
	b, err := os.ReadFile("testdata/opus/" + name)
	must(t, err)
	var packets [][]byte
	for len(b) > 0 {
		n := int(binary.BigEndian.Uint16(b))
		packets = append(packets, b[2:2+n])
		b = b[2+n:]
	}
	return packets
}
