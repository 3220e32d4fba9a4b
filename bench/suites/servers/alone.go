package servers

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
)

// bare is the baseline: two scripts that do the least that a lock on a server has to do, to set a key with an expiry.
const bare = "two bare EVALSHA"

func (e *env) alone() harness.Case {
	c := harness.Case{
		Name:   "uncontended",
		Models: "a job that nobody else wants to do now",
		Missed: "Queue, fence, renewal and the check for damaged data are seven commands a pair and a client with books: " +
			"6 µs of the server, 8 of the client, 4 of the manager. FCALL, shorter paths and fewer arguments were tried (docs/internals/redis.md)",
		Sides: []harness.Side{
			{Name: ours, Run: e.counted(ours, e.library(e.spec(ours)))},
			{Name: bare, Run: e.counted(bare, e.bare(2))},
		},
		Checks: []harness.Check{
			{What: "Acquire + Release, uncontended", Metric: "ns/op", Ours: ours, Base: []string{bare}, Bound: 1.15},
			{What: "Acquire + Release, commands", Metric: "commands/op", Ours: ours, Bound: 2.02},
			{
				What:   "Acquire + Release, beside redislock, which has no queue, no fencing and no renewal",
				Metric: "least ns/op", Ours: ours, Base: []string{clients.RedisLock1}, Bound: 1, Minimum: true,
			},
			{What: "Acquire + Release, beside other libraries", Metric: "ns/op", Ours: ours, Base: peers, NoTarget: true},
		},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.counted(p, e.library(e.spec(p)))})
	}
	return c
}

// counted adds the commands of an operation that the server has counted.
func (e *env) counted(library string, of harness.Body) run {
	return harness.Around(of, e.server.Counts, func(m harness.Metrics, before, after redisd.Counts, ops float64) {
		m["commands/op"] = float64(after.Since(before).Network(extra(library)...)) / ops
	})
}

// library acquires and releases a lock of its own.
func (e *env) library(
	s clients.Spec,
) func(context.Context, *int) (func(context.Context, int) error, func() error, error) {
	return func(ctx context.Context, ops *int) (func(context.Context, int) error, func() error, error) {
		loop, shut, err := clients.Loop(ctx, s)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, n int) error {
			*ops += n
			return loop(ctx, n)
		}, shut, nil
	}
}

// bare runs a script that sets a key with an expiry, some times for each operation.
func (e *env) bare(times int) func(context.Context, *int) (func(context.Context, int) error, func() error, error) {
	script := redis.NewScript("return redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000)")
	return func(ctx context.Context, ops *int) (func(context.Context, int) error, func() error, error) {
		c := clients.Dial(e.server.Addr)
		if err := script.Load(ctx, c).Err(); err != nil {
			return nil, nil, errors.Join(err, c.Close())
		}
		keys := []string{"bare"}
		return func(ctx context.Context, n int) error {
			*ops += n
			for range n * times {
				if err := script.EvalSha(ctx, c, keys, "a").Err(); err != nil {
					return err
				}
			}
			return nil
		}, c.Close, nil
	}
}
