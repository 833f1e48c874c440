package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// subject is one who is measured.
type subject struct {
	name  string // a tier of ours, or one of the names below
	modes []string
	has   func(profile string) bool
	take  func(cell, string) (sample, error)
	close func() error
}

const (
	pionName    = "pion"
	libsrtpName = "libsrtp"
	limitName   = "limit"
)

// sample is one measurement.
type sample struct {
	NS     float64 // a packet
	Allocs float64 // a packet
}

// turns are how often everybody is measured in a cell in one round. For a time the
// fastest counts: whatever else the machine does can only make it slower.
const turns = 3

// series is what one subject did in a cell and mode, one sample a turn.
type series struct {
	subject, mode string
	cell          cell
}

// bench measures in rounds.
type bench struct {
	machine  machine
	subjects []subject
	rounds   int
	progress io.Writer
	taken    map[series][]sample
	begun    time.Time
}

// newBench starts everybody who is to be measured.
func newBench(rounds int) (*bench, error) {
	b := &bench{rounds: rounds, machine: thisMachine(rounds), progress: os.Stderr, taken: map[series][]sample{}, begun: time.Now()}
	for _, tier := range b.machine.Tiers {
		s, err := startWorker("ours", tier)
		if err != nil {
			return nil, errors.Join(err, b.close())
		}
		b.subjects = append(b.subjects, s)
	}
	pion, err := startWorker(pionName, "")
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	b.subjects = append(b.subjects, pion)
	if s, version, err := startLibsrtp(); err != nil {
		fmt.Fprintln(os.Stderr, "srtp: NO LIBSRTP to compare with:", err)
	} else {
		b.subjects, b.machine.Libsrtp = append(b.subjects, s), version
	}
	if s, err := startLimit(); err != nil {
		fmt.Fprintln(os.Stderr, "srtp: the processor's LIMIT IS NOT MEASURED:", err)
	} else {
		b.subjects, b.machine.Limit = append(b.subjects, s), true
	}
	return b, nil
}

func (b *bench) close() error {
	var all error
	for _, s := range b.subjects {
		all = errors.Join(all, s.close())
	}
	return all
}

// measure goes through the profiles once a round. Everybody has a turn in a cell,
// one right after the other, so that what else the machine does hits all alike; and
// the rounds of a cell are as far apart as all other profiles take, so that what
// slows the machine for a minute hits few of them. The many contexts come last:
// libsrtp of Debian takes longer with few once there are many.
func (b *bench) measure(chosen []string) ([]row, error) {
	defer func() { _, _ = fmt.Fprintf(b.progress, "\r%80s\r", "") }()
	for _, some := range [][]int{contexts[:2], contexts[2:]} {
		for round := range b.rounds {
			for i, profile := range chosen {
				_, _ = fmt.Fprintf(b.progress, "\r%3.0f s: contexts %v, round %d of %d, profile %d of %d ", time.Since(b.begun).Seconds(),
					some, round+1, b.rounds, i+1, len(chosen))
				for turn := range turns {
					if err := b.turn(cells(profile, some), round, turn); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	var rows []row
	for _, profile := range chosen {
		for _, c := range cells(profile, contexts) {
			rows = append(rows, b.rows(c)...)
		}
	}
	return rows, nil
}

// turn measures everybody in each cell: first with single packets, then with
// batches, so that nobody is measured twice in a row, with caches that are still
// his own. Each turn begins with another.
func (b *bench) turn(all []cell, round, turn int) error {
	for _, c := range all {
		for _, mode := range []string{single, batch} {
			for i := range b.subjects {
				s := b.subjects[(i+round*turns+turn)%len(b.subjects)]
				if !s.has(c.profile) || !slices.Contains(s.modes, mode) {
					continue
				}
				got, err := s.take(c, mode)
				if err != nil {
					return fmt.Errorf("%s: %s, %s, %d bytes, %s, %d contexts: %w", s.name, c.profile, c.op, c.size, mode, c.contexts, err)
				}
				key := series{s.name, mode, c}
				b.taken[key] = append(b.taken[key], got)
			}
		}
	}
	return nil
}

// rows are the medians of one cell: a row for each tier and mode of ours.
func (b *bench) rows(c cell) []row {
	var rows []row
	for _, s := range b.subjects {
		if !slices.Contains(b.machine.Tiers, s.name) {
			continue
		}
		for _, mode := range s.modes {
			r := row{Profile: c.profile, Size: c.size, Op: c.op, Mode: mode, Contexts: c.contexts, Tier: s.name}
			r.OursNS, r.Allocs = medianOf(b.taken[series{s.name, mode, c}])
			r.PionNS = b.median(series{pionName, single, c})
			r.LibsrtpNS = b.median(series{libsrtpName, single, c})
			r.LimitNS = b.median(series{limitName, mode, c})
			if r.PionNS != nil {
				ratio := ratioOf(b.taken[series{pionName, single, c}], b.taken[series{s.name, mode, c}])
				r.RatioPion = &ratio
			}
			rows = append(rows, r.rounded())
		}
	}
	return rows
}

// median is nil where nothing was measured.
func (b *bench) median(key series) *float64 {
	if len(b.taken[key]) == 0 {
		return nil
	}
	ns, _ := medianOf(b.taken[key])
	return &ns
}
