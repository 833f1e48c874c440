package media_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"sotto/codecs"
	"sotto/media"
	"sotto/media/audio"
	"sotto/media/protect"
	"sotto/media/route"
)

// far is a peer that talks to a Receiver, one packet a tick.
type far struct {
	t       testing.TB
	sealer  *protect.Sealer // nil: in the clear
	coder   *coder
	pt      uint8
	samples int    // of one packet, at the codec's rate
	step    uint32 // timestamp units of one packet
	seq     uint16
	ts      uint32
	ssrc    uint32
}

func newFar(t testing.TB, s *protect.Sealer) *far {
	return &far{t: t, sealer: s, coder: newCoder(t, "opus", 440), pt: opusType, samples: 960, step: 960, seq: 100, ts: 7777, ssrc: peerSSRC}
}

// next is the peer's next packet.
func (f *far) next() []byte { return f.packet(f.pt, f.coder.payload(f.samples)) }

func (f *far) packet(payloadType uint8, payload []byte) []byte {
	pkt := rtp(payloadType, f.seq, f.ts, f.ssrc, payload)
	f.seq++
	f.ts += f.step
	if f.sealer == nil {
		return pkt
	}
	return sealed(f.t, f.sealer, pkt)
}

// run lets the peer send and the receiver play from tick from on, n times.
func run(t testing.TB, r *media.Receiver, f *far, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		r.HandleRTP(at(i), f.next())
		play(t, r, at(i))
	}
}

func wantTone(t testing.TB, pcm []int16, hz, level float64) {
	t.Helper()
	if got := audio.ToneLevel(pcm, hz); got < level {
		t.Errorf("%v Hz makes %.3f of what was heard, want %.3f", hz, got, level)
	}
}

func TestReceiverPlays(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	if r.Authenticated() {
		t.Error("authenticated before the first packet")
	}
	run(t, r, newFar(t, sealer(t, 1)), 0, 100)
	if !r.Authenticated() {
		t.Error("not authenticated")
	}
	if sink.frames() != 100 {
		t.Errorf("%d frames", sink.frames())
	}
	wantTone(t, sink.pcm[10*audio.FrameSamples:], 440, 0.97)
	got := r.Stats()
	if got.PacketsReceived != 100 || got.BytesReceived != 8000 || got.Streams != 1 ||
		got.Lost+got.Late+got.Duplicate+got.Concealed+got.Recovered+got.Undecodable != 0 || got.Discarded != (media.Discarded{}) {
		t.Errorf("%+v", got)
	}
}

// In secure mode clear RTP is not played: not before the keys, not while they
// come, not after.
func TestAdversary_F2_ClearIsNeverPlayed(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	stranger := newFar(t, nil)
	run(t, r, stranger, 0, 50)
	if sink.frames() != 0 {
		t.Fatal("the sink was written before Release")
	}
	if err := r.Release(route.Verified{}, opener(t, 1)); !errors.Is(err, media.ErrRoute) {
		t.Fatal(err)
	}
	if err := r.Release(verified(t), nil); !errors.Is(err, media.ErrKeys) {
		t.Fatal(err)
	}
	if err := r.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
		t.Fatal(err)
	}
	run(t, r, stranger, 50, 50)
	if sink.frames() != 0 {
		t.Fatal("the sink was written after a refused Release")
	}
	if got := r.Stats(); got.Discarded != (media.Discarded{Clear: 100}) {
		t.Errorf("%+v", got)
	}
	must(t, r.Release(verified(t), opener(t, 1)))
	run(t, r, stranger, 100, 50)
	if sink.frames() != 50 || !sink.silent(0) || r.Authenticated() {
		t.Fatalf("%d frames, silent: %v", sink.frames(), sink.silent(0))
	}
	// The peer comes, and the stranger goes on.
	peer := newFar(t, sealer(t, 1))
	for i := 150; i < 250; i++ {
		r.HandleRTP(at(i), stranger.next())
		r.HandleRTP(at(i), peer.next())
		play(t, r, at(i))
	}
	wantTone(t, sink.pcm[60*audio.FrameSamples:], 440, 0.97)
	r.Revoke()
	heard := sink.frames()
	run(t, r, peer, 250, 50)
	if sink.frames() != heard {
		t.Error("the sink was written after Revoke")
	}
}

