//go:build race

package opus

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
