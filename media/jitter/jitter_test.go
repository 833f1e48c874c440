package jitter

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

func TestSteadyStreamIsPlayedWhole(t *testing.T) {
	s := newStream(t)
	for i := range 3000 {
		s.send(i, 5*time.Millisecond)
	}
	s.run(time.Minute)
	s.playedInOrder()
	if n := s.count(Wait, 0, time.Minute); n > 4 {
		t.Errorf("waited %d frames", n)
	}
	got := s.b.Stats()
	if made := got.Lost + got.Late + got.Concealed + got.Recovered + got.Skipped; made != 0 || got.Received-got.Played > 3 {
		t.Errorf("%+v", got)
	}
	// On a good network what it begins with is enough, or a frame too much.
	if s.accelerated > Frame || s.expanded != 0 {
		t.Errorf("accelerated by %v, expanded by %v", s.accelerated, s.expanded)
	}
	if got.Target != 10*time.Millisecond || got.Delay < got.Target-tooLittle || got.Delay > got.Target+Frame+tooMuch {
		t.Errorf("delay %v, wanted %v", got.Delay, got.Target)
	}
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
		if r.action.Kind == FEC {
			if r.frame != 51 || r.action.Length != Frame || s.out[k+1].frame != 51 || s.out[k-1].frame != 49 {
				t.Errorf("around the loss: %v", s.out[k-1:k+2])
			}
		}
	}
	if got := s.b.Stats(); got.Recovered != 1 || got.Lost != 1 || got.Concealed != 0 {
		t.Errorf("%+v", got)
	}
}

// A packet that does not carry the one before it recovers nothing.
func TestLossWithoutFECIsConcealed(t *testing.T) {
	s := newStream(t)
	for i := range 100 {
		p := s.packet(i)
		p.Redundant = false
		if i != 50 {
			s.arrive(time.Duration(i)*s.ptime, p)
		}
	}
	s.run(1900 * time.Millisecond)
	s.playedInOrder()
	if got := s.b.Stats(); got.Recovered != 0 || got.Lost != 1 || got.Concealed != 1 {
		t.Errorf("%+v", got)
	}
}

