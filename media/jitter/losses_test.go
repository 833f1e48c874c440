package jitter

import (
	"testing"
	"time"
)

// The pattern of RFC 3611 §4.7.2, where 1 is played, 0 lost and X discarded.
func TestLossesOfTheStandard(t *testing.T) {
	var s spread
	for _, c := range "11110111111111111111111X111X1011110111111111111111111X111111111" {
		switch c {
		case '1':
			s.played()
		case 'X':
			s.sum.Discarded++
			s.missed(1)
		default:
			s.missed(1)
		}
	}
	b := Buffer{spread: s}
	// The RFC says 64 packets and shows 63.
	want := Losses{Expected: 63, Missing: 6, Discarded: 3, Runs: 6, Bursts: 1, InBursts: 12, MissingInBurst: 4}
	if got := b.Losses(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestBursts(t *testing.T) {
	type step struct{ played, missed int }
	for name, test := range map[string]struct {
		steps []step
		want  Losses
	}{
		"nothing":              {nil, Losses{}},
		"all is well":          {[]step{{100, 0}}, Losses{Expected: 100}},
		"one, at the start":    {[]step{{0, 1}, {3, 0}}, Losses{Expected: 4, Missing: 1, Runs: 1}},
		"two, at the start":    {[]step{{0, 2}, {3, 0}}, Losses{Expected: 5, Missing: 2, Runs: 1, Bursts: 1, InBursts: 2, MissingInBurst: 2}},
		"a burst that goes on": {[]step{{20, 1}, {15, 1}}, Losses{Expected: 37, Missing: 2, Runs: 2, Bursts: 1, InBursts: 17, MissingInBurst: 2}},
		"two that are alone":   {[]step{{20, 1}, {16, 1}}, Losses{Expected: 38, Missing: 2, Runs: 2}},
		"two bursts": {[]step{{5, 3}, {16, 1}, {2, 4}, {30, 0}},
			Losses{Expected: 61, Missing: 8, Runs: 3, Bursts: 2, InBursts: 10, MissingInBurst: 8}},
		"alone between bursts": {[]step{{5, 2}, {16, 1}, {16, 2}},
			Losses{Expected: 42, Missing: 5, Runs: 3, Bursts: 2, InBursts: 4, MissingInBurst: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			var b Buffer
			for _, s := range test.steps {
				for range s.played {
					b.spread.played()
				}
				b.spread.missed(int64(s.missed))
			}
			for range 2 { // telling does not change what is told
				if got := b.Losses(); got != test.want {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			}
		})
	}
}

// What the network does shows in Losses: what is recovered is not missing, what
// comes late is discarded.
func TestLossesOfAStream(t *testing.T) {
	s := newStream(t)
	for i := range 300 {
		p, late := s.packet(i), time.Duration(0)
		switch i {
		case 50: // recovered
			continue
		case 100, 101, 102: // the last one recovered
			continue
		case 199: // late, and not recovered
			late = 200 * time.Millisecond
		case 200:
			p.Redundant = false
		}
		s.arrive(time.Duration(i)*s.ptime+late, p)
	}
	s.run(5900 * time.Millisecond)
	s.playedInOrder()
	got := s.b.Losses()
	got.Expected = 0 // some wait at the end
	want := Losses{Missing: 3, Discarded: 1, Runs: 2, Bursts: 1, InBursts: 2, MissingInBurst: 2}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if stats := s.b.Stats(); s.b.Losses().Expected != stats.Played+got.Missing+stats.Recovered {
		t.Errorf("%+v, %+v", s.b.Losses(), stats)
	}
}
