package servers

import (
	"context"

	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

func (e *env) tenNames() harness.Case {
	c := leases.TenNames(
		harness.Side{Name: leases.Ten, Run: e.counted(ours, loop(e.spec(ours), leases.LoopTen))},
		harness.Side{Name: leases.One, Run: e.counted(ours, loop(e.spec(ours), leases.Loop))}, 1.6,
		"One script has the commands of ten: each name has a hash, a queue and an expiry of its own. "+
			"One key for several names would be needed, and names of different slots cannot have that (docs/internals/redis.md)")
	c.Checks = append(c.Checks, harness.Check{
		What: leases.Ten + ", commands", Metric: "commands/op", Ours: leases.Ten, Bound: 2.02,
	})
	return c
}

// loop runs a loop of a manager.
func loop(
	s clients.Spec, body func(context.Context, *manager.Manager, string, int) error,
) func(context.Context, *int) (func(context.Context, int) error, func() error, error) {
	return func(_ context.Context, ops *int) (func(context.Context, int) error, func() error, error) {
		m, shut, err := clients.Manager(s)
		if err != nil {
			return nil, nil, err
		}
		return func(ctx context.Context, n int) error {
			*ops += n
			return body(ctx, m, s.Name, n)
		}, shut, nil
	}
}

func (e *env) behindQueues(what string, processes int) harness.Case {
	s := e.spec(ours)
	return leases.BehindQueues(what, func(all bool) run { return clients.Behind(s, all, processes) })
}
