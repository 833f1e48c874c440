package media_test

import (
	"math/rand/v2"
	"testing"

	"sotto/media"
	"sotto/media/audio"
)

// A whole call in secure mode: speech, silence, mute, a shut gate, digits, hold by
// either side, a network that gets worse, and the end of the source. All of its
// packets have one length, and where one is sent there is one each tick.
func TestCallHasOneLength(t *testing.T) {
	clip, err := audio.ReadAll(speechClip(t))
	must(t, err)
	clip = append(clip[:200*audio.FrameSamples:200*audio.FrameSamples], make([]int16, 100*audio.FrameSamples)...)
	for _, name := range []string{"opus", "G722", "PCMU", "PCMA"} {
		w, gate, route := &wire{}, &media.Gate{}, verified(t)
		must(t, gate.Open(route))
		c := dialingConfig(t, w)
		c.Source, c.Codec, c.Gate = audio.NewClip(clip, false), codec(t, name), gate
		c.EventClock = c.Codec.ClockRate
		s := newSender(t, c)
		must(t, s.Release(verified(t), sealer(t, 1)))
		lengths, sent := map[int]int{}, 0
		for i := range 400 {
			switch i {
			case 40, 150, 250, 350:
				must(t, s.SendDigits("19#"))
			case 60:
				s.Mute(true) // also what holding the other side does
			case 90:
				s.Mute(false)
				s.ExpectLoss(30)
			case 110:
				s.Hold(true)
			case 130:
				s.Hold(false)
				s.ExpectLoss(0)
			case 160:
				route.Revoke()
			case 180:
				must(t, gate.Open(verified(t)))
			}
			must(t, s.Tick())
			packets := w.take()
			if held := i >= 110 && i < 130; held != (len(packets) == 0) || len(packets) > 1 {
				t.Fatalf("%s: %d packets at tick %d", name, len(packets), i)
			}
			for _, p := range packets {
				lengths[len(p)]++
				sent++
			}
		}
		if len(lengths) != 1 || sent != 380 {
			t.Errorf("%s: %d packets, of lengths %v", name, sent, lengths)
		}
	}
}

// What is no good, though most of it passes authentication, is counted, each by its kind, and
// changes nothing of what is heard but for the time that it takes.
func TestBadInputIsCounted(t *testing.T) {
	good := newFar(t, nil).coder.payload(960)
	frames := func(toc byte, n int) []byte { return append([]byte{toc, byte(n)}, make([]byte, 60)...) }
	for name, c := range map[string]struct {
		raw     bool                       // not sealed: no sealer makes it
		change  func(header []byte) []byte // of an RTP header of voice
		payload []byte
		want    media.Discarded
		broken  uint64 // packets that the codec refuses
	}{
		"CSRC list cut off":           {raw: true, change: func(h []byte) []byte { h[0] |= 15; return h }, want: media.Discarded{Malformed: 1}},
		"extension cut off":           {raw: true, change: func(h []byte) []byte { h[0] |= 0x10; return h }, want: media.Discarded{Malformed: 1}},
		"extension without end":       {raw: true, change: func(h []byte) []byte { h[0] |= 0x10; return append(h, 0xbe, 0xde, 0xff, 0xff) }, want: media.Discarded{Malformed: 1}},
		"padding of nothing":          {change: func(h []byte) []byte { h[0] |= 0x20; return h }, payload: []byte{0}, want: media.Discarded{Malformed: 1}},
		"more padding than packet":    {change: func(h []byte) []byte { h[0] |= 0x20; return h }, payload: []byte{1, 2, 200}, want: media.Discarded{Malformed: 1}},
		"unknown payload type":        {change: func(h []byte) []byte { h[1] = 77; return h }, payload: good, want: media.Discarded{UnknownPayload: 1}},
		"event cut off":               {change: func(h []byte) []byte { h[1] = eventType; return h }, payload: []byte{1, 2, 3}, want: media.Discarded{Malformed: 1}},
		"event of 8 s, no digit":      {change: func(h []byte) []byte { h[1] = eventType; return h }, payload: event(200, false, 65535), want: media.Discarded{UnknownEvent: 1}},
		"frames of more than 120 ms":  {payload: frames(0xff, 7), broken: 1},
		"no frames":                   {payload: frames(0xff, 0), broken: 1},
		"odd length in halves":        {payload: append([]byte{0x79}, make([]byte, 61)...), broken: 1},
		"frame longer than it may be": {payload: append([]byte{0x78}, make([]byte, 1300)...), broken: 1},
		"timestamp out of the blue":   {change: func(h []byte) []byte { h[4] ^= 0x40; return h }, payload: good, want: media.Discarded{StrayTimestamp: 1}},
		"no payload":                  {},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &tape{}
			r := newReceiver(t, receiverConfig(t, sink))
			must(t, r.Release(verified(t), opener(t, 1)))
			f := newFar(t, sealer(t, 1))
			for i := range 150 {
				if i == 60 {
					header := rtp(opusType, f.seq, f.ts, f.ssrc, nil)
					if c.change != nil {
						header = c.change(header)
					}
					f.seq++
					bad := append(header, c.payload...)
					if !c.raw {
						bad = sealed(t, f.sealer, bad)
					}
					r.HandleRTP(at(i), bad)
				}
				r.HandleRTP(at(i), f.next())
				play(t, r, at(i))
			}
			got := r.Stats()
			if got.Discarded != c.want || got.Undecodable != c.broken {
				t.Errorf("%+v", got)
			}
			if n := steepest(sink.pcm[20*audio.FrameSamples:]); n > 700 { // the tone itself has 470
				t.Errorf("a step of %d", n)
			}
			wantTone(t, sink.pcm[80*audio.FrameSamples:], 440, 0.97)
		})
	}
}

// A packet cut off anywhere, as a peer with the keys could send it: none is
// heard louder than speech.
func TestCutOffPacketsAreNotLoud(t *testing.T) {
	sink := &tape{}
	r := newReceiver(t, receiverConfig(t, sink))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	random := rand.New(rand.NewPCG(8, 9))
	for i := range 600 {
		payload := f.coder.payload(960)
		if i > 50 && i%3 == 0 {
			payload = payload[:random.IntN(len(payload))]
		}
		r.HandleRTP(at(i), f.packet(opusType, payload))
		play(t, r, at(i))
	}
	for i, v := range sink.pcm {
		if v > 16384 || v < -16384 { // twice the tone
			t.Fatalf("sample %d is %d", i, v)
		}
	}
}
