package jitter

import (
	"testing"
	"time"
)

// jumped plays 400 packets, the timestamps of some of which are off by seconds.
// The last one is still waiting at the end.
func jumped(t *testing.T, off func(i int) int) *stream {
	s := newStream(t)
	for i := range 400 {
		p := s.packet(i)
		p.Timestamp += uint32(off(i) * rate)
		s.arrive(time.Duration(i)*s.ptime, p)
	}
	s.run(8 * time.Second)
	s.playedInOrder()
	if got := s.b.Stats(); got.Lost+got.Late+got.Skipped != 0 || s.count(Wait, time.Second, 8*time.Second) != 0 || got.Target > 20*ms || got.Delay > 40*ms {
		t.Errorf("%+v", got)
	}
	return s
}

// A timestamp that no other packet agrees with is not believed.
func TestStray(t *testing.T) {
	for _, off := range []int{1, -1} {
		s := jumped(t, func(i int) int {
			switch i {
			case 200:
				return off
			case 201:
				return -off
			}
			return 0
		})
		if got := s.b.Stats(); got.Stray != 2 || got.Restarts != 0 || got.Played != 397 {
			t.Errorf("%+v", got)
		}
	}
}

// When two agree, the sender's clock has jumped.
func TestClockJumps(t *testing.T) {
	for _, off := range []int{1, -1} {
		s := jumped(t, func(i int) int {
			if i >= 200 {
				return off
			}
			return 0
		})
		if got := s.b.Stats(); got.Stray != 1 || got.Restarts != 1 || got.Played != 398 {
			t.Errorf("%+v", got)
		}
	}
}

// What arrives twice says one thing once, and what was overtaken lies before
// those that overtook it, not far.
func TestStrayTwiceAndOvertaken(t *testing.T) {
	s := newStream(t)
	for i := range 200 {
		p, at := s.packet(i), time.Duration(i)*s.ptime
		if i == 100 || i == 150 {
			p.Timestamp += rate
			s.arrive(at, p)
		}
		if i == 180 {
			p.Timestamp -= rate
			at += 21 * ms
		}
		s.arrive(at, p)
	}
	s.run(4 * time.Second)
	s.playedInOrder()
	if got := s.b.Stats(); got.Restarts != 0 || got.Stray != 3 || got.Target > 30*ms || got.Delay > 60*ms {
		t.Errorf("%+v", got)
	}
}

// Where another route is quicker, what takes it overtakes what is still on the old
// one. All of it is heard but for the first packet that is so early, and the delay
// becomes no longer.
func TestQuickerRoute(t *testing.T) {
	for _, ptime := range []time.Duration{MinLength, Frame, 60 * ms} {
		for _, by := range []time.Duration{130 * ms, 200 * ms, 300 * ms, 450 * ms} {
			s := newStream(t)
			s.ptime = ptime
			packets := int(30 * time.Second / ptime)
			for i := range packets {
				if i < packets/10 {
					s.send(i, by)
				} else {
					s.send(i, ms)
				}
			}
			s.run(29 * time.Second)
			s.playedInOrder()
			got := s.b.Stats()
			if got.Stray > 1 || got.Late+got.Lost+got.Far+got.Restarts != 0 || s.count(Conceal, by+time.Second, 29*time.Second) != 0 || got.Delay > 60*ms {
				t.Errorf("packets of %v, quicker by %v: %+v", ptime, by, got)
			}
		}
	}
}
