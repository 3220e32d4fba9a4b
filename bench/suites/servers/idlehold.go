package servers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// idleHold is how long a process keeps a lock that it does not use.
const idleHold = 5 * time.Second

// keeping names a lock that a process keeps.
func (e *env) keeping() clients.Spec {
	s := e.spec(ours)
	s.IdleHold = idleHold
	return s
}

// again is a process that takes the same lock again and again.
func (e *env) again() harness.Case {
	const (
		what     = "idle hold, the same process again and again"
		inMemory = "memory backend"
	)
	c := harness.Case{
		Name:   what,
		Models: "a server with most of the traffic for a name, while others might come for it",
		Sides: []harness.Side{
			{Name: ours, Run: e.counted(ours, loop(e.keeping(), leases.Loop))},
			{Name: inMemory, Run: alike},
		},
		Checks: []harness.Check{
			{What: what, Metric: "ns/op", Ours: ours, Base: []string{inMemory}, Bound: 2},
			{What: what + ": commands per use", Metric: "commands/op", Ours: ours, Bound: 0.001},
			{
				What:   what + ": 50 uses beside one of the best peer",
				Metric: "ns/op", Ours: ours, Base: peers, Bound: 1. / 50,
			},
		},
	}
	for _, p := range peers {
		c.Sides = append(c.Sides, harness.Side{Name: p, Run: e.counted(p, e.library(e.spec(p)))})
	}
	return c
}

// alike does the same over memory.
func alike(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
	m, err := manager.New(memory.New())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leases.Shut(m)) }()
	return harness.Loop(func(ctx context.Context, n int) error {
		return leases.Loop(ctx, m, "name", n)
	})(ctx, b)
}

// wanted is a process that wants a lock which another one keeps.
func (e *env) wanted() harness.Case {
	const (
		what = "idle hold, another process wants it"
		trip = "one bare EVALSHA"
	)
	return harness.Case{
		Name:   what,
		Models: "the first request for a name at another server than before",
		Missed: "Two scripts and two messages follow each other, so three trips are the least, and 3.6 were seen; " +
			"the rest is waking three processes on two cores (docs/internals/keeper.md)",
		Rounds: 3,
		Sides: []harness.Side{
			{Name: ours, Run: e.fetches},
			{Name: trip, Run: e.counted(trip, e.bare(1))},
		},
		Checks: []harness.Check{
			{
				What: what + ": p50 in bare round trips", Metric: "p50 ns", Ours: ours,
				Base: []string{trip}, BaseMetric: "ns/op", Bound: 2.5,
			},
			{
				What: what + ": it was kept, %", Metric: "kept %", Ours: ours,
				Direction: harness.AtLeast, Bound: 99,
			},
		},
	}
}

// fetches measures how soon this process gets the lock that another one has just used and keeps.
func (e *env) fetches(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
	s := e.keeping()
	keeper, err := clients.StartObedient(s)
	if err != nil {
		return nil, err
	}
	defer keeper.Kill()
	s.IdleHold = 0
	m, shut, err := clients.Manager(s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shut()) }()
	took, kept := make([]float64, b.Pick(300, 3)), 0
	for i := range took {
		if err := keeper.Use(); err != nil {
			return nil, err
		}
		state, err := m.Inspect(ctx, s.Name)
		if err != nil {
			return nil, err
		}
		kept += len(state.Holders)
		start := time.Now()
		l, err := m.Lock(s.Name).Acquire(ctx)
		if err != nil {
			return nil, err
		}
		took[i] = float64(time.Since(start).Nanoseconds())
		if err := l.Release(); err != nil {
			return nil, err
		}
	}
	slices.Sort(took)
	return harness.Metrics{
		"p50 ns": took[len(took)/2],
		"p99 ns": took[len(took)*99/100],
		"kept %": 100 * float64(kept) / float64(len(took)),
	}, keeper.Close()
}
