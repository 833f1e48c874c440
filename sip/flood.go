package sip

import (
	"sync"
	"time"
)

// floodPause is how long a flood goes on before the log hears of it again.
const floodPause = 10 * time.Second

// flood counts what anybody can make happen as often as they like, so that it
// fills no log: the first time is told at once, what follows as a number, and
// at most once in floodPause. The zero value has seen nothing.
type flood struct {
	mu    sync.Mutex
	quiet time.Time // nothing is told before
	count int       // what is not told yet
}

// seen counts once more, and returns how many to tell of now, or 0.
func (f *flood) seen(now time.Time) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
	if now.Before(f.quiet) {
		return 0
	}
	f.quiet = now.Add(floodPause)
	return f.take()
}

// rest returns how many were never told of.
func (f *flood) rest() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.take()
}

func (f *flood) take() int {
	n := f.count
	f.count = 0
	return n
}
