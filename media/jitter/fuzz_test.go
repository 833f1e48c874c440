package jitter

import (
	"encoding/binary"
	"testing"
	"time"
)

// FuzzBuffer: each three bytes are a step. Whatever arrives, nothing is played
// twice, the totals add up, and a sound stream afterwards is played whole.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte{}, uint16(0), uint32(0))
	f.Add([]byte("\x01\x01\x01\x01\x01\x01\x05\x01\x01\x01\x02\x01\x01\x01\x01"), uint16(65535), uint32(1<<32-1))
	f.Add([]byte("\x01\x01\x01\x02\xff\x7f\x02\xff\x7f\x03\xff\xff\x04\x01\x01\x01\x01\x01"), uint16(1), uint32(1<<31))
	f.Add([]byte("\x06\x20\x20\x01\x05\x05\x06\x00\x10\x07\x40\x01\x01\x01\x01\x05\x05\x05"), uint16(30000), uint32(7))
	f.Add([]byte("\x01\x40\x40\x01\x00\x01\x01\x80\x80\x02\x00\x80\x02\x01\x80\x02\x02\x80\x05\x05\x05"), uint16(9), uint32(9))
	f.Add([]byte("\x01\x01\x01\x01\x01\x01\x03\x08\x03\x03\xf7\xf3\x01\x01\x01\x01\x01\x01\x03\xf0\x05\x03\x0f\xf5\x01\x01\x01"), uint16(65534), uint32(1<<32-1)) // strays
	f.Add([]byte("\x01\x01\x01\x01\x01\x01\x03\x08\x03\x01\x01\x01\x01\x01\x01\x03\xf0\x05\x01\x01\x01\x01\x01\x01"), uint16(65534), uint32(1<<32-1))             // lasting jumps
	f.Fuzz(func(t *testing.T, steps []byte, seq uint16, ts uint32) {
		if len(steps) > 3000 {
			return
		}
		b, err := New(Config{ClockRate: rate})
		if err != nil {
			t.Fatal(err)
		}
		h := &harness{t: t, b: b, now: time.Unix(1e9, 0), seq: seq, ts: ts, clock: rate, done: map[uint32]bool{}}
		for ; len(steps) >= 3; steps = steps[3:] {
			h.step(steps[0], steps[1], steps[2])
			h.totals()
		}
		h.recovers()
		h.totals()
	})
}

// harness drives a buffer and keeps count.
type harness struct {
	t   *testing.T
	b   *Buffer
	now time.Time
	seq uint16
	ts  uint32

	clock  int    // timestamp ticks a second
	id     uint32 // of the next payload
	empty  uint64 // packets without payload
	handed uint64
	done   map[uint32]bool
	ahead  time.Duration
	sound  bool // a sound stream, without pauses
	dst    [MaxPayload]byte
}

func (h *harness) step(kind, x, y byte) {
	value := int(int8(x))<<8 + int(y)
	switch kind % 8 {
	case 0: // time passes, by fractions of a frame
		h.now = h.now.Add(time.Duration(x) * time.Millisecond)
	case 1: // a sound packet and a frame
		h.seq, h.ts = h.seq+1, h.ts+uint32(h.clock/50)
		h.push(false)
		h.now = h.now.Add(Frame)
		h.pop()
	case 2: // the sequence jumps
		h.seq += uint16(value)
		h.push(false)
	case 3: // the timestamp jumps
		h.seq, h.ts = h.seq+1, h.ts+uint32(value)<<uint(y%16)
		h.push(false)
	case 4: // a packet without payload
		h.seq++
		h.push(true)
	case 5:
		h.ahead = time.Duration(x) * Frame / 256
		h.pop()
		h.ahead = 0
	case 6: // losses
		h.seq, h.ts = h.seq+uint16(x%70), h.ts+uint32(h.clock/50)*uint32(x%70)
	case 7: // a new stream
		h.clock = []int{8000, 48000}[y%2]
		h.b.Reset(h.clock)
		h.seq = uint16(value)
	}
}

