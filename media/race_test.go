//go:build race

package media_test

// raceEnabled says that the race detector, which allocates, is watching.
const raceEnabled = true
