//go:build unix

package cli

import (
	"os"
	"syscall"
)

// Signals of a terminal: its size has changed, the job goes on.
var (
	resizeSignals   = []os.Signal{syscall.SIGWINCH}
	continueSignals = []os.Signal{syscall.SIGCONT}
)

// suspend stops the job, as ^Z does. The stop may take effect a moment after the return. It has none
// where nothing could continue the job: in an orphaned process group. The signal is never asked for:
// Go would go on catching it, and nothing would stop.
func suspend() {
	_ = syscall.Kill(0, syscall.SIGTSTP) // our own group: it exists
}
