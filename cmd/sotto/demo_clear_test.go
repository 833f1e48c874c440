package main

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"testing"
	"time"

	"sotto/codecs"
	"sotto/internal/kat"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/zrtp/wire"
)

// speaker makes the packets of one side as a phone would.
type speaker struct {
	encoder codecs.Encoder
	sealer  *protect.Sealer
	seq     uint16
}

func newSpeaker(t *testing.T, profile protect.Profile) *speaker {
	t.Helper()
	opus, _ := codecs.Lookup("opus")
	encoder, err := opus.NewEncoder(codecs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, profile.KeyLen()+profile.SaltLen())
	_, _ = rand.Read(key)
	sealer, err := protect.NewSealer(profile, key[:profile.KeyLen()], key[profile.KeyLen():])
	if err != nil {
		t.Fatal(err)
	}
	return &speaker{encoder: encoder, sealer: sealer, seq: 100}
}

// rtp is the next packet in the clear.
func (s *speaker) rtp(t *testing.T, pcm []int16) []byte {
	t.Helper()
	s.seq++
	b := append([]byte{0x80, 96}, make([]byte, 10+1000)...)
	binary.BigEndian.PutUint16(b[2:], s.seq)
	n, err := s.encoder.Encode(b[12:], pcm)
	if err != nil {
		t.Fatal(err)
	}
	return b[:12+n]
}

