package harness

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now reads a clock that every process of the machine shares and that nobody sets: the instants of two processes
// may be subtracted.
func Now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("bug: no monotonic clock: " + err.Error())
	}
	return time.Duration(t.Nano())
}
