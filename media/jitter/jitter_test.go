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
	out    []result
	dst    [MaxPayload]byte
}

type arrival struct {
	at time.Duration
	p  Packet
}

type result struct {
	at     time.Duration
	action Action
	frame  int // number of the packet in dst, -1 without one
}

func newStream(t *testing.T) *stream {
	b, err := New(Config{ClockRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	return &stream{t: t, b: b, start: time.Unix(1e9, 0), ptime: Frame, seq0: 65530, ts0: 1<<32 - 5000}
}

// packet is the i-th of the sender, sent at i*ptime.
func (s *stream) packet(i int) Packet {
	payload := binary.BigEndian.AppendUint32(nil, uint32(i))
	ticks := uint32(s.ptime.Milliseconds() * rate / 1000)
	return Packet{Seq: s.seq0 + uint16(i), Timestamp: s.ts0 + uint32(i)*ticks, Payload: payload}
}

// send lets the i-th packet arrive late after it was sent.
func (s *stream) send(i int, late time.Duration) {
	s.arrive(time.Duration(i)*s.ptime+late, s.packet(i))
}

func (s *stream) arrive(at time.Duration, p Packet) {
	s.pushes = append(s.pushes, arrival{at: at, p: p})
}

// run plays until the given time, popping as a receiver of these packets would.
func (s *stream) run(until time.Duration) {
	slices.SortStableFunc(s.pushes, func(a, b arrival) int { return cmp.Compare(a.at, b.at) })
	for ; s.now < until; s.now += max(Frame, s.ptime) {
		for len(s.pushes) > 0 && s.pushes[0].at <= s.now {
			s.b.Push(s.start.Add(s.pushes[0].at), s.pushes[0].p)
			s.pushes = s.pushes[1:]
		}
		for range max(1, int(Frame/s.ptime)) {
			s.pop()
		}
	}
}

func (s *stream) pop() {
	for {
		n, a := s.b.Pop(s.start.Add(s.now), s.dst[:])
		r := result{at: s.now, action: a, frame: -1}
		if (a == Play || a == FEC || a == Skip) != (n > 0) {
			s.t.Fatalf("%v with %d bytes", a, n)
		}
		if n > 0 {
			r.frame = int(binary.BigEndian.Uint32(s.dst[:n]))
		}
		s.out = append(s.out, r)
		if a != Skip {
			return
		}
	}
}

func (s *stream) count(a Action, from, to time.Duration) (n int) {
	for _, r := range s.out {
		if r.action == a && r.at >= from && r.at < to {
			n++
		}
	}
	return n
}

// playedInOrder fails unless every packet that was played came after those
// with lower numbers.
func (s *stream) playedInOrder() {
	s.t.Helper()
	last := -1
	for _, r := range s.out {
		if r.action != Play && r.action != Skip {
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

func TestSteadyStreamIsPlayedWhole(t *testing.T) {
	s := newStream(t)
	for i := range 3000 {
		s.send(i, 5*time.Millisecond)
	}
	s.run(time.Minute)
	if n := s.count(Wait, 0, time.Minute); n > 4 {
		t.Errorf("waited %d frames", n)
	}
	// What is still in the buffer at the end is the delay.
	s.wantStats(Stats{Received: 2999, Played: 2997})
	if d := s.b.Stats().Delay; d < 40*time.Millisecond || d > 60*time.Millisecond {
		t.Errorf("delay %v", d)
	}
	s.playedInOrder()
}

func TestSingleLossIsRecovered(t *testing.T) {
	s := newStream(t)
	for i := range 100 {
		if i != 50 {
			s.send(i, 0)
		}
	}
	s.run(1900 * time.Millisecond)
	s.playedInOrder()
	for k, r := range s.out {
		if r.action == FEC {
			if r.frame != 51 || s.out[k+1].action != Play || s.out[k+1].frame != 51 || s.out[k-1].frame != 49 {
				t.Errorf("around the loss: %v", s.out[k-1:k+2])
			}
		}
	}
	got := s.b.Stats()
	if got.Recovered != 1 || got.Lost != 1 || got.Concealed != 0 {
		t.Errorf("%+v", got)
	}
}

func TestBurstLossIsConcealedThenRecovered(t *testing.T) {
	s := newStream(t)
	for i := range 100 {
		if i < 50 || i >= 54 {
			s.send(i, 0)
		}
	}
	s.run(1900 * time.Millisecond)
	got := s.b.Stats()
	if got.Recovered != 1 || got.Lost != 4 || got.Concealed != 3 {
		t.Errorf("%+v", got)
	}
	s.playedInOrder()
}

func TestReorderAndDuplicate(t *testing.T) {
	s := newStream(t)
	s.send(1, 0)
	s.send(0, 25*time.Millisecond) // overtaken at the very start
	for i := 2; i < 100; i++ {
		s.send(i, 0)
		if i%10 == 0 {
			s.send(i, time.Millisecond)
		}
		if i%10 == 5 { // swapped with its successor
			s.pushes[len(s.pushes)-1].at += 21 * time.Millisecond
		}
	}
	s.run(2200 * time.Millisecond)
	s.playedInOrder()
	got := s.b.Stats()
	if got.Duplicate != 9 || got.Lost != 0 || got.Received != 100 || got.Played+got.Skipped != 100 || got.Late != 0 {
		t.Errorf("%+v", got)
	}
}

func TestDuplicateOfPlayedAndLateOfLost(t *testing.T) {
	s := newStream(t)
	for i := range 100 {
		late := time.Duration(0)
		if i == 30 {
			late = 200 * time.Millisecond
		}
		s.send(i, late)
	}
	s.send(40, 300*time.Millisecond)
	s.run(1900 * time.Millisecond)
	got := s.b.Stats()
	if got.Duplicate != 1 || got.Late != 1 || got.Lost != 0 || got.Recovered != 1 {
		t.Errorf("%+v", got)
	}
}

func TestOneStallCostsItsLengthOnly(t *testing.T) {
	s := newStream(t)
	for i := range 500 {
		late := time.Duration(0)
		if i >= 100 && i < 110 { // nothing comes for 200 ms, then all at once
			late = time.Duration(110-i) * s.ptime
		}
		s.send(i, late)
	}
	s.run(9900 * time.Millisecond)
	s.playedInOrder()
	if n := s.count(Conceal, 0, time.Hour); n < 6 || n > 10 {
		t.Errorf("concealed %d frames", n)
	}
	if d := s.b.Stats().Delay; d > 70*time.Millisecond {
		t.Errorf("delay stayed at %v", d)
	}
}

func TestPacketTimes(t *testing.T) {
	for _, ptime := range []time.Duration{10, 30, 40, 60, 100} {
		t.Run((ptime * time.Millisecond).String(), func(t *testing.T) {
			s := newStream(t)
			s.ptime = ptime * time.Millisecond
			for i := range int(20 * time.Second / s.ptime) {
				s.send(i, 0)
			}
			s.run(19 * time.Second)
			s.playedInOrder()
			got := s.b.Stats()
			if got.Lost+got.Late+got.Concealed+got.Recovered+got.Skipped != 0 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestClockDrift(t *testing.T) {
	for _, ppm := range []int{-300, -50, 50, 300} {
		s := newStream(t)
		const minutes = 10
		for i := range minutes * 3000 {
			sent := time.Duration(i) * s.ptime
			s.arrive(sent+sent/1e6*time.Duration(ppm), s.packet(i))
		}
		s.run(minutes*time.Minute - 5*time.Second)
		s.playedInOrder()
		frames := minutes * 60 * time.Second / 1e6 * time.Duration(ppm) / Frame
		got := s.b.Stats()
		if n := int(got.Skipped) - int(got.Concealed); n < int(-frames)-2 || n > int(-frames)+2 {
			t.Errorf("%d ppm: %d frames made up for, want about %d", ppm, n, -frames)
		}
		if got.Delay > 80*time.Millisecond || got.Lost+got.Late != 0 {
			t.Errorf("%d ppm: %+v", ppm, got)
		}
	}
}

func TestPausesKeepTheirLength(t *testing.T) {
	// Silence suppression: numbers go on, timestamps jump by the pause.
	s := newStream(t)
	at := 0
	for i := range 200 {
		p := s.packet(i)
		if i >= 100 {
			at += 400
		}
		at += 20
		p.Timestamp = s.ts0 + uint32(at*48)
		s.arrive(time.Duration(at)*time.Millisecond, p)
	}
	s.run(time.Duration(at) * time.Millisecond)
	s.playedInOrder()
	var last time.Duration
	for _, r := range s.out {
		if r.action != Play {
			continue
		}
		if r.frame > 102 && r.at-last != 420*time.Millisecond {
			t.Fatalf("packet %d came %v after the one before", r.frame, r.at-last)
		}
		last = r.at
	}
	if got := s.b.Stats(); got.Lost+got.Late+got.Recovered != 0 {
		t.Errorf("%+v", got)
	}
}

func TestHoldAndResume(t *testing.T) {
	for name, jump := range map[string]uint32{"timestamps went on": 30 * rate, "timestamps stood": 0, "timestamps anew": 1 << 31} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t)
			for i := range 400 {
				p, at := s.packet(i), time.Duration(i)*s.ptime
				if i >= 200 {
					p.Timestamp += jump
					at += 30 * time.Second
				}
				s.arrive(at, p)
			}
			s.run(37 * time.Second)
			s.playedInOrder()
			if n := s.count(Play, 34100*time.Millisecond, 37*time.Second); n < 144 {
				t.Errorf("only %d frames played after the hold", n)
			}
			if n := s.count(Conceal, 0, time.Hour); n > 50 {
				t.Errorf("concealed %d frames of the hold", n)
			}
			if n := s.count(Wait, 6*time.Second, 33*time.Second); n != 27*50 {
				t.Errorf("waited %d frames", n)
			}
		})
	}
}

func TestRestartedSequence(t *testing.T) {
	s := newStream(t)
	for i := range 400 {
		p := s.packet(i)
		if i >= 200 {
			p.Seq -= 10000
			p.Timestamp += 1 << 20
		}
		s.arrive(time.Duration(i)*s.ptime, p)
	}
	s.run(7900 * time.Millisecond)
	s.playedInOrder()
	if n := s.count(Play, 4100*time.Millisecond, 7900*time.Millisecond); n < 188 {
		t.Errorf("only %d frames played after the restart", n)
	}
	if got := s.b.Stats(); got.Restarts != 1 {
		t.Errorf("%+v", got)
	}
}

func TestEmptyPacketsTakeTheirNumber(t *testing.T) {
	s := newStream(t)
	for i := range 200 {
		p := s.packet(i)
		if i >= 100 && i < 110 { // a telephone-event with the timestamp of its start
			p.Timestamp, p.Payload = s.packet(100).Timestamp, nil
		}
		s.arrive(time.Duration(i)*s.ptime, p)
	}
	s.run(3900 * time.Millisecond)
	s.playedInOrder()
	got := s.b.Stats()
	if got.Lost+got.Late+got.Recovered+got.Restarts != 0 || got.Concealed < 8 || got.Concealed > 10 {
		t.Errorf("%+v", got)
	}
}

func TestOversizedAndReset(t *testing.T) {
	s := newStream(t)
	s.b.Push(s.start, Packet{Seq: 1, Payload: make([]byte, MaxPayload+1)})
	s.b.Push(s.start, Packet{Seq: 1, Payload: make([]byte, MaxPayload)})
	s.b.Reset(8000)
	if n, a := s.b.Pop(s.start.Add(time.Second), s.dst[:]); n != 0 || a != Wait {
		t.Errorf("after Reset: %d, %v", n, a)
	}
	s.wantStats(Stats{Oversized: 1, Received: 1, Late: 1})

	// A new stream at another clock plays with the right timing.
	for i := range 100 {
		s.b.Push(s.start.Add(time.Duration(i)*Frame), Packet{Seq: uint16(500 + i), Timestamp: uint32(i * 160), Payload: []byte{0, 0, 0, byte(i)}})
		s.now = time.Duration(i) * Frame
		s.pop()
	}
	if n := s.count(Play, 0, time.Hour); n != 98 {
		t.Errorf("played %d frames", n)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{
		{},
		{ClockRate: -8000},
		{ClockRate: 10_000_000},
		{ClockRate: rate, MinDelay: time.Millisecond},
		{ClockRate: rate, MinDelay: time.Minute},
		{ClockRate: rate, MinDelay: -Frame},
	} {
		if b, err := New(c); err == nil || b != nil {
			t.Errorf("%+v accepted", c)
		}
	}
	b, err := New(Config{ClockRate: rate, MinDelay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.Stats().Target; got != 100*time.Millisecond {
		t.Errorf("target %v", got)
	}
}

func TestActionNames(t *testing.T) {
	for a, want := range map[Action]string{Wait: "wait", Play: "play", FEC: "fec", Conceal: "conceal", Skip: "skip", 77: "action(77)"} {
		if a.String() != want {
			t.Errorf("%d is %q", uint8(a), a)
		}
	}
}
