//go:build race

package codecs

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
