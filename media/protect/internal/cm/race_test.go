//go:build race

package cm

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