// Without secure mode clear RTP is played from ReleaseClear until the first
// Release and never again, not even what is in the buffer by then.
func TestOpenReceiverNeverFallsBack(t *testing.T) {
	sink := &tape{}
	c := receiverConfig(t, sink)
	c.Secure = false
	r := newReceiver(t, c)
	stranger := newFar(t, nil)
	run(t, r, stranger, 0, 10)
	if sink.frames() != 0 {
		t.Fatal("clear voice was played before ReleaseClear")
	}
	must(t, r.ReleaseClear())
	run(t, r, stranger, 10, 50)
	wantTone(t, sink.pcm[10*audio.FrameSamples:], 440, 0.97)
	for i := range 3 {
		r.HandleRTP(at(60+i), stranger.next())
	}
	must(t, r.Release(route.Verified{}, opener(t, 1)))
	if err := r.ReleaseClear(); !errors.Is(err, media.ErrNoClear) {
		t.Errorf("clear again after the keys came: %v", err)
	}
	for i := 60; i < 110; i++ {
		play(t, r, at(i))
		r.HandleRTP(at(i), stranger.next())
	}
	if !sink.silent(50) {
		t.Error("clear voice was played after the keys came")
	}
	if got := r.Stats().Discarded; got != (media.Discarded{Clear: 10, Auth: 50}) {
		t.Errorf("%+v", got)
	}
}

// What is left of a long packet is not played under the keys that come either.
func TestRestOfClearPacketIsNotPlayed(t *testing.T) {
	sink := &tape{}
	c := receiverConfig(t, sink)
	c.Secure = false
	r := newReceiver(t, c)
	must(t, r.ReleaseClear())
	f := newFar(t, nil)
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 480, 480 // 60 ms
	played := 0
	for ; played < 20 && (sink.frames() == 0 || sink.silent(0)); played++ { // until the first has begun
		r.HandleRTP(at(played), f.next())
		play(t, r, at(played))
	}
	must(t, r.Release(verified(t), opener(t, 1)))
	for i := played; i < played+10; i++ {
		play(t, r, at(i))
	}
	if sink.silent(0) || !sink.silent(played) {
		t.Errorf("after %d frames: all silent %v, silent since the keys %v", played, sink.silent(0), sink.silent(played))
	}
}

// After a re-key the old key opens nothing, and what it brought is not played.
func TestAdversary_F2_OldKeysAreNotPlayed(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	old := newFar(t, sealer(t, 1))
	run(t, r, old, 0, 50)
	r.HandleRTP(at(50), old.next())
	must(t, r.Release(verified(t), opener(t, 3)))
	if r.Authenticated() {
		t.Error("authenticated by the old key")
	}
	run(t, r, old, 50, 50)
	if !sink.silent(50) {
		t.Error("the old key was played")
	}
	fresh := newFar(t, sealer(t, 3))
	run(t, r, fresh, 100, 50)
	wantTone(t, sink.pcm[110*audio.FrameSamples:], 440, 0.97)
	if got := r.Stats().Discarded; got != (media.Discarded{Auth: 50}) {
		t.Errorf("%+v", got)
	}
}

// between is a tracer that does something once, when a packet is at a stage.
type between struct {
	stage media.Stage
	do    func()
}

func (b *between) Stamp(s media.Stage, _ uint32) {
	if s == b.stage && b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
}

// A packet in the clear that is being handled when the keys come is not played
// any more, and neither is one that waits while Play is under way.
func TestKeysComeMidway(t *testing.T) {
	for _, stage := range []media.Stage{media.StageOpened, media.StageDecoded} {
		sink, trace := &tape{}, &between{stage: stage}
		c := receiverConfig(t, sink)
		c.Secure, c.Trace = false, trace
		r := newReceiver(t, c)
		must(t, r.ReleaseClear())
		f := newFar(t, nil)
		f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 440), 0, 80, 80 // two a frame
		for i := range 10 {
			r.HandleRTP(at(i), f.next())
			r.HandleRTP(at(i), f.next())
			play(t, r, at(i))
		}
		trace.do = func() { must(t, r.Release(verified(t), opener(t, 1))) }
		r.HandleRTP(at(10), f.next())
		play(t, r, at(10))
		for i := 11; i < 20; i++ {
			play(t, r, at(i))
		}
		if trace.do != nil {
			t.Fatalf("%v: the keys never came", stage)
		}
		from := 10
		if stage == media.StageDecoded {
			from = 11 // half of this frame was popped before
		}
		if !sink.silent(from) {
			t.Errorf("%v: clear voice was played under keys", stage)
		}
		wantTone(t, sink.pcm[5*audio.FrameSamples:10*audio.FrameSamples], 440, 0.9)
	}
}

