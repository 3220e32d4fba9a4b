//go:build race

package primitives

// raceEnabled: the race detector makes everything some ten times slower.
const raceEnabled = true
