//go:build race

package protect

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
