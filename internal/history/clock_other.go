//go:build !linux && !freebsd

package history

import "time"

// Now returns the time in nanoseconds. Here it is the wall clock: processes agree on it, but if it is set back during a
// recording the history will not make sense.
func Now() int64 { return time.Now().UnixNano() }