func TestReplayedPacketsAreNotPlayed(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	var old [][]byte
	for i := range 100 {
		pkt := f.next()
		old = append(old, bytes.Clone(pkt))
		r.HandleRTP(at(i), pkt)
		play(t, r, at(i))
	}
	for i := 100; i < 200; i++ {
		r.HandleRTP(at(i), old[i-100])
		play(t, r, at(i))
	}
	if !sink.silent(155) { // what is missing is concealed for a second
		t.Error("replayed voice was heard")
	}
	if got := r.Stats().Discarded; got != (media.Discarded{Replay: 100}) {
		t.Errorf("%+v", got)
	}
}

// The peer starts its stream again under another SSRC. Only packets that
// authenticate count, and two sources do not take turns.
func TestSourceChange(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	first := newFar(t, sealer(t, 1))
	run(t, r, first, 0, 50)
	stranger := newFar(t, sealer(t, 5))
	stranger.ssrc++
	run(t, r, stranger, 50, 25)
	second := newFar(t, sealer(t, 1))
	second.ssrc, second.seq, second.ts = peerSSRC+2, 40000, 1<<31
	second.coder = newCoder(t, "opus", 1000)
	for i := 75; i < 175; i++ { // packets of the first come late
		if i < 78 {
			r.HandleRTP(at(i), first.next())
		}
		r.HandleRTP(at(i), second.next())
		play(t, r, at(i))
	}
	wantTone(t, sink.pcm[100*audio.FrameSamples:], 1000, 0.97)
	got := r.Stats()
	if got.Streams != 2 || got.Discarded != (media.Discarded{Auth: 25, OtherSource: 3 + 4}) {
		t.Errorf("%+v", got)
	}
}

// A peer may not go through sources without end.
func TestSourcesAreBounded(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	for i := range 100 {
		f := newFar(t, sealer(t, 1))
		f.ssrc += uint32(i)
		r.HandleRTP(at(10*i), f.next())
	}
	if got := r.Stats(); got.Streams != 8 || got.Discarded != (media.Discarded{OtherSource: 92}) {
		t.Errorf("%+v", got)
	}
}

// The peer changes between the codecs that were negotiated, with and without a
// change of the clock rate.
func TestPayloadTypeChange(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	parts := []struct {
		name string
		pt   uint8
		n    int
		hz   float64
	}{{"opus", opusType, 960, 440}, {"PCMU", 0, 160, 600}, {"PCMA", 8, 160, 800}, {"PCMU", 0, 160, 1000}, {"opus", opusType, 960, 1200}}
	for i, p := range parts {
		f.coder, f.pt, f.samples, f.step = newCoder(t, p.name, p.hz), p.pt, p.n, uint32(p.n)
		run(t, r, f, 100*i, 100)
	}
	for i, p := range parts {
		wantTone(t, sink.pcm[(100*i+20)*audio.FrameSamples:(100*i+100)*audio.FrameSamples], p.hz, 0.97)
	}
	got := r.Stats()
	if got.Streams != 1 || got.PacketsReceived != 500 || got.Lost+got.Undecodable != 0 || got.Discarded != (media.Discarded{}) {
		t.Errorf("%+v", got)
	}
}

// A change of the clock rate where numbers begin again costs one packet.
func TestClockChangeWithNewNumbers(t *testing.T) {
	sink := &tape{}
	c := receiverConfig(t, sink)
	c.Secure = false
	r := newReceiver(t, c)
	must(t, r.ReleaseClear())
	f := newFar(t, nil)
	run(t, r, f, 0, 100)
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 600), 0, 160, 160
	f.seq += 40000 // behind
	run(t, r, f, 100, 100)
	wantTone(t, sink.pcm[110*audio.FrameSamples:], 600, 0.97)
	if got := r.Stats(); got.Streams != 1 || got.PacketsReceived != 199 || got.Late > 3 || got.Lost != 0 {
		t.Errorf("%+v", got)
	}
}

