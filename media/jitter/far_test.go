package jitter

import (
	"fmt"
	"testing"
	"time"
)

// numbers are how far a sequence number may be off: out of reach, within what used
// to be taken for loss, and beyond.
var numbers = []int{26, 100, 255, 256, 400, 511, 2000, 3001, 10000, 32767, -600, -3001, -20000}

// patient is a stream of which 200 ms wait to be played.
func patient(t *testing.T) *stream {
	s := newStream(t)
	var err error
	if s.b, err = New(Config{ClockRate: rate, MinDelay: 200 * ms}); err != nil {
		t.Fatal(err)
	}
	return s
}

// One packet whose number is far from all others changes nothing, whatever its
// timestamp says, and neither do two that do not follow each other.
func TestFarNumber(t *testing.T) {
	for _, off := range numbers {
		for name, change := range map[string]func(p *Packet){
			"timestamp goes with it": func(p *Packet) { p.Timestamp += uint32(off * rate / 50) },
			"timestamp in order":     func(*Packet) {},
			"timestamp anywhere":     func(p *Packet) { p.Timestamp += 1 << 30 },
			"without payload":        func(p *Packet) { p.Payload = nil },
		} {
			t.Run(fmt.Sprint(off, " ", name), func(t *testing.T) {
				s := patient(t)
				for i := range 400 {
					s.send(i, 0)
					if i != 200 && i != 220 {
						continue
					}
					p := s.packet(i)
					p.Seq += uint16(off)
					change(&p)
					s.arrive(time.Duration(i)*s.ptime+ms, p)
					if i == 220 {
						p.Seq += 7
						s.arrive(time.Duration(i)*s.ptime+2*ms, p)
					}
				}
				s.run(8 * time.Second)
				s.playedInOrder()
				got := s.b.Stats()
				if got.Played != 390 || got.Lost+got.Late+got.Concealed+got.Stray+got.Restarts != 0 || got.Far+got.Duplicate != 3 || got.Target != 200*ms {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// Nor does one that is less far ahead, at the beginning of a stream or later: it is not
// taken for a quick one, against which all others would be late.
func TestNearNumber(t *testing.T) {
	for _, at := range []int{20, 200} {
		for _, ahead := range []int{8, 15, 25} {
			s := newStream(t)
			for i := range 600 {
				s.send(i, 0)
				if i == at {
					p := s.packet(i + ahead)
					s.arrive(time.Duration(i)*s.ptime+ms, p)
				}
			}
			s.run(11900 * ms)
			s.playedInOrder()
			if got := s.b.Stats(); got.Stray != 1 || got.Late+got.Restarts != 0 || got.Target > 20*ms || got.Delay > 50*ms || s.accelerated+s.expanded > 50*ms {
				t.Errorf("%d ahead at %d: accelerated by %v, expanded by %v, %+v", ahead, at, s.accelerated, s.expanded, got)
			}
		}
	}
}

// Two streams with numbers of their own that arrive in turns are one stream and
// strays: they do not push each other out.
func TestTwoStreamsInTurns(t *testing.T) {
	s := newStream(t)
	for i := range 400 {
		s.send(i, 0)
		p := s.packet(i)
		p.Seq, p.Timestamp = p.Seq+7000, p.Timestamp+1<<28
		s.arrive(time.Duration(i)*s.ptime+ms, p)
	}
	s.run(8 * time.Second)
	s.playedInOrder()
	if got := s.b.Stats(); got.Played != 399 || got.Far != 399 || got.Restarts+got.Lost != 0 {
		t.Errorf("%+v", got)
	}
}

// A sender that begins again is believed with the second packet, be its timestamps
// new or not. The first one is recovered, and what waits to be played is played.
func TestBeginsAgain(t *testing.T) {
	for _, off := range numbers {
		for _, jump := range []uint32{0, 1 << 20, 1 << 30, -1 << 20 & (1<<32 - 1)} {
			t.Run(fmt.Sprint(off, " ", jump), func(t *testing.T) {
				s := patient(t)
				for i := range 400 {
					p := s.packet(i)
					if i >= 200 {
						p.Seq += uint16(off)
						p.Timestamp += jump
					}
					s.arrive(time.Duration(i)*s.ptime, p)
				}
				s.run(8 * time.Second)
				s.playedInOrder()
				got := s.b.Stats()
				if got.Played != 389 || got.Restarts != 1 || got.Lost != 1 || got.Recovered+got.Concealed != 1 || got.Late+got.Stray != 0 || got.Far+got.Duplicate != 1 {
					t.Errorf("%+v", got)
				}
			})
		}
	}
}

// After a time without any packet its length is no jump, however many were lost.
func TestLongLossIsNoJump(t *testing.T) {
	for _, lost := range []int{30, 200, 300, 1000, 5000} {
		s := newStream(t)
		for i := range 200 {
			if i < 100 {
				s.send(i, 0)
			} else {
				s.send(i+lost, 0)
			}
		}
		s.run(time.Duration(200+lost) * s.ptime)
		s.playedInOrder()
		if got := s.b.Stats(); got.Received != 200 || got.Lost != uint64(lost) || got.Restarts+got.Far+got.Duplicate+got.Late != 0 {
			t.Errorf("%d lost: %+v", lost, got)
		}
	}
}

// A packet without payload that has overtaken others does not take their turn,
// until they are made up.
func TestEmptyPacketWaitsForThoseBefore(t *testing.T) {
	s := newStream(t)
	for i := range 200 {
		late := time.Duration(0)
		if i > 100 { // by when there is nothing else
			late = 25 * ms
		}
		s.send(i, late)
		if i == 100 {
			p := s.packet(i + 20)
			p.Payload = nil
			s.arrive(time.Duration(i)*s.ptime+ms, p)
		}
	}
	s.run(3900 * time.Millisecond)
	s.playedInOrder()
	if got := s.b.Stats(); got.Late+got.Lost != 0 || got.Played < 193 || got.Duplicate != 1 {
		t.Errorf("%+v", got)
	}
}

// Nor do several, and neither if there is voice behind them.
func TestEmptyPacketsWaitForThoseBefore(t *testing.T) {
	for empty := range 4 {
		s := patient(t)
		for i := range 200 {
			p, at := s.packet(i), time.Duration(i)*s.ptime
			switch {
			case i == 100:
				at += 205 * ms // when it should have been heard for 5 ms
			case i > 100 && i <= 100+empty:
				p.Payload = nil
			}
			p.Redundant = false
			s.arrive(at, p)
		}
		s.run(3900 * time.Millisecond)
		s.playedInOrder()
		if got := s.b.Stats(); got.Late+got.Lost != 0 || s.heard(0, 3900*ms) < 180-empty {
			t.Errorf("%d empty: %+v", empty, got)
		}
	}
}

// What is new after that begins with numbers of its own.
func TestBeginsAgainAndIsReplaced(t *testing.T) {
	s := newStream(t)
	for i := range 100 {
		p := s.packet(i)
		if i >= 50 {
			p.Seq += 5000
		}
		s.arrive(time.Duration(i)*s.ptime, p)
	}
	s.run(2 * time.Second)
	s.b.Reset(rate)
	for i := 100; i < 200; i++ {
		s.send(i, 0)
	}
	s.run(3900 * ms)
	s.playedInOrder()
	if got := s.b.Stats(); got.Restarts != 1 || got.Far != 1 || got.Late > 1 || s.heard(2100*ms, 3900*ms) < 89 {
		t.Errorf("%+v", got)
	}
}
