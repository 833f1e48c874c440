//go:build race

package jitter

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
