package media_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"sotto/codecs"
	"sotto/internal/netsim"
	"sotto/media"
	"sotto/media/audio"
)

const allDigits = "0123456789*#ABCD"

// digitTicks is how long a digit and its pause take.
const digitTicks = 10

// taken is what the Receiver has told so far.
func taken(r *media.Receiver) (digits string) {
	for {
		select {
		case d := <-r.Digits():
			digits += string(d)
		default:
			return digits
		}
	}
}

// event is a telephone event as it is sent.
func event(code byte, end bool, duration uint16) []byte {
	flags := byte(10)
	if end {
		flags |= 0x80
	}
	return binary.BigEndian.AppendUint16([]byte{code, flags}, duration)
}

func dialingConfig(t testing.TB, w *wire) media.SenderConfig {
	c := senderConfig(t, tone(), w)
	c.TelephoneEvent, c.EventClock = eventType, 48000
	return c
}

// In secure mode the packets of a digit differ from those of voice in their
// headers alone: as long, at the same ticks, one sequence.
func TestDigitsLookLikeVoice(t *testing.T) {
	w := &wire{}
	s := newSender(t, dialingConfig(t, w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	for i := range 40 {
		if i == 5 {
			must(t, s.SendDigits("3d"))
		}
		must(t, s.Tick())
	}
	if len(w.packets) != 40 {
		t.Fatalf("%d packets in 40 ticks", len(w.packets))
	}
	events := ""
	o := opener(t, 1)
	for i, p := range w.packets {
		if len(p) != 12+80+10 {
			t.Errorf("packet %d has %d bytes", i, len(p))
		}
		if seq := binary.BigEndian.Uint16(p[2:]); seq != uint16(1000+i) {
			t.Errorf("packet %d has number %d", i, seq)
		}
		n, err := o.Open(p)
		must(t, err)
		stamp := binary.BigEndian.Uint32(p[4:]) - 5000
		if p[1]&0x7f == opusType {
			events += "."
			if stamp != uint32(960*i) || p[0] != 0x80 {
				t.Errorf("voice %d has timestamp %d and flags %x", i, stamp, p[0])
			}
			continue
		}
		payload := p[12:n]
		at := i - i%digitTicks + 5 // where each digit begins
		if i%digitTicks < 5 {
			at -= digitTicks
		}
		k := min(i-at+1, 5)
		if want := fmt.Sprintf("%x", event(payload[0], k == 5, uint16(k*960))); fmt.Sprintf("%x", payload[:4]) != want {
			t.Errorf("packet %d says %x, want %s", i, payload[:4], want)
		}
		if stamp != uint32(960*at) || (p[1]&0x80 != 0) != (i == at) {
			t.Errorf("packet %d has timestamp %d and marker %x", i, stamp, p[1]&0x80)
		}
		if p[0] != 0xa0 || payload[len(payload)-1] != 76 || strings.Trim(string(payload[4:len(payload)-1]), "\x00") != "" {
			t.Errorf("packet %d is not padded: %x %x", i, p[0], payload)
		}
		events += string(allDigits[payload[0]])
	}
	if events != ".....3333333...DDDDDDD.................." {
		t.Error(events)
	}
	if got := s.Stats().BytesSent; got != 26*80+14*4 {
		t.Errorf("%d bytes of payload sent: padding is none", got)
	}
}

// Outside secure mode nothing is padded. G.711 has an event clock of its own.
func TestDigitsInTheClear(t *testing.T) {
	w := &wire{}
	c := dialingConfig(t, w)
	c.Secure, c.Codec, c.PayloadType, c.EventClock = false, codec(t, "PCMU"), 0, 8000
	s := newSender(t, c)
	must(t, s.ReleaseClear())
	must(t, s.SendDigits("#"))
	for range digitTicks {
		must(t, s.Tick())
	}
	for i, p := range w.packets {
		want := 12 + 160
		if i < 7 {
			want = 12 + 4
		}
		if len(p) != want {
			t.Fatalf("packet %d has %d bytes", i, len(p))
		}
	}
	if got, want := w.packets[6][12:], event(11, true, 800); string(got) != string(want) {
		t.Errorf("ended with %x, want %x", got, want)
	}
}

func TestSendDigitsErrors(t *testing.T) {
	c := dialingConfig(t, &wire{})
	s := newSender(t, c)
	if err := s.SendDigits("1"); !errors.Is(err, media.ErrSilent) {
		t.Errorf("before the keys: %v", err)
	}
	must(t, s.Release(verified(t), sealer(t, 1)))
	for _, bad := range []string{"12a3X", "1 2", "ä", "\x00", strings.Repeat("1", 65)} {
		if err := s.SendDigits(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	must(t, s.SendDigits(""))
	taken := 0
	for taken < 100 && s.SendDigits("1") == nil {
		taken++
	}
	if taken != 4 {
		t.Errorf("%d calls are waiting", taken)
	}
	c.TelephoneEvent = 0
	s = newSender(t, c)
	must(t, s.Release(verified(t), sealer(t, 1)))
	if err := s.SendDigits("1"); !errors.Is(err, media.ErrNoEvents) {
		t.Errorf("not negotiated: %v", err)
	}
}

// Digits go through every codec and a bad network, each once.
func TestDigitsArrive(t *testing.T) {
	for name, net := range map[string]netsim.Config{
		"good": {Seed: 1},
		"bad":  {Seed: 1, Delay: 40e6, Jitter: 60e6, Loss: 0.3, Duplicate: 0.3, Reorder: 0.1},
	} {
		for _, codecName := range []string{"opus", "G722", "PCMU"} {
			t.Run(name+" "+codecName, func(t *testing.T) {
				pcm := make([]int16, (len(allDigits)*digitTicks+20)*audio.FrameSamples)
				l := newLane(t, pcm, codecName, net, &tape{})
				must(t, l.sender.SendDigits(allDigits))
				l.run(t, len(pcm)/audio.FrameSamples)
				if got := taken(l.receiver); got != allDigits {
					t.Errorf("heard %q", got)
				}
				stats := l.receiver.Stats()
				if stats.Discarded.Malformed+stats.Discarded.UnknownEvent+stats.Discarded.UnknownPayload != 0 {
					t.Errorf("%+v", stats.Discarded)
				}
				if name == "good" && (stats.TelephoneEvents != 7*16 || stats.Lost+stats.Concealed+stats.Late != 0) {
					t.Errorf("%+v", stats)
				}
				for i, p := range l.seen {
					if len(p) != len(l.seen[0]) {
						t.Fatalf("packet %d has %d bytes, the first has %d", i, len(p), len(l.seen[0]))
					}
				}
			})
		}
	}
}

// step is one packet of a peer's, and what is heard by then.
type step struct {
	stamp   uint32
	payload []byte
	heard   string
}

// What peers do with events, and what they should not do.
func TestHearEvents(t *testing.T) {
	for name, c := range map[string]struct {
		steps     []step
		malformed uint64
		unknown   uint64
	}{
		"repeated ends": {steps: []step{
			{1000, event(1, false, 160), "1"}, {1000, event(1, true, 320), "1"}, {1000, event(1, true, 320), "1"}, {1000, event(1, true, 320), "1"},
		}},
		"all but the last end are lost": {steps: []step{{1000, event(11, true, 320), "#"}}},
		"one digit twice": {steps: []step{
			{1000, event(1, true, 320), "1"}, {2000, event(1, false, 160), "11"},
		}},
		"overtaken": {steps: []step{
			{1000, event(1, false, 160), "1"}, {3000, event(2, false, 160), "12"}, {1000, event(1, true, 320), "12"},
		}},
		"timestamps wrap": {steps: []step{
			{1<<32 - 100, event(1, true, 50), "1"}, {400, event(1, true, 50), "11"}, {1<<32 - 100, event(1, true, 50), "11"},
		}},
		"timestamps begin again": {steps: []step{
			{1 << 30, event(1, true, 320), "1"}, {500, event(2, true, 320), "12"},
		}},
		"segments of a long event": {steps: []step{
			{0, event(5, false, 65000), "5"}, {0, event(5, false, 65535), "5"}, {65535, event(5, false, 160), "5"}, {65535, event(5, true, 320), "5"},
			{70000, event(5, false, 160), "55"},
		}},
		"several in a packet": {steps: []step{
			{1000, append(event(1, true, 320), event(2, true, 320)...), "12"}, {1000, append(event(1, true, 320), event(2, true, 320)...), "12"},
		}},
		"no time":          {steps: []step{{1000, event(4, false, 0), "4"}, {1000, event(4, false, 65535), "4"}}},
		"flash and others": {steps: []step{{1000, event(16, true, 320), ""}, {2000, event(255, false, 65535), ""}}, unknown: 2},
		"cut off":          {steps: []step{{1000, event(1, true, 320)[:3], ""}, {1000, append(event(1, true, 320), 1), ""}, {1000, nil, ""}}, malformed: 3},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, receiverConfig(t, &tape{}))
			must(t, r.Release(verified(t), opener(t, 1)))
			f, heard := newFar(t, sealer(t, 1)), ""
			for i, s := range c.steps {
				voice := f.ts
				f.ts = s.stamp
				r.HandleRTP(at(i), f.packet(eventType, s.payload))
				f.ts = voice
				if heard += taken(r); heard != s.heard {
					t.Errorf("step %d: heard %q, want %q", i, heard, s.heard)
				}
			}
			got := r.Stats()
			if got.TelephoneEvents != uint64(len(c.steps)) || got.Discarded != (media.Discarded{Malformed: c.malformed, UnknownEvent: c.unknown}) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A peer may send events with either clock rate that was agreed to.
func TestEventsOfTwoClocks(t *testing.T) {
	r := newReceiver(t, receiverConfig(t, &tape{}))
	must(t, r.Release(verified(t), opener(t, 1)))
	f := newFar(t, sealer(t, 1))
	r.HandleRTP(at(0), f.packet(eventType, event(1, true, 960)))
	r.HandleRTP(at(1), f.packet(otherEventType, event(2, true, 160)))
	if got := taken(r); got != "12" {
		t.Errorf("heard %q", got)
	}
}

// Digits without keys, or of somebody else, are none; and nobody has to take
// those that are.
func TestDigitsNeedAuthentication(t *testing.T) {
	r := newReceiver(t, receiverConfig(t, &tape{}))
	r.HandleRTP(at(0), newFar(t, nil).packet(eventType, event(1, true, 320)))
	must(t, r.Release(verified(t), opener(t, 1)))
	r.HandleRTP(at(1), newFar(t, nil).packet(eventType, event(2, true, 320)))
	r.HandleRTP(at(2), newFar(t, sealer(t, 3)).packet(eventType, event(3, true, 320)))
	if got := taken(r); got != "" {
		t.Errorf("heard %q", got)
	}
	f := newFar(t, sealer(t, 1))
	for i := range 1000 {
		r.HandleRTP(at(i), f.packet(eventType, event(4, true, 320)))
	}
	if got := taken(r); got != strings.Repeat("4", 32) {
		t.Errorf("heard %q", got)
	}
	if got := r.Stats().DigitsDropped; got != 1000-32 {
		t.Errorf("%d digits dropped", got)
	}
}

// A pause that a digit leaves in the voice is as long as it was, and counts as
// nothing lost.
func TestDigitsLeaveThePauseTheyMake(t *testing.T) {
	for _, name := range []string{"opus", "PCMU"} {
		sink := &tape{}
		pcm := make([]int16, 60*audio.FrameSamples)
		for _, frame := range []int{10, 40} { // a click before and one behind the digit
			for i := range 480 {
				pcm[frame*audio.FrameSamples+i] = int16(20000 * math.Sin(float64(i)*2*math.Pi/48))
			}
		}
		l := newLane(t, pcm, name, netsim.Config{Seed: 1}, sink)
		for i := range 60 {
			if i == 20 {
				must(t, l.sender.SendDigits("1"))
			}
			l.runTick(t, i)
		}
		var clicks []int
		for i, v := range sink.pcm {
			if v > 4000 || v < -4000 {
				if n := len(clicks); n == 0 || i-clicks[n-1] > 10*audio.FrameSamples {
					clicks = append(clicks, i)
				}
			}
		}
		if len(clicks) != 2 || abs(clicks[1]-clicks[0]-30*audio.FrameSamples) > audio.FrameSamples {
			t.Errorf("%s: clicks at %v", name, clicks)
		}
		if s := l.receiver.Stats(); s.Concealed+s.Lost+s.Late != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

func abs(n int) int { return max(n, -n) }

// Held digits wait.
func TestDigitsWaitOnHold(t *testing.T) {
	w := &wire{}
	s := newSender(t, dialingConfig(t, w))
	must(t, s.Release(verified(t), sealer(t, 1)))
	must(t, s.SendDigits("1"))
	s.Hold(true)
	for range 20 {
		must(t, s.Tick())
	}
	s.Hold(false)
	must(t, s.Tick())
	if p := w.take(); len(p) != 1 || p[0][1] != 0x80|eventType {
		t.Errorf("%x", p)
	}
}

func TestDigitsConfig(t *testing.T) {
	for name, change := range map[string]func(*media.SenderConfig){
		"payload type of the codec":      func(c *media.SenderConfig) { c.TelephoneEvent = opusType },
		"payload type of an RTCP packet": func(c *media.SenderConfig) { c.TelephoneEvent = 72 },
		"no clock":                       func(c *media.SenderConfig) { c.EventClock = 0 },
	} {
		c := dialingConfig(t, &wire{})
		change(&c)
		if s, err := media.NewSender(c); s != nil || err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// Padding cannot fill packets as long as these.
	c := dialingConfig(t, &wire{})
	c.Coding = codecs.Options{Bitrate: 128000}
	s := newSender(t, c)
	must(t, s.Release(verified(t), sealer(t, 1)))
	if err := s.SendDigits("1"); err == nil {
		t.Error("a digit was taken")
	}
	c.Secure = false
	s = newSender(t, c)
	must(t, s.ReleaseClear())
	must(t, s.SendDigits("1"))
}
