//go:build race

package actor

// raceEnabled says that the race detector is on: everything is slower, and pools forget.
const raceEnabled = true
