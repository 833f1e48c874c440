package jitter

import (
	"testing"
	"time"
)

// delayed sends packets, of which those from the 100th on are late by so much and
// one may be lost, and plays them. It returns how much is made up, and when the
// 99th is due.
func (s *stream) delayed(late time.Duration, lost int) (madeUp, due time.Duration) {
	for i := range 150 {
		switch {
		case i == lost:
		case i < 100:
			s.send(i, 0)
		default:
			s.send(i, late)
		}
	}
	s.run(2900 * time.Millisecond)
	s.playedInOrder()
	for _, r := range s.out {
		switch {
		case r.action.Kind == Conceal:
			madeUp += r.action.Length
		case r.plays() && r.frame == 98:
			due = r.at + s.ptime
		}
	}
	return madeUp, due
}

// tooLate fails unless for what came too late by over as much was made up, to the
// next Step.
func (s *stream) tooLate(late, over, madeUp time.Duration) {
	s.t.Helper()
	if madeUp < over || madeUp >= max(over, 0)+Step || madeUp%Step != 0 {
		s.t.Errorf("%v late, too late by %v: %v made up", late, over, madeUp)
	}
}

// A packet that is not here when it is due is looked for again after a Step, and
// heard behind what was made up.
func TestLateIsHeardBehind(t *testing.T) {
	seen := map[time.Duration]bool{}
	for late := time.Duration(0); late < 95*time.Millisecond; late += 3 * time.Millisecond {
		s := newStream(t)
		madeUp, due := s.delayed(late, -1)
		s.tooLate(late, 100*s.ptime+late-due-s.ptime, madeUp)
		if got := s.b.Stats(); got.Lost+got.Late+got.Recovered != 0 || got.Concealed != uint64((madeUp+Frame-1)/Frame) {
			t.Errorf("%v late: %+v", late, got)
		}
		seen[madeUp] = true
	}
	if len(seen) < 5 || !seen[0] || !seen[Step] {
		t.Errorf("made up: %v", seen)
	}
}

// What recovers a lost packet is used behind what was made up, too, be that as
// long as the packet or longer.
func TestRecoveredBehind(t *testing.T) {
	behind := 0
	for late := time.Duration(0); late < 75*time.Millisecond; late += 3 * time.Millisecond {
		s := newStream(t)
		madeUp, due := s.delayed(late, 99)
		s.tooLate(late, 100*s.ptime+late-due, madeUp)
		if got := s.b.Stats(); got.Lost != 1 || got.Recovered != 1 || got.Late != 0 || s.count(FEC, 0, time.Minute) != 1 {
			t.Errorf("%v late: %+v", late, got)
		}
		if madeUp >= s.ptime {
			behind++
		}
	}
	if behind < 10 {
		t.Errorf("only %d times after all of it was made up", behind)
	}
}
