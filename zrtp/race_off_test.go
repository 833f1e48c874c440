//go:build !race

package zrtp

const raceEnabled = false
