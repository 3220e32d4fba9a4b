package redistest

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
)

// Clock is the wall clock of one server, which a test can set.
type Clock = preloadtest.Clock

// StartWithClock is Start for a server with a wall clock of its own, which differs by off from the
// system's. Where that cannot be, or redis-server is missing, the test is skipped, or fails.
func StartWithClock(t testing.TB, off time.Duration, args ...string) (*Server, *Clock) {
	t.Helper()
	require(t)
	c := preloadtest.NewClock(t)
	c.Set(t, off)
	return launch(t, Server{args: args, env: c.Env()}), c
}
