package jitter

import (
	"cmp"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

const rate = 48000

// stream is a sender, a network and a playout in virtual time.
type stream struct {
	t     *testing.T
	b     *Buffer
	start time.Time
	ptime time.Duration
	seq0  uint16
	ts0   uint32

	pushes []arrival
	now    time.Duration
	ahead  time.Duration // what the playout has
	frame  time.Duration // what is to be made of the frame
	out    []result
	dst    [MaxPayload]byte

	accelerated, expanded time.Duration
}

type arrival struct {
	at time.Duration
	p  Packet
}

type result struct {
	at     time.Duration // when it is heard
	action Action
	frame  int // number of the packet in dst, -1 without one
}

func newStream(t *testing.T) *stream {
	b, err := New(Config{ClockRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	return &stream{t: t, b: b, start: time.Unix(1e9, 0), ptime: Frame, frame: Frame, seq0: 65530, ts0: 1<<32 - 5000}
}

// packet is the i-th of the sender, sent at i*ptime. It carries the one before
// it, too.
func (s *stream) packet(i int) Packet {
	payload := binary.BigEndian.AppendUint32(nil, uint32(i))
	ticks := uint32(s.ptime.Microseconds() * rate / 1e6)
	return Packet{Seq: s.seq0 + uint16(i), Timestamp: s.ts0 + uint32(i)*ticks, Payload: payload, Redundant: true}
}

// send lets the i-th packet arrive late after it was sent.
func (s *stream) send(i int, late time.Duration) {
	s.arrive(time.Duration(i)*s.ptime+late, s.packet(i))
}

func (s *stream) arrive(at time.Duration, p Packet) {
	s.pushes = append(s.pushes, arrival{at: at, p: p})
}

// run plays until the given time as a playout does, a Frame at a time or, where it
// has to wait, its halves.
func (s *stream) run(until time.Duration) {
	slices.SortStableFunc(s.pushes, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for ; s.now < until; s.now += s.play() {
		for len(s.pushes) > 0 && s.pushes[0].at <= s.now {
			s.b.Push(s.start.Add(s.pushes[0].at), s.pushes[0].p)
			s.pushes = s.pushes[1:]
		}
	}
}

// play makes what is due, and returns how long that is. It changes the length of
// what it has once, by some 10 ms.
func (s *stream) play() time.Duration {
	change := s.fill()
	by := min(change.Length, 10*time.Millisecond)
	switch change.Kind {
	case Accelerate:
		s.ahead -= by
		s.accelerated += by
		s.fill()
	case Expand:
		s.ahead += by
		s.expanded += by
	}
	made := min(s.ahead, s.frame) / Step * Step
	s.ahead -= made
	if s.frame -= made; s.frame == 0 {
		s.frame = Frame
	}
	return made
}

func (s *stream) fill() (change Action) {
	for s.ahead < s.frame {
		n, a := s.b.Pop(s.start.Add(s.now), s.ahead, s.dst[:])
		r := result{at: s.now + s.ahead, action: a, frame: -1}
		if a.Kind.Packet() != (n > 0) {
			s.t.Fatalf("%v with %d bytes", a, n)
		}
		if n > 0 {
			r.frame = int(binary.BigEndian.Uint32(s.dst[:n]))
		}
		if a.Kind == Later {
			if s.ahead < Step || n > 0 {
				s.t.Fatalf("at %v: %v with %v ahead", s.now, a, s.ahead)
			}
			return change
		}
		s.out = append(s.out, r)
		switch a.Kind {
		case Wait:
			s.ahead = min(s.ahead+a.Length, s.frame)
		case Play:
			s.ahead += s.ptime
		case Accelerate, Expand:
			s.ahead += s.ptime
			change = a
		default:
			if a.Length < MinLength || a.Length > maxPacket || a.Length%MinLength != 0 {
				s.t.Fatalf("%v", a)
			}
			s.ahead += a.Length
		}
	}
	return change
}

// plays tells whether a packet is heard.
func (r result) plays() bool {
	return r.action.Kind == Play || r.action.Kind == Accelerate || r.action.Kind == Expand
}

func (s *stream) count(k Kind, from, to time.Duration) (n int) {
	for _, r := range s.out {
		if r.action.Kind == k && r.at >= from && r.at < to {
			n++
		}
	}
	return n
}

// heard is how many packets were heard.
func (s *stream) heard(from, to time.Duration) int {
	return s.count(Play, from, to) + s.count(Accelerate, from, to) + s.count(Expand, from, to)
}

// playedInOrder fails unless every packet that was played came after those
// with lower numbers.
func (s *stream) playedInOrder() {
	s.t.Helper()
	last := -1
	for _, r := range s.out {
		if !r.plays() {
			continue
		}
		if r.frame <= last {
			s.t.Fatalf("at %v: packet %d after %d", r.at, r.frame, last)
		}
		last = r.frame
	}
}

func (s *stream) wantStats(want Stats) {
	s.t.Helper()
	got := s.b.Stats()
	got.Delay, got.Target, got.Jitter = 0, 0, 0
	if got != want {
		s.t.Errorf("stats\n got %+v\nwant %+v", got, want)
	}
}