// Where packets are lost that the next one carries, the delay is long enough
// to wait for the next one.
func TestDelayWaitsForRedundancy(t *testing.T) {
	s := newStream(t)
	lost := 0
	for i := range 1500 {
		if i%25 == 24 {
			lost++
			continue
		}
		s.send(i, 0)
	}
	s.run(29 * time.Second)
	got := s.b.Stats()
	if got.Recovered < uint64(lost-3) || got.Concealed > 1 || got.Target < Frame || got.Target > 2*Frame {
		t.Errorf("%d lost, %+v", lost, got)
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
	if got.Duplicate != 9 || got.Lost != 0 || got.Received != 100 || got.Played != 100 || got.Late != 0 {
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

// When nothing comes for a while and then all at once, all of it is played,
// and the delay that has grown by it is brought down again: as soon as it is not
// among the first that is known of the network any more.
func TestStallLosesNothing(t *testing.T) {
	s := newStream(t)
	for i := range 500 {
		late := time.Duration(0)
		if i >= 100 && i < 110 { // nothing comes for 200 ms
			late = time.Duration(110-i) * s.ptime
		}
		s.send(i, late)
	}
	s.run(9900 * time.Millisecond)
	s.playedInOrder()
	got := s.b.Stats()
	if got.Concealed < 6 || got.Concealed > 9 || got.Lost+got.Late+got.Recovered+got.Skipped != 0 || got.Received-got.Played > 9 {
		t.Errorf("%+v", got)
	}
	if s.accelerated < 110*time.Millisecond || got.Delay > got.Target+Frame+tooMuch {
		t.Errorf("accelerated by %v, %+v", s.accelerated, got)
	}
	if grown := s.count(Accelerate, 5*time.Second, 6*time.Second); grown < 10 {
		t.Errorf("accelerated %d times in the sixth second", grown)
	}
}

// When jitter comes, the delay is expanded before it starves the playout.
func TestExpandsAhead(t *testing.T) {
	s := newStream(t)
	for i := range 1500 {
		late := time.Duration(0)
		if i >= 500 { // packets come in bunches, ever more so
			late = time.Duration(4-i%5) * min(time.Duration(i-500)/40*time.Millisecond, 20*time.Millisecond)
		}
		s.send(i, late)
	}
	s.run(29 * time.Second)
	s.playedInOrder()
	got := s.b.Stats()
	if s.expanded < 20*time.Millisecond || got.Concealed > 3 || got.Lost+got.Late+got.Skipped != 0 {
		t.Errorf("expanded by %v, %+v", s.expanded, got)
	}
	if got.Target < 80*time.Millisecond || got.Delay < got.Target-tooLittle {
		t.Errorf("%+v", got)
	}
}

// What comes too late is waited for if there is enough of it, and need not be if
// the packet after it recovers it.
func TestDelayIsWorthwhile(t *testing.T) {
	for name, c := range map[string]struct {
		each, late int // packets
		redundant  bool
		want       time.Duration
	}{
		"one in 50":               {50, 1, false, 65 * time.Millisecond},
		"one in 50, recovered":    {50, 1, true, 25 * time.Millisecond},
		"one in 500":              {500, 1, false, 65 * time.Millisecond},
		"one in 1000":             {1000, 1, false, 20 * time.Millisecond},
		"all in a row, 10 in 500": {500, 10, false, 65 * time.Millisecond},
		"all in a row, recovered": {500, 10, true, 65 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStream(t)
			for i := range 1500 {
				p, late := s.packet(i), time.Duration(0)
				p.Redundant = c.redundant
				if i%c.each >= c.each-c.late {
					late = 60 * time.Millisecond
				}
				s.arrive(time.Duration(i)*s.ptime+late, p)
			}
			s.run(29900 * time.Millisecond)
			if got := s.b.Stats(); got.Target != c.want {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A playout that sleeps and then makes good its frames at once, as one does
// that its scheduler has forgotten, plays the stream as if it had not.
func TestLateWakeUps(t *testing.T) {
	for _, ptime := range []time.Duration{Frame / 8, Frame, 3 * Frame} {
		s := newStream(t)
		s.ptime = ptime
		next := 0
		for i := 0; i < 3000; {
			sleep := 1
			if i%100 == 99 {
				sleep = 5
			}
			s.now = time.Duration(i+sleep-1) * Frame
			for ; time.Duration(next)*ptime <= s.now; next++ {
				s.b.Push(s.start.Add(time.Duration(next)*ptime), s.packet(next))
			}
			for made := time.Duration(0); made < time.Duration(sleep)*Frame; {
				made += s.play()
			}
			i += sleep
		}
		got := s.b.Stats()
		if got.Concealed+got.Recovered+got.Late+got.Lost != 0 || s.accelerated > Frame+Frame/2 || s.expanded > Frame {
			t.Errorf("%v: accelerated by %v, expanded by %v, %+v", ptime, s.accelerated, s.expanded, got)
		}
	}
}

func TestPacketTimes(t *testing.T) {
	for _, us := range []time.Duration{2500, 5000, 10_000, 20_000, 30_000, 40_000, 60_000, 100_000} {
		t.Run((us * time.Microsecond).String(), func(t *testing.T) {
			s := newStream(t)
			s.ptime = us * time.Microsecond
			for i := range int(20 * time.Second / s.ptime) {
				s.send(i, 0)
			}
			s.run(19 * time.Second)
			s.playedInOrder()
			got := s.b.Stats()
			if got.Lost+got.Late+got.Concealed+got.Recovered+got.Skipped != 0 || s.expanded > 10*time.Millisecond {
				t.Errorf("%+v, expanded by %v", got, s.expanded)
			}
			if got.Delay > got.Target+Frame+tooMuch {
				t.Errorf("%+v", got)
			}
		})
	}
}

// A loss of any length is recovered from what follows it. That comes too late for
// the first one, if packets are long: some of it is made up before.
func TestLossOfPacketTimes(t *testing.T) {
	for _, us := range []time.Duration{2500, 5000, 10_000, 20_000, 30_000, 60_000} {
		t.Run((us * time.Microsecond).String(), func(t *testing.T) {
			s := newStream(t)
			s.ptime = us * time.Microsecond
			n := int(6 * time.Second / s.ptime)
			for i := range n {
				if i%(n/4) != n/8 {
					s.send(i, 0)
				}
			}
			s.run(5 * time.Second)
			s.playedInOrder()
			var recovered, madeUp time.Duration
			for _, r := range s.out {
				switch r.action.Kind {
				case FEC:
					recovered += r.action.Length
				case Conceal:
					madeUp += r.action.Length
				}
			}
			got := s.b.Stats()
			lost := time.Duration(got.Lost) * s.ptime
			if got.Lost < 3 || got.Late+got.Skipped != 0 || recovered != lost || madeUp >= s.ptime || s.ptime <= Frame && madeUp != 0 {
				t.Errorf("%v recovered, %v made up, %+v", recovered, madeUp, got)
			}
		})
	}
}

// A day of a peer whose clock is off: the delay stays where it is wanted,
// numbers and timestamps wrap, and nothing is lost or made up.
func TestDayOfDrift(t *testing.T) {
	for _, ppm := range []int{-200, 200} {
		t.Run(fmt.Sprint(ppm), func(t *testing.T) {
			t.Parallel()
			packets := 24 * 3600 * 50
			if raceEnabled {
				packets /= 8 // what is new after three hours is no race
			}
			s := newStream(t)
			r := rand.New(rand.NewPCG(3, 0))
			arrives := func(i int) time.Duration {
				return time.Duration(i)*s.ptime - time.Duration(i)*s.ptime/1e6*time.Duration(ppm)
			}
			upTo := arrives(packets)
			next, due := 0, 30*time.Millisecond
			longest, played := time.Duration(0), 0
			for ; s.now < upTo; s.now += s.play() {
				for ; due <= s.now && next < packets; next++ {
					s.b.Push(s.start.Add(due), s.packet(next))
					due = arrives(next+1) + time.Duration(r.IntN(8))*time.Millisecond
				}
				for _, o := range s.out {
					if o.plays() {
						if o.frame != played {
							t.Fatalf("at %v: packet %d, want %d", o.at, o.frame, played)
						}
						played++
						longest = max(longest, o.at-arrives(o.frame))
					}
				}
				s.out = s.out[:0]
			}
			got := s.b.Stats()
			if got.Lost+got.Late+got.Concealed+got.Recovered+got.Skipped+got.Restarts+got.Duplicate != 0 {
				t.Errorf("%+v", got)
			}
			if got.Received-got.Played > 5 || longest > 75*time.Millisecond {
				t.Errorf("delay up to %v, %+v", longest, got)
			}
			drift := upTo - time.Duration(packets)*s.ptime
			if sum := s.expanded - s.accelerated; sum < drift-100*time.Millisecond || sum > drift+100*time.Millisecond {
				t.Errorf("expanded by %v, accelerated by %v, for a drift of %v", s.expanded, s.accelerated, drift)
			}
		})
	}
}

// Silence suppression: numbers go on, timestamps jump by the pause. Pauses are
// no losses and keep their length.
func TestPauses(t *testing.T) {
	s := newStream(t)
	at := 0
	for i := range 200 {
		p := s.packet(i)
		if i >= 100 {
			at += 400
		}
		at += 20
		p.Timestamp = s.ts0 + uint32(at*48)
		p.Quiet = i >= 99
		s.arrive(time.Duration(at)*time.Millisecond, p)
	}
	s.run(time.Duration(at) * time.Millisecond)
	s.playedInOrder()
	var last time.Duration
	for _, r := range s.out {
		if !r.plays() {
			continue
		}
		if r.frame > 130 && r.at-last != 420*time.Millisecond {
			t.Fatalf("packet %d came %v after the one before", r.frame, r.at-last)
		}
		last = r.at
	}
	if got := s.b.Stats(); got.Lost+got.Late+got.Recovered+got.Concealed+got.Skipped > 1 {
		t.Errorf("%+v", got)
	}
	if n := s.count(Noise, 0, time.Hour); n < 99*20-5 || n > 100*20 {
		t.Errorf("%d frames of noise", n)
	}
}

// In a pause the delay changes without touching speech.
func TestPauseTakesDelayUp(t *testing.T) {
	s := newStream(t)
	at := 0
	for i := range 600 {
		p, late := s.packet(i), time.Duration(0)
		p.Quiet = i%20 == 19
		if i%20 == 0 {
			at += 400
		}
		at += 20
		if i >= 200 && i%20 >= 9 && i%20 < 12 {
			late = time.Duration(12-i%20) * 19 * time.Millisecond
		}
		p.Timestamp = s.ts0 + uint32(at*48)
		s.arrive(time.Duration(at)*time.Millisecond+late, p)
	}
	s.run(time.Duration(at) * time.Millisecond)
	s.playedInOrder()
	got := s.b.Stats()
	if got.Lost+got.Late != 0 || got.Concealed > 3 || s.expanded > 0 {
		t.Errorf("expanded by %v, %+v", s.expanded, got)
	}
	if got.Delay < got.Target-tooLittle || got.Target < 50*time.Millisecond {
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
			if n := s.heard(34100*time.Millisecond, 37*time.Second); n < 143 {
				t.Errorf("only %d packets played after the hold", n)
			}
			if n := s.b.Stats().Concealed; n > 50 {
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
	if n := s.heard(4100*time.Millisecond, 7900*time.Millisecond); n < 188 {
		t.Errorf("only %d packets played after the restart", n)
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

// After a stall of more than a second, what is older than can be caught up
// with is dropped, and the delay comes down.
func TestLongStallIsBounded(t *testing.T) {
	s := newStream(t)
	for i := range 1500 {
		late := time.Duration(0)
		if i >= 200 && i < 290 {
			late = time.Duration(290-i) * s.ptime
		}
		s.send(i, late)
	}
	s.run(29 * time.Second)
	s.playedInOrder()
	got := s.b.Stats()
	if got.Late < 30 || got.Late > 50 || got.Lost != 0 || got.Delay > got.Target+Frame+tooMuch {
		t.Errorf("%+v", got)
	}
}

func TestOversizedAndReset(t *testing.T) {
	s := newStream(t)
	s.b.Push(s.start, Packet{Seq: 1, Payload: make([]byte, MaxPayload+1)})
	s.b.Push(s.start, Packet{Seq: 1, Payload: make([]byte, MaxPayload)})
	s.b.Reset(8000)
	if n, a := s.b.Pop(s.start.Add(time.Second), 0, s.dst[:]); n != 0 || a.Kind != Wait {
		t.Errorf("after Reset: %d, %v", n, a)
	}
	s.wantStats(Stats{Oversized: 1, Received: 1, Late: 1})

	// A new stream at another clock plays with the right timing.
	for i := range 100 {
		s.b.Push(s.start.Add(time.Duration(i)*Frame), Packet{Seq: uint16(500 + i), Timestamp: uint32(i * 160), Payload: []byte{0, 0, 0, byte(i)}})
		for s.now = time.Duration(i) * Frame; s.now < time.Duration(i+1)*Frame; {
			s.now += s.play()
		}
	}
	if n := s.heard(0, time.Hour); n != 99 {
		t.Errorf("played %d packets", n)
	}
}

// Whatever the sizes, what was put in comes out, and when the room is used up
// the oldest give way.
func TestRoom(t *testing.T) {
	s := newStream(t)
	const pushed = 400
	for i := range pushed {
		p := s.packet(i)
		p.Payload = append(p.Payload, bytes.Repeat([]byte{byte(i)}, i*37%(MaxPayload-3))...)
		s.b.Push(s.start.Add(time.Duration(i)*100*time.Microsecond), p)
	}
	held := s.b.count
	if used := cells - s.b.store.left; held < 60 || used < cells-8 {
		t.Errorf("%d packets held, %d cells used", held, used)
	}
	for s.b.count > 0 {
		n, a := s.b.Pop(s.start.Add(100*time.Millisecond), 0, s.dst[:])
		if !a.Kind.Packet() {
			t.Fatalf("%v with %d held", a, s.b.count)
		}
		i := int(binary.BigEndian.Uint32(s.dst[:]))
		if i != pushed-1-s.b.count || n != 4+i*37%(MaxPayload-3) || !bytes.Equal(s.dst[4:n], bytes.Repeat([]byte{byte(i)}, n-4)) {
			t.Fatalf("packet %d of %d bytes", i, n)
		}
	}
	if s.b.store.left != cells {
		t.Errorf("%d cells free of %d", s.b.store.left, cells)
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

func TestKinds(t *testing.T) {
	for k, want := range map[Kind]string{
		Wait: "wait", Later: "later", Play: "play", Accelerate: "accelerate", Expand: "expand", FEC: "fec", Conceal: "conceal", Noise: "noise", 77: "kind(77)",
	} {
		if k.String() != want {
			t.Errorf("%d is %q", uint8(k), k)
		}
	}
}
