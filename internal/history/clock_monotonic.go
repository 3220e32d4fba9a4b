//go:build linux || freebsd

package history

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the host's monotonic clock in nanoseconds: all processes of the host read the same one, and nobody
// sets it.
func Now() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return time.Now().UnixNano() // no kernel without this clock is known
	}
	return t.Nano()
}
