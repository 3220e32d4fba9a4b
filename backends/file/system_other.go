//go:build !linux

package file

import "time"

// safetyNet is how often a waiting process looks at the table although nothing has woken it. Without file events it is
// also how a lock that flock(1) held is noticed to be free.
const safetyNet = 100 * time.Millisecond

var loaded = time.Now()

func processStart() time.Time { return loaded }

// alone is not known here: lock files are never removed.
func alone(int) bool { return false }

func (*directory) flocks() flocks { return nil } // not known here

func tellerOf(int) teller       { return nothing } // not known here: names are looked up
func inodeChange(int) time.Time { return time.Time{} }
