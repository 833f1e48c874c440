package media_test

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// In secure mode neither keys without a route nor a route without keys open
// the way: not a byte leaves and the source is not read.
func TestSecureSenderIsStillUntilReleased(t *testing.T) {
	w, source := &wire{}, tone()
	s := newSender(t, senderConfig(t, source, w))
	still := func(when string) {
		t.Helper()
		for range 50 {
			must(t, s.Tick())
		}
		if source.read != 0 || len(w.packets) != 0 {
			t.Fatalf("%s: %d frames read, %d packets sent", when, source.read, len(w.packets))
		}
	}
	still("at first")
	if err := s.Release(route.Verified{}, sealer(t, 1)); !errors.Is(err, media.ErrRoute) {
		t.Fatal(err)
	}
	still("after keys without a route")
	if err := s.Release(verified(t), nil); !errors.Is(err, media.ErrKeys) {
		t.Fatal(err)
	}
	still("after a route without keys")
	if err := s.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
		t.Fatal(err)
	}
	still("after ReleaseClear in secure mode")
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Tick())
	if source.read != 1 || len(w.packets) != 1 {
		t.Fatalf("%d frames read, %d packets sent", source.read, len(w.packets))
	}
	s.Revoke()
	source.read = 0
	w.take()
	still("after Revoke")
	if err := s.Release(route.Verified{}, sealer(t, 3)); err == nil {
		t.Fatal("released without a route")
	}
	still("after a refused Release")
	must(t, s.Release(verified(t), sealer(t, 3)))
	must(t, s.Tick())
	if source.read != 1 || len(w.packets) != 1 {
		t.Fatal("a second Release does not release")
	}
}

// What is prepared does not leave if the keys are taken back before Send, nor
// under other keys.
func TestPreparedPacketIsCalledBack(t *testing.T) {
	for name, change := range map[string]func(*media.Sender){
		"revoked":  func(s *media.Sender) { s.Revoke() },
		"held":     func(s *media.Sender) { s.Hold(true) },
		"new keys": func(s *media.Sender) { must(t, s.Release(verified(t), sealer(t, 3))) },
	} {
		w := &wire{}
		s := newSender(t, senderConfig(t, tone(), w))
		must(t, s.Release(verified(t), sealer(t, 1)))
		must(t, s.Prepare())
		change(s)
		must(t, s.Send())
		if len(w.packets) != 0 {
			t.Errorf("%s: the packet left", name)
		}
	}
}

func TestSendSendsOnce(t *testing.T) {
	w := &wire{}
	s := newSender(t, senderConfig(t, tone(), w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Send())
	must(t, s.Prepare())
	must(t, s.Send())
	must(t, s.Send())
	if len(w.packets) != 1 {
		t.Errorf("%d packets", len(w.packets))
	}
}

// Without secure mode RTP goes in the clear from ReleaseClear until the first
// Release, and never again.
func TestOpenSenderNeverFallsBack(t *testing.T) {
	w, source := &wire{}, tone()
	c := senderConfig(t, source, w)
	c.Secure = false
	s := newSender(t, c)
	must(t, s.Tick())
	if source.read != 0 || len(w.packets) != 0 {
		t.Fatal("something left before ReleaseClear")
	}
	must(t, s.ReleaseClear())
	must(t, s.Tick())
	clear := w.take()
	if len(clear) != 1 || len(clear[0]) != 12+80 {
		t.Fatalf("in the clear: %v", clear)
	}
	must(t, s.Release(route.Verified{}, sealer(t, 1)))
	must(t, s.Tick())
	if p := w.take(); len(p) != 1 || len(p[0]) != 12+80+10 {
		t.Fatalf("released: %v", p)
	}
	for range 2 {
		if err := s.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
			t.Errorf("clear again after the keys came: %v", err)
		}
		s.Revoke()
	}
	must(t, s.Tick())
	if len(w.packets) != 0 {
		t.Fatal("after Revoke a packet left")
	}
}

// Speech, silence, mute, the end of the source and its failure all look alike:
// one length, one packet a tick, sequence and timestamps in step.
func TestEveryPacketLooksTheSame(t *testing.T) {
	for _, name := range []string{"opus", "G722", "PCMU"} {
		w := &wire{}
		clip, err := audio.ReadAll(speechClip(t))
		must(t, err)
		source := &mic{Source: audio.NewClip(clip[:200*audio.FrameSamples], false)}
		c := senderConfig(t, source, w)
		c.Codec = codec(t, name)
		s := newSender(t, c)
		must(t, s.Release(verified(t), sealer(t, 1)))
		broken := errors.New("unplugged")
		for i := range 400 {
			s.Mute(i >= 50 && i < 100)
			source.err = nil
			if i >= 120 && i < 130 {
				source.err = broken
			}
			if err := s.Tick(); !errors.Is(err, source.err) {
				t.Fatalf("%s: tick %d: %v", name, i, err)
			}
		}
		if len(w.packets) != 400 {
			t.Fatalf("%s: %d packets in 400 ticks", name, len(w.packets))
		}
		step := uint32(c.Codec.ClockRate / 50)
		for i, p := range w.packets {
			if len(p) != len(w.packets[0]) {
				t.Fatalf("%s: packet %d has %d bytes, the first has %d", name, i, len(p), len(w.packets[0]))
			}
			if p[0] != 0x80 || p[1]&0x7f != opusType || (p[1]&0x80 != 0) != (i == 0) {
				t.Fatalf("%s: packet %d begins with %x", name, i, p[:2])
			}
			if seq := binary.BigEndian.Uint16(p[2:]); seq != uint16(1000+i) {
				t.Fatalf("%s: packet %d has number %d", name, i, seq)
			}
			if ts := binary.BigEndian.Uint32(p[4:]); ts != 5000+uint32(i)*step {
				t.Fatalf("%s: packet %d has timestamp %d", name, i, ts)
			}
		}
		stats := s.Stats()
		if stats.PacketsSent != 400 || stats.BytesSent != uint64(400*(len(w.packets[0])-22)) || !stats.SourceEnded {
			t.Errorf("%s: %+v", name, stats)
		}
	}
}