// srtp is the next packet, sealed.
func (s *speaker) srtp(t *testing.T, pcm []int16) []byte {
	t.Helper()
	b := s.rtp(t, pcm)
	n := len(b)
	b = append(b, make([]byte, 16)...)
	n, err := s.sealer.Seal(b, n)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// handshake is a recorded one: what a tap sees before any voice.
func handshake() (seen []datagram) {
	h := kat.Handshakes()[0]
	for s, packets := range [2][]kat.Hex{h.PacketsA, h.PacketsB} {
		for _, p := range packets {
			seen = append(seen, datagram{time.UnixMilli(int64(len(seen))), side(s), p})
		}
	}
	return seen
}

// frames are n frames of a sound whose pitch rises.
func frames(n int) []int16 {
	var pcm []int16
	for i := range n {
		frame := make([]int16, audio.FrameSamples)
		if err := audio.NewTone(200+20*float64(i), 0.3).ReadFrame(frame); err != nil {
			panic(err)
		}
		pcm = append(pcm, frame...)
	}
	return pcm
}

func frame(pcm []int16, i int) []int16 { return pcm[i*audio.FrameSamples:][:audio.FrameSamples] }

// judged is what the check says of packets that the caller sends after a
// handshake.
func judged(t *testing.T, c *clearCheck, packets ...[]byte) traffic {
	t.Helper()
	seen := handshake()
	zrtp := 0
	for _, d := range seen {
		if d.from == caller {
			zrtp++
		}
	}
	for _, p := range packets {
		seen = append(seen, datagram{time.UnixMilli(int64(len(seen))), caller, p})
	}
	sent, _ := c.judge(seen)
	if sent[callee].voice() != 0 || sent[caller].ZRTP != zrtp {
		t.Errorf("%+v", sent)
	}
	return sent[caller]
}

// Sealed packets pass, with either tag, alone and as a stream.
func TestClearCheckPassesSRTP(t *testing.T) {
	pcm := frames(300)
	c, err := newClearCheck(pcm)
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []protect.Profile{protect.AESCM128HMACSHA1_80, protect.AESCM128HMACSHA1_32, protect.AESCM256HMACSHA1_80} {
		for _, n := range []int{1, 15, 16, 17, 40, 300} {
			s := newSpeaker(t, profile)
			var packets [][]byte
			for i := range n {
				packets = append(packets, s.srtp(t, frame(pcm, i)))
			}
			if got := judged(t, c, packets...); got.SRTP != n || got.Clear != 0 {
				t.Errorf("%v, %d packets: %+v", profile, n, got)
			}
		}
	}
}

// One clear packet among many sealed ones is found, however it is dressed up.
func TestClearCheckFindsOne(t *testing.T) {
	pcm := frames(40)
	c, err := newClearCheck(pcm)
	if err != nil {
		t.Fatal(err)
	}
	tail := make([]byte, longTag)
	_, _ = rand.Read(tail)
	for name, disguise := range map[string]func(b []byte) []byte{
		"as it is":          func(b []byte) []byte { return b },
		"random tag":        func(b []byte) []byte { return append(b, tail...) },
		"random short tag":  func(b []byte) []byte { return append(b, tail[:shortTag]...) },
		"shifted":           func(b []byte) []byte { return append(append(b[:12:12], tail...), b[12:]...) },
		"header extension":  func(b []byte) []byte { return extend(append(b, tail...)) },
		"cut short":         func(b []byte) []byte { return b[:40] },
		"header only":       func(b []byte) []byte { return b[:12] },
		"no header":         func(b []byte) []byte { return b[12:] },
		"first byte wrong":  func(b []byte) []byte { b[0] = 0xff; return append(b, tail...) },
		"dressed as STUN":   func(b []byte) []byte { b[0] = 1; return b },
		"dressed as report": func(b []byte) []byte { return append([]byte{0x80, 200, 0, byte(len(b) / 4)}, b...) },
	} {
		s := newSpeaker(t, protect.AESCM128HMACSHA1_80)
		var packets [][]byte
		for i := range 40 {
			if i == 20 {
				packets = append(packets, disguise(s.rtp(t, frame(pcm, i))))
			} else {
				packets = append(packets, s.srtp(t, frame(pcm, i)))
			}
		}
		if got := judged(t, c, packets...); got.Clear != 1 || got.SRTP != 39 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// extend puts a header extension of one word behind the header.
func extend(b []byte) []byte {
	b[0] |= 0x10
	return append(append(b[:12:12], 0xbe, 0xde, 0, 1, 0, 0, 0, 0), b[12:]...)
}

// Words that nobody knows beforehand, in packets of the right length: the
// stream gives itself away.
func TestClearCheckFindsUnknownWords(t *testing.T) {
	pcm := frames(100)
	c, err := newClearCheck(pcm[:audio.FrameSamples])
	if err != nil {
		t.Fatal(err)
	}
	s := newSpeaker(t, protect.AESCM128HMACSHA1_80)
	s.rtp(t, frame(pcm, 99)) // so that even the first frame is another
	var packets [][]byte
	for i := range 100 {
		tail := make([]byte, longTag)
		_, _ = rand.Read(tail)
		packets = append(packets, append(s.rtp(t, frame(pcm, i)), tail...))
	}
	if got := judged(t, c, packets...); got.Clear != 100 || got.SRTP != 0 {
		t.Errorf("%+v", got)
	}
}

// What looks like SRTP before there can be keys is none.
func TestClearCheckBeforeKeys(t *testing.T) {
	pcm := frames(1)
	c, err := newClearCheck(pcm)
	if err != nil {
		t.Fatal(err)
	}
	early := datagram{time.UnixMilli(0), callee, newSpeaker(t, protect.AESCM128HMACSHA1_80).srtp(t, pcm)}
	sent, secure := c.judge([]datagram{early})
	if sent[callee].Clear != 1 || secure != 0 {
		t.Errorf("%+v, %v", sent, secure)
	}
	sent, secure = c.judge(append(handshake(), early))
	if sent[callee].SRTP != 1 || secure <= 0 {
		t.Errorf("%+v, %v", sent, secure)
	}
}

func TestClearCheckReports(t *testing.T) {
	c, err := newClearCheck(frames(1))
	if err != nil {
		t.Fatal(err)
	}
	receiver := []byte{0x80, 201, 0, 1, 1, 2, 3, 4}
	compound := append(bytes.Clone(receiver), 0x81, 202, 0, 2, 1, 2, 3, 4, 1, 1, 'x', 0)
	for _, plain := range [][]byte{receiver, compound} {
		if got := judged(t, c, plain); got.Clear != 1 || got.SRTCP != 0 {
			t.Errorf("%x: %+v", plain, got)
		}
		key := make([]byte, 30)
		sealer, err := protect.NewSealer(protect.AESCM128HMACSHA1_80, key[:16], key[16:])
		if err != nil {
			t.Fatal(err)
		}
		sealed := append(bytes.Clone(plain), make([]byte, protect.AESCM128HMACSHA1_80.RTCPOverhead())...)
		n, err := sealer.SealRTCP(sealed, len(plain))
		if err != nil {
			t.Fatal(err)
		}
		if got := judged(t, c, sealed[:n]); got.SRTCP != 1 || got.Clear != 0 {
			t.Errorf("sealed %x: %+v", plain, got)
		}
	}
}

// What is no ZRTP but begins like it does not count as harmless.
func TestClearCheckFalseZRTP(t *testing.T) {
	c, err := newClearCheck(frames(1))
	if err != nil {
		t.Fatal(err)
	}
	packet := wire.AppendPacket(nil, wire.Packet{Message: []byte("voice in a message")})
	sent, _ := c.judge([]datagram{{time.UnixMilli(0), caller, packet}})
	if sent[caller].Clear != 1 || sent[caller].ZRTP != 0 {
		t.Errorf("%+v", sent)
	}
}
