package faults

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/holders"
)

// libraries are the sides, ours first.
var libraries = []string{
	holders.Redis, holders.Postgres, holders.Redsync, holders.RedisLock, holders.RueidisLock, holders.Etcd, holders.PgLock,
}

// ours is how many of them are ours.
const ours = 2

// Suite returns the suite. It needs redis-server and etcd in PATH, and an installed PostgreSQL.
func Suite() harness.Suite {
	return harness.Suite{Name: "faults", Open: func(ctx context.Context, quick bool) ([]harness.Case, func() error, error) {
		redis.SetLogger(quiet{})
		e, err := open(ctx, quick)
		if err != nil {
			return nil, nil, err
		}
		return []harness.Case{
			e.blackHole(), e.pause(), e.crash(), e.restart(), e.resets(), e.cancels(), e.order(),
		}, e.shut, nil
	}}
}

// quiet drops what go-redis writes about connections that break: here they are broken on purpose.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// scenario measures one library with a fault.
type scenario func(ctx context.Context, p plan) (harness.Metrics, error)

// plan is what a scenario is run with.
type plan struct {
	library string
	store   store
	ttl     time.Duration
	pairs   int // of holders and waiters at once
}

// sides returns a side for each library.
func (e *env) sides(run scenario) []harness.Side {
	var all []harness.Side
	for _, library := range e.libraries {
		all = append(all, harness.Side{Name: library, Run: func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
			p := plan{library: library, store: e.stores[library], ttl: 3 * time.Second, pairs: b.Pick(5, 1)}
			if b.Quick {
				p.ttl = 2 * time.Second
			}
			return run(ctx, p)
		}})
	}
	return all
}

// checks returns a row of the table for each of ours.
func (e *env) checks(what, metric string, d harness.Direction, bound float64) []harness.Check {
	var all []harness.Check
	for _, library := range libraries[:ours] {
		all = append(all, harness.Check{
			What: what + " (" + library + ")", Metric: metric, Ours: library, Direction: d, Bound: bound, Worst: true,
		})
	}
	return all
}
