package lockdir

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootClock returns a number of this boot of the machine, and the time on a clock that began with
// it, goes on while the machine is suspended, and is never set. A number of 0 says that there is
// none.
func bootClock() (boot uint64, at time.Duration) {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0, 0
	}
	return bootNumber(), time.Duration(ts.Nano())
}

// bootNumber is the first half of the kernel's random id of the boot.
var bootNumber = sync.OnceValue(func() uint64 {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without it, the wall clock counts
	digits := strings.ReplaceAll(string(id), "-", "")
	n, _ := strconv.ParseUint(digits[:min(16, len(digits))], 16, 64)
	return n
})
