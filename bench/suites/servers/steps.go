package servers

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
)

// steps builds an uncontended lease from two round trips, one step after the other.
func (e *env) steps() harness.Case {
	const pings, empty, store = "two PING", "two scripts that do nothing", "the store without a manager"
	sides := []harness.Side{
		{Name: pings, Run: e.spent(e.twice(func(ctx context.Context, c *goredis.Client) error { return c.Ping(ctx).Err() }))},
		{Name: empty, Run: e.spent(e.twice(nothing))},
		{Name: bare, Run: e.spent(e.bare(2))},
		{Name: store, Run: e.spent(e.storeAlone)},
		{Name: ours, Run: e.spent(e.library(e.spec(ours)))},
		{Name: clients.RedisLock1, Run: e.spent(e.library(e.spec(clients.RedisLock1)))},
	}
	c := harness.Case{
		Name:   "uncontended, step by step",
		Models: "what the price of a lease is made of that nobody else wants",
		Sides:  sides,
		Checks: append(harness.Steps(pings, empty, bare, store, ours), harness.Steps(clients.RedisLock1)...),
	}
	for _, s := range sides {
		c.Checks = append(c.Checks, harness.Check{What: s.Name + ": of the server", Metric: "server ns/op", Ours: s.Name, Minimum: true, NoTarget: true})
	}
	return c
}

// spent adds the processor time that the server spends on an operation.
func (e *env) spent(of harness.Body) run {
	return harness.Around(of, e.server.CPU, func(m harness.Metrics, before, after time.Duration, ops float64) {
		m["server ns/op"] = float64((after - before).Nanoseconds()) / ops
	})
}

// twice does something two times for each operation.
func (e *env) twice(do func(context.Context, *goredis.Client) error) harness.Body {
	return func(_ context.Context, ops *int) (func(context.Context, int) error, func() error, error) {
		c := clients.Dial(e.server.Addr)
		return func(ctx context.Context, n int) error {
			*ops += n
			for range 2 * n {
				if err := do(ctx, c); err != nil {
					return err
				}
			}
			return nil
		}, c.Close, nil
	}
}

var empty = goredis.NewScript("return 1")

func nothing(ctx context.Context, c *goredis.Client) error { return empty.Run(ctx, c, nil).Err() }

// storeAlone acquires and releases on the store itself.
func (e *env) storeAlone(_ context.Context, ops *int) (func(context.Context, int) error, func() error, error) {
	c := clients.Dial(e.server.Addr)
	b, err := redis.New(c)
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	name := e.spec(ours).Name
	loop := func(ctx context.Context, n int) error {
		*ops += n
		return leases.Bare(ctx, b, name, n)
	}
	return loop, func() error { return errors.Join(harness.Within(time.Minute, b.Close), c.Close()) }, nil
}