func speechClip(t testing.TB) *audio.WAVSource {
	t.Helper()
	s, err := audio.OpenWAV("audio/speech/caller.wav")
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// Mute sends silence, not what the source says, and keeps reading the source.
func TestMuteIsSilence(t *testing.T) {
	w, source := &wire{}, tone()
	c := senderConfig(t, source, w)
	c.Codec, c.PayloadType, c.Secure = codec(t, "PCMU"), 0, false
	s := newSender(t, c)
	must(t, s.ReleaseClear())
	s.Mute(true)
	for range 10 {
		must(t, s.Tick())
	}
	for i, p := range w.take() {
		for _, b := range p[12:] {
			if b != 0xff { // PCMU's zero
				t.Fatalf("packet %d says something: %x", i, p[12:])
			}
		}
	}
	if source.read != 10 {
		t.Errorf("%d frames read", source.read)
	}
	s.Mute(false)
	source.err = errors.New("unplugged") // and leaves rubbish in the frame
	if err := s.Tick(); !errors.Is(err, source.err) {
		t.Fatal(err)
	}
	for _, b := range w.take()[0][12+20:] { // what the filter held has passed by then
		if b != 0xff {
			t.Fatal("a frame that the source did not read was sent")
		}
	}
	source.err = nil
	must(t, s.Tick())
	must(t, s.Tick())
	if p := w.take()[1]; p[12+80] == 0xff && p[12+90] == 0xff {
		t.Error("still silent")
	}
}

// On hold nothing is read or sent, and the timestamps go on: the peer hears
// the pause as long as it was.
func TestHold(t *testing.T) {
	w, source := &wire{}, tone()
	s := newSender(t, senderConfig(t, source, w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Tick())
	s.Hold(true)
	for range 20 {
		must(t, s.Tick())
	}
	if source.read != 1 || len(w.packets) != 1 {
		t.Fatalf("%d frames read, %d packets sent", source.read, len(w.packets))
	}
	s.Hold(false)
	must(t, s.Tick())
	must(t, s.Tick())
	if !slices.Equal(source.flushed, []int{0, 1}) { // before the first frame and the first after the hold
		t.Errorf("flushed after %v frames", source.flushed)
	}
	p := w.take()
	if len(p) != 3 {
		t.Fatalf("%d packets", len(p))
	}
	if seq := binary.BigEndian.Uint16(p[1][2:]); seq != 1001 {
		t.Errorf("number %d after the hold", seq)
	}
	if ts := binary.BigEndian.Uint32(p[1][4:]); ts != 5000+21*960 {
		t.Errorf("timestamp %d after the hold", ts)
	}
	if p[1][1]&0x80 == 0 || p[2][1]&0x80 != 0 {
		t.Errorf("markers %x %x", p[1][1], p[2][1])
	}
}

func TestWriteError(t *testing.T) {
	w := &wire{err: errors.New("unreachable")}
	s := newSender(t, senderConfig(t, tone(), w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	if err := s.Tick(); !errors.Is(err, w.err) {
		t.Fatal(err)
	}
	if got := s.Stats(); got.PacketsSent != 0 {
		t.Errorf("%+v", got)
	}
	w.err = nil
	must(t, s.Tick())
	if p := w.take(); len(p) != 1 || binary.BigEndian.Uint16(p[0][2:]) != 1001 {
		t.Errorf("%v", p)
	}
}

func TestSenderConfig(t *testing.T) {
	for name, change := range map[string]func(*media.SenderConfig){
		"no source":                      func(c *media.SenderConfig) { c.Source = nil },
		"no codec":                       func(c *media.SenderConfig) { c.Codec = codecs.Codec{} },
		"no way to send":                 func(c *media.SenderConfig) { c.Write = nil },
		"payload type too large":         func(c *media.SenderConfig) { c.PayloadType = 128 },
		"payload type of an RTCP packet": func(c *media.SenderConfig) { c.PayloadType = 72 },
		"impossible bit rate":            func(c *media.SenderConfig) { c.Coding.Bitrate = 1 },
		"variable bit rate":              func(c *media.SenderConfig) { c.Coding.VBR = true },
		"pauses":                         func(c *media.SenderConfig) { c.Coding.DTX = true },
	} {
		c := senderConfig(t, tone(), &wire{})
		change(&c)
		if s, err := media.NewSender(c); s != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// The time of frames that are skipped shows in the timestamps.
func TestSkip(t *testing.T) {
	w, source := &wire{}, tone()
	s := newSender(t, senderConfig(t, source, w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.Tick())
	s.Skip()
	s.Skip()
	must(t, s.Tick())
	must(t, s.Prepare())
	s.Skip()
	must(t, s.Send())
	if source.read != 3 {
		t.Errorf("%d frames read", source.read)
	}
	s.Hold(true) // nothing would be sent: nothing is missed
	s.Skip()
	s.Hold(false)
	s.Revoke()
	s.Skip()
	if got := s.Stats(); got.PacketsSent != 2 || got.Missed != 3 {
		t.Errorf("%+v", got)
	}
	for i, p := range w.take() {
		seq, ts := int(binary.BigEndian.Uint16(p[2:])), int(binary.BigEndian.Uint32(p[4:]))
		if seq != 1000+i || ts != 5000+i*3*960 {
			t.Errorf("packet %d has number %d and timestamp %d", i, seq, ts)
		}
	}
}
