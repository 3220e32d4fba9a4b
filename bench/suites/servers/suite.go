package servers

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
)

// ours is the side that is judged.
const ours = clients.Redis

// peers are the other libraries.
var peers = []string{clients.RedisLock1, clients.RedisLock, clients.Redsync, clients.RueidisLock}

// run is what a side runs.
type run = func(context.Context, harness.Budget) (harness.Metrics, error)

// Suite returns the suite. It needs redis-server in PATH.
func Suite() harness.Suite {
	return harness.Suite{Name: "redis", Open: func(ctx context.Context, _ bool) ([]harness.Case, func() error, error) {
		s, err := redisd.Start(ctx)
		if err != nil {
			return nil, nil, err
		}
		redis.SetLogger(quiet{})
		e := &env{server: s}
		return []harness.Case{
			e.alone(), e.steps(), e.crowd(1, 64), e.crowd(4, 16), e.strict(),
			e.tenNames(), e.behindQueues("1 process", 1), e.behindQueues("2 processes", 2),
			e.again(), e.wanted(),
			e.idle(1, 1), e.idle(1, 100), e.idle(1, 5000), e.herd(), e.renewal(), e.manyNames(50_000),
			e.killed(), e.cutOff(), e.deaf(),
		}, s.Close, nil
	}}
}

// quiet drops what go-redis writes about connections that break: here they are broken on purpose.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// env is what the cases share.
type env struct {
	server *redisd.Server
	names  atomic.Int64
}

// spec names a lock that nobody has used before.
func (e *env) spec(library string) clients.Spec {
	return clients.Spec{Library: library, Store: e.server.Addr, Name: fmt.Sprintf("bench%d", e.names.Add(1))}
}

// extra are the commands that a peer sends outside scripts.
func extra(library string) []string {
	if library == clients.Redsync || library == clients.RueidisLock {
		return []string{"set", "get", "del"}
	}
	return nil
}
