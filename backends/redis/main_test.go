package redis_test

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lockkeeper/lockkeeper/internal/leaktest"
	"github.com/lockkeeper/lockkeeper/internal/proctest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

var server redistest.Shared

// silent drops what the client library logs: a line for every dial of a server that a test has killed.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

func TestMain(m *testing.M) {
	goredis.SetLogger(silent{})
	proctest.Register("holder", holder)
	proctest.Register("passer", passer)
	proctest.Register("worker", worker)
	proctest.Register("stopped", stopped)
	leaktest.Main(server.Main(m),
		// The client library asks after a dead server once a second, and learns in its next look that its pool is closed.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		// A dial that was under way when a failover client was closed makes it listen to a sentinel once more, and nobody ends that.
		// We read our own subscriptions without these goroutines.
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*sentinelFailover).listen"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*channel).initMsgChan.func1"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*channel).initHealthCheck.func1"))
}