// A packet from before a change of the clock rate that comes after it does not
// bring the old clock back.
func TestLatePacketOfOldClock(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	run(t, r, f, 0, 50)
	late := f.next()
	f.coder, f.pt, f.samples, f.step = newCoder(t, "PCMU", 1000), 0, 160, 160
	run(t, r, f, 50, 10)
	r.HandleRTP(at(60), late)
	run(t, r, f, 60, 90)
	wantTone(t, sink.pcm[70*audio.FrameSamples:], 1000, 0.97)
	// One more was in the buffer when the clock changed.
	if got := r.Stats(); got.Late != 1+1 || got.PacketsReceived != 150 {
		t.Errorf("%+v", got)
	}
}

// Packets of other lengths than ours, from G.711, G.722 and from a stereo Opus
// encoder, all make frames of 20 ms without a gap. Of stereo both channels are
// heard: one has 440 Hz, the other 1000.
func TestPacketLengths(t *testing.T) {
	type stream struct {
		next func() []byte
		ms   float64
		hz   []float64
	}
	streams := map[string]func(*testing.T) stream{}
	for _, ms := range []float64{2.5, 5, 10, 20, 30, 40, 60} {
		for name, pt := range map[string]uint8{"PCMU": 0, "PCMA": 8, "G722": 9} {
			streams[fmt.Sprintf("%s %v ms", name, ms)] = func(t *testing.T) stream {
				f := newFar(t, sealer(t, 1))
				f.coder, f.pt, f.samples, f.step = newCoder(t, name, 440), pt, int(float64(codec(t, name).SampleRate)*ms/1000), uint32(8*ms)
				return stream{f.next, ms, []float64{440}}
			}
		}
	}
	for _, ms := range []float64{2.5, 5, 10, 20, 40, 60} {
		streams[fmt.Sprintf("stereo opus %v ms", ms)] = func(t *testing.T) stream {
			f := newFar(t, sealer(t, 1))
			f.step = uint32(48 * ms)
			packets := recorded(t, fmt.Sprintf("stereo-%vms.bin", ms))
			if len(packets) != int(1200/ms) {
				t.Fatalf("%d packets recorded", len(packets))
			}
			i := -1
			return stream{func() []byte { i++; return f.packet(opusType, packets[i]) }, ms, []float64{440, 1000}}
		}
	}
	for name, make := range streams {
		t.Run(name, func(t *testing.T) {
			s, sink := make(t), &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			sent := 0
			for i := range 60 { // 1.2 s
				for float64(sent)*s.ms < float64(i*20+20) && float64(sent+1)*s.ms <= 1200 {
					r.HandleRTP(at(i), s.next())
					sent++
				}
				play(t, r, at(i))
			}
			got := r.Stats()
			if got.Lost+got.Late+got.Concealed+got.Recovered+got.Skipped+got.Undecodable != 0 || got.PacketsReceived != uint64(1200/s.ms) {
				t.Errorf("%+v", got)
			}
			var all float64
			for _, hz := range s.hz {
				level := audio.ToneLevel(sink.pcm[12*audio.FrameSamples:], hz)
				if level < 0.3 {
					t.Errorf("%v Hz makes %.3f", hz, level)
				}
				all += level
			}
			if all < 0.95 {
				t.Errorf("the tones make %.3f of what was heard", all)
			}
		})
	}
}

// Telephone events are counted, not played, and not mistaken for losses; so
// are payload types that were not negotiated.
func TestOtherPayloads(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	r.HandleRTP(at(0), f.packet(eventType, []byte{5, 10, 0, 160})) // nothing begins with one
	r.HandleRTP(at(0), f.packet(13, []byte{60}))
	run(t, r, f, 1, 50)
	for i := 51; i < 61; i++ {
		pt := uint8(eventType)
		if i == 60 {
			pt = 13 // comfort noise
		}
		r.HandleRTP(at(i), f.packet(pt, []byte{5, 10, 0, 160}))
		play(t, r, at(i))
	}
	run(t, r, f, 61, 50)
	got := r.Stats()
	if got.TelephoneEvents != 10 || got.Discarded != (media.Discarded{UnknownPayload: 2}) ||
		got.PacketsReceived != 100 || got.Lost != 0 || got.Streams != 1 {
		t.Errorf("%+v", got)
	}
	wantTone(t, sink.pcm[70*audio.FrameSamples:], 440, 0.97)
}