func (h *harness) push(empty bool) {
	p := Packet{Seq: h.seq, Timestamp: h.ts}
	if empty {
		h.empty++
	} else {
		p.Payload = binary.BigEndian.AppendUint32(nil, h.id)
		p.Redundant, p.Quiet = h.id%3 > 0, h.id%7 == 0 && !h.sound
		h.id++
	}
	h.b.Push(h.now, p)
}

// pop makes a frame of packets of 20 ms.
func (h *harness) pop() (last Action) {
	n, a := h.b.Pop(h.now, h.ahead, h.dst[:])
	if (n > 0) != a.Kind.Packet() || n != 0 && n != 4 {
		h.t.Fatalf("%v with %d bytes", a, n)
	}
	if a.Length < 0 || (a.Length == 0) != (a.Kind == Later || a.Kind == Play) || a.Kind == Later && h.ahead < Step {
		h.t.Fatalf("%v", a)
	}
	if n > 0 && a.Kind != FEC {
		id := binary.BigEndian.Uint32(h.dst[:])
		if h.done[id] {
			h.t.Fatalf("packet %d was handed out twice", id)
		}
		h.done[id] = true
		h.handed++
	}
	return a
}

func (h *harness) totals() {
	s := h.b.Stats()
	out := h.handed + s.Late + uint64(h.b.count)
	if out > s.Received || out+h.empty+s.Stray < s.Received {
		h.t.Fatalf("%d handed out, %d held, %d empty, and %+v", h.handed, h.b.count, h.empty, s)
	}
	if l := h.b.Losses(); l.Missing > l.Expected || l.Runs > l.Missing || l.InBursts > l.Expected || l.MissingInBurst > min(l.Missing, l.InBursts) {
		h.t.Fatalf("%+v", l)
	}
	if s.Lost > 1<<40 || h.b.count > slots {
		h.t.Fatalf("%d held, %+v", h.b.count, s)
	}
}

// recovers sends twenty seconds of a sound stream, of which the last must be
// played without a gap.
func (h *harness) recovers() {
	h.sound = true
	for i := range 1000 {
		h.seq, h.ts = h.seq+1, h.ts+uint32(h.clock/50)
		h.push(false)
		for rest := Frame; rest > 0; {
			made := h.play(rest, i >= 950)
			h.now = h.now.Add(made)
			rest -= made
		}
	}
}

// play makes what is due of a frame, and returns how long that is; if the stream
// is to be sound by now, of packets.
func (h *harness) play(rest time.Duration, sound bool) time.Duration {
	for h.ahead < rest {
		a := h.pop()
		if sound && (!a.Kind.Packet() || a.Kind == FEC) {
			h.t.Fatalf("in a sound stream: %v, %+v", a, h.b.Stats())
		}
		switch a.Kind {
		case Later:
			h.ahead -= Step
			return Step
		case Accelerate:
			h.ahead += Frame - min(a.Length, Frame/2)
		case Expand:
			h.ahead += Frame + min(a.Length, Frame/2)
		case Play:
			h.ahead += Frame
		default:
			h.ahead += a.Length
		}
	}
	h.ahead -= rest
	return rest
}

func TestNoAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not counted under the race detector")
	}
	b, err := New(Config{ClockRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	now, seq, ts := time.Unix(1e9, 0), uint16(0), uint32(0)
	payload, dst := make([]byte, 80), make([]byte, MaxPayload)
	n := testing.AllocsPerRun(2000, func() {
		seq, ts, now = seq+1, ts+960, now.Add(Frame)
		if seq%10 != 0 { // losses take other ways through the code
			b.Push(now, Packet{Seq: seq, Timestamp: ts, Payload: payload})
		}
		b.Pop(now, 0, dst)
		b.Stats()
	})
	if n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func BenchmarkPushPop(b *testing.B) {
	buf, err := New(Config{ClockRate: rate})
	if err != nil {
		b.Fatal(err)
	}
	now, seq, ts := time.Unix(1e9, 0), uint16(0), uint32(0)
	payload, dst := make([]byte, 80), make([]byte, MaxPayload)
	b.ReportAllocs()
	for b.Loop() {
		seq, ts, now = seq+1, ts+960, now.Add(Frame)
		buf.Push(now, Packet{Seq: seq, Timestamp: ts, Payload: payload})
		buf.Pop(now, 0, dst)
	}
}
