package command_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
)

func TestMain(m *testing.M) {
	proctest.HeedSignals()
	leaktest.Main(m,
		// os/signal keeps one goroutine for good once a program has asked for signals.
		goleak.IgnoreTopFunction("os/signal.signal_recv"),
		goleak.IgnoreTopFunction("os/signal.loop"),
	)
}
