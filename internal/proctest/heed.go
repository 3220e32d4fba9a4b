package proctest

import (
	"os"
	"os/signal"
	"syscall"
)

// HeedSignals gives the processes that a test starts the signals that the test itself was told to ignore, as nohup and the
// background jobs of a shell are: a child inherits what is ignored, and a shell cannot even trap it. Call it in TestMain, after
// Register; what a helper ignores is that helper's affair.
func HeedSignals() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s) // caught, and so reset in a child
		}
	}
}
