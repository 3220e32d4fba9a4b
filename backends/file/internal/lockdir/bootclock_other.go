//go:build !linux

package lockdir

import "time"

// bootClock says that there is no clock of this boot: the wall clock counts.
func bootClock() (boot uint64, at time.Duration) { return 0, 0 }
