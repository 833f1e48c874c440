package media_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"sotto/media"
	"sotto/media/audio"
	"sotto/media/route"
)

// A gate is shut until it is opened with a verified route, and as soon as that
// is revoked.
func TestGate(t *testing.T) {
	var g media.Gate
	passes := func(want bool, when string) {
		t.Helper()
		if g.Passes() != want {
			t.Errorf("%s: passes %v", when, !want)
		}
	}
	refused := func(v route.Verified) {
		t.Helper()
		if err := g.Open(v); !errors.Is(err, media.ErrRoute) {
			t.Errorf("opened: %v", err)
		}
	}
	passes(false, "at first")
	refused(route.Verified{})
	passes(false, "without a route")
	first, second := verified(t), verified(t)
	must(t, g.Open(first))
	passes(true, "opened")
	first.Revoke()
	passes(false, "revoked")
	refused(first)
	must(t, g.Open(second))
	passes(true, "opened for another")
	second.Revoke()
	passes(false, "revoked again")
	if !(*media.Gate)(nil).Passes() {
		t.Error("no gate does not let through")
	}
}

// While the gate is shut, packets leave as before in number and length, and
// hold silence; the source is read, so that it does not speak of the past.
func TestGateSilencesSender(t *testing.T) {
	w, source, gate := &wire{}, tone(), &media.Gate{}
	c := senderConfig(t, source, w)
	c.Gate = gate
	s := newSender(t, c)
	heard := &tape{}
	r := newReceiver(t, receiverConfig(t, heard))
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, r.Release(verified(t), opener(t, 1)))
	route := verified(t)
	must(t, gate.Open(route))
	var length int
	tick := 0
	run := func(n int) {
		t.Helper()
		for range n {
			must(t, s.Tick())
			pkts := w.take()
			if len(pkts) != 1 || length != 0 && len(pkts[0]) != length {
				t.Fatalf("tick %d: %d packets, the first of %d bytes, before %d", tick, len(pkts), len(pkts[0]), length)
			}
			length = len(pkts[0])
			r.HandleRTP(at(tick), pkts[0])
			play(t, r, at(tick))
			tick++
		}
	}
	run(50)
	if heard.silent(40) {
		t.Fatal("nothing was heard before")
	}
	route.Revoke()
	run(50)
	if source.read != 100 {
		t.Errorf("%d frames were read", source.read)
	}
	// Two frames for the jitter buffer and one for the codec's memory, which
	// ends in a hiss of a step or two.
	for i, v := range heard.pcm[53*audio.FrameSamples:] {
		if v > 2 || v < -2 {
			t.Fatalf("voice leaves through a shut gate: %d, %d samples later", v, i)
		}
	}
}

// flushing is a tape that something happens to in the midst of a frame, and
// that can be flushed.
type flushing struct {
	tape
	during  func()
	flushed int
}

func (f *flushing) WriteFrame(pcm []int16) error {
	if f.during != nil {
		f.during()
		f.during = nil
	}
	return f.tape.WriteFrame(pcm)
}

func (f *flushing) Flush() { f.flushed++ }

// Not one sample goes to the sink after the gate was shut. If that happened
// while the sink took a frame, it is flushed.
func TestGateSilencesSink(t *testing.T) {
	gate, heard := &media.Gate{}, &flushing{}
	c := receiverConfig(t, heard)
	c.Gate = gate
	r := newReceiver(t, c)
	must(t, r.Release(verified(t), opener(t, 1)))
	route := verified(t)
	must(t, gate.Open(route))
	voice, keys := newCoder(t, "opus", 440), sealer(t, 1)
	tick := 0
	run := func(n int) {
		t.Helper()
		for range n {
			r.HandleRTP(at(tick), sealed(t, keys, rtp(opusType, uint16(tick), uint32(960*tick), peerSSRC, voice.payload(960))))
			play(t, r, at(tick))
			tick++
		}
	}
	run(50)
	if heard.silent(40) || heard.flushed != 0 {
		t.Fatalf("nothing was heard before, or %d flushes", heard.flushed)
	}
	heard.during = route.Revoke
	run(1)
	if heard.flushed != 1 {
		t.Errorf("%d flushes", heard.flushed)
	}
	run(50)
	if heard.frames() != 101 || !heard.silent(51) {
		t.Errorf("%d frames, silent %v", heard.frames(), heard.silent(51))
	}
	must(t, gate.Open(verified(t)))
	run(20)
	if heard.silent(110) || heard.flushed != 1 {
		t.Errorf("nothing is heard after, or %d flushes", heard.flushed)
	}
}

// Voice that was heard before a mute and waits for its packet to be full is not
// sent after it, however long packets are and whenever in one it comes.
func TestNoVoiceWaitsInThePacket(t *testing.T) {
	const ulawZero = 0xff
	for _, packetTime := range []time.Duration{10, 20, 40, 60} {
		for n := 6; n < 12; n++ {
			for _, muted := range []bool{true, false} {
				w, gate := &wire{}, &media.Gate{}
				c := senderConfig(t, tone(), w)
				c.Codec, c.PayloadType, c.Gate = codec(t, "PCMU"), 0, gate
				c.Coding.PacketTime = packetTime * time.Millisecond
				s := newSender(t, c)
				must(t, s.Release(verified(t), sealer(t, 1)))
				route := verified(t)
				must(t, gate.Open(route))
				keys := opener(t, 1)
				run := func(n int) (sound bool) {
					t.Helper()
					for range n {
						must(t, s.Tick())
					}
					for _, p := range w.take() {
						n, err := keys.Open(p)
						must(t, err)
						sound = sound || slices.ContainsFunc(p[12:n], func(b byte) bool { return b != ulawZero })
					}
					return sound
				}
				if !run(n) {
					t.Fatal("nothing was heard before")
				}
				if muted {
					s.Mute(true)
				} else {
					route.Revoke()
				}
				if run(12) {
					t.Errorf("packets of %d ms, muted %v after %d ticks: voice leaves", packetTime, muted, n)
				}
			}
		}
	}
}
