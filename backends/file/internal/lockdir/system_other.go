//go:build !linux

package lockdir

import "time"

// SafetyNet is how often a waiting process looks at the table although nothing has woken it. Without file events it is
// also how a lock that flock(1) held is noticed to be free.
const SafetyNet = 100 * time.Millisecond

var loaded = time.Now()

// ProcessStart returns when this process began.
func ProcessStart() time.Time { return loaded }

// alone is not known here: lock files are never removed.
func alone(int) bool { return false }

func (*Dir) Flocks() flocks { return nil } // not known here

func tellerOf(int) Teller       { return nothing } // not known here: names are looked up
func inodeChange(int) time.Time { return time.Time{} }