// Padding and header extensions are not played.
func TestPaddingAndExtension(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f, s := newFar(t, nil), sealer(t, 1)
	for i := range 100 {
		pkt := f.next()
		switch i % 3 {
		case 1:
			pkt[0] |= 0x20
			pkt = append(pkt, 0, 0, 3)
		case 2:
			pkt[0] |= 0x10
			pkt = append(pkt[:12], append([]byte{0xbe, 0xde, 0, 1, 0x10, 0x55, 0, 0}, pkt[12:]...)...)
		}
		r.HandleRTP(at(i), sealed(t, s, pkt))
		play(t, r, at(i))
	}
	wantTone(t, sink.pcm[10*audio.FrameSamples:], 440, 0.97)
	if got := r.Stats(); got.PacketsReceived != 100 || got.BytesReceived != 8000 || got.Undecodable != 0 {
		t.Errorf("%+v", got)
	}
}

// A payload that is no packet of its codec is concealed and counted; so is an
// authentic packet that is no RTP packet.
func TestUndecodable(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	run(t, r, f, 0, 50)
	r.HandleRTP(at(50), f.packet(opusType, []byte{0xff, 0xff, 0xff}))
	play(t, r, at(50))
	bad := rtp(opusType, f.seq, f.ts, f.ssrc, []byte{1, 0})
	bad[0] |= 0x20 // padding of no bytes
	r.HandleRTP(at(51), sealed(t, f.sealer, bad))
	f.seq, f.ts = f.seq+1, f.ts+960
	play(t, r, at(51))
	run(t, r, f, 52, 50)
	got := r.Stats()
	if got.Undecodable != 1 || got.Discarded != (media.Discarded{Malformed: 1}) || got.Lost != 1 || got.Concealed+got.Recovered != 1 {
		t.Errorf("%+v", got)
	}
	wantTone(t, sink.pcm[60*audio.FrameSamples:], 440, 0.97)
}

func TestSinkError(t *testing.T) {
	sink := &tape{err: errors.New("gone")}
	c := receiverConfig(t, sink)
	c.Secure = false
	r := newReceiver(t, c)
	must(t, r.ReleaseClear())
	for i := range 3 {
		if _, err := r.Play(at(i)); !errors.Is(err, sink.err) {
			t.Fatal(err)
		}
	}
	if sink.frames() != 3 {
		t.Errorf("%d frames", sink.frames())
	}
}

func TestReceiverConfig(t *testing.T) {
	for name, change := range map[string]func(*media.ReceiverConfig){
		"no sink":                   func(c *media.ReceiverConfig) { c.Sink = nil },
		"no codec":                  func(c *media.ReceiverConfig) { c.Payloads = nil },
		"a codec that is none":      func(c *media.ReceiverConfig) { c.Payloads = map[uint8]codecs.Codec{1: {}} },
		"payload type too large":    func(c *media.ReceiverConfig) { c.Payloads[128] = codec(t, "opus") },
		"payload type of the event": func(c *media.ReceiverConfig) { c.Payloads[eventType] = codec(t, "opus") },
		"too long a delay":          func(c *media.ReceiverConfig) { c.MinDelay = 50 * media.FrameDuration },
		"impossible event":          func(c *media.ReceiverConfig) { c.TelephoneEvents = []uint8{128} },
	} {
		c := receiverConfig(t, &tape{})
		change(&c)
		if r, err := media.NewReceiver(c); r != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A peer that sends Opus with DTX says nothing for most of a pause: that is
// comfort noise and no loss, and what is said afterwards is heard whole.
func TestOpusPauses(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	i := 0
	for range 5 {
		run(t, r, f, i, 100)
		i += 100
		toc := f.coder.payload(f.samples)[0] &^ 3 // of one frame, and then none
		for range 5 {
			r.HandleRTP(at(i), f.packet(opusType, []byte{toc}))
			f.ts += 19 * f.step // the next follows after 400 ms
			for range 20 {
				play(t, r, at(i))
				i++
			}
		}
	}
	run(t, r, f, i, 100)
	got := r.Stats()
	if got.Lost+got.Late+got.Recovered+got.Undecodable+got.Skipped != 0 || got.Concealed > 1 || got.Streams != 1 {
		t.Errorf("%+v", got)
	}
	if sink.frames() != i+100 {
		t.Errorf("%d frames", sink.frames())
	}
	for k := range 6 {
		wantTone(t, sink.pcm[(200*k+10)*audio.FrameSamples:(200*k+95)*audio.FrameSamples], 440, 0.95)
	}
}
