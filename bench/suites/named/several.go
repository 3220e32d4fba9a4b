package named

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// byHand is the side that takes two semaphores in the order of their numbers.
const byHand = "two sorted semaphore.Weighted"

func tenNames() harness.Case {
	loop := func(body func(context.Context, *manager.Manager, string, int) error) run {
		return withManager(func(m *manager.Manager) run {
			return harness.Loop(func(ctx context.Context, n int) error { return body(ctx, m, "name", n) })
		})
	}
	c := leases.TenNames(
		harness.Side{Name: leases.Ten, Run: loop(leases.LoopTen)},
		harness.Side{Name: leases.One, Run: loop(leases.Loop)}, 8, "")
	c.Checks = append(c.Checks, harness.Check{
		What: leases.Ten + ", allocations", Metric: "allocs/op", Ours: leases.Ten, Bound: 12.01,
	})
	return c
}

func behindQueues() harness.Case {
	return leases.BehindQueues("1 process", func(all bool) run {
		return withManager(func(m *manager.Manager) run {
			return func(ctx context.Context, _ harness.Budget) (harness.Metrics, error) {
				return leases.Behind(ctx, m, "name", all, func() error { return nil })
			}
		})
	})
}

// twoOf is goroutines that each take two random names at once, and let others run under them.
func twoOf(names, n int) harness.Case {
	what := fmt.Sprintf("All of 2 random names of %d, %d goroutines", names, n)
	return harness.Case{
		Name: what,
		Missed: "Half of what two semaphores give is the price of one free name. A part goes through the store, for rule 6 of " +
			"docs/internals/several-names.md forbids that it takes what the process holds; its page has the parts of the price",
		Models: "transfers between accounts; each side calls runtime.Gosched while it holds both, " +
			"as work under a lock does that waits for something",
		Sides: []harness.Side{
			{Name: ours, Run: withManager(func(m *manager.Manager) run {
				claims := leases.Locks(m, "name", names)
				return harness.ContendedEach(n, func() func() harness.Guard {
					return func() harness.Guard { return twoNames(m, claims) }
				})
			})},
			{Name: byHand, Run: harness.ContendedEach(n, func() func() harness.Guard {
				sems := make([]*semaphore.Weighted, names)
				for i := range sems {
					sems[i] = semaphore.NewWeighted(1)
				}
				return func() harness.Guard { return twoSemaphores(sems) }
			})},
		},
		Checks: []harness.Check{{
			What: what, Metric: "grants/s", Ours: ours, Base: []string{byHand},
			Direction: harness.AtLeast, Bound: 0.5,
		}},
	}
}

// twoNames is the handle of a goroutine of ours.
func twoNames(m *manager.Manager, claims []manager.Claim) harness.Guard {
	var held *manager.Lease
	return harness.Guard{
		Acquire: func(ctx context.Context) (err error) {
			i, j := two(len(claims))
			held, err = m.All(claims[i], claims[j]).Acquire(ctx)
			return err
		},
		Release: func() error { runtime.Gosched(); return held.Release() },
	}
}

// twoSemaphores is the handle of a goroutine that locks by hand.
func twoSemaphores(sems []*semaphore.Weighted) harness.Guard {
	var i, j int
	return harness.Guard{
		Acquire: func(ctx context.Context) error {
			i, j = two(len(sems))
			if err := sems[i].Acquire(ctx, 1); err != nil {
				return err
			}
			if err := sems[j].Acquire(ctx, 1); err != nil {
				sems[i].Release(1)
				return err
			}
			return nil
		},
		Release: func() error {
			runtime.Gosched()
			sems[i].Release(1)
			sems[j].Release(1)
			return nil
		},
	}
}

// two returns two different random numbers below n, the smaller one first.
func two(n int) (int, int) {
	i, j := rand.IntN(n), rand.IntN(n-1)
	if j >= i {
		return i, j + 1
	}
	return j, i
}

// oneEdgeMore is a nested acquire beside very many: is it examined in reasonable time?
func oneEdgeMore() harness.Case {
	const what = "one edge more beside 4 000 owners that wait for one name"
	return harness.Case{
		Name: what,
		Models: "everybody holds a permit and waits for one lock, whose holder now wants all permits; " +
			"the time is until it is told of the deadlock: the edge that costs most",
		Sides: []harness.Side{{Name: ours, Run: withManager(edges)}},
		Checks: []harness.Check{
			{What: what + ", µs", Metric: "µs/op", Ours: ours, Bound: 1000},
		},
	}
}

// edges measures acquires by the holder of the hub that each close a cycle through every owner.
func edges(m *manager.Manager) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		owners := b.Pick(4000, 10)
		all := m.Semaphore("all", int64(owners))
		hub, err := m.Lock("hub").Acquire(ctx)
		if err != nil {
			return nil, err
		}
		errs := make([]error, owners)
		var wg sync.WaitGroup
		defer func() {
			err = errors.Join(err, hub.Release())
			wg.Wait()
			err = errors.Join(err, errors.Join(errs...))
		}()
		for i := range errs {
			wg.Go(func() {
				errs[i] = all.Permits(1).Do(ctx, func(ctx context.Context) error {
					return m.Lock("hub").Do(ctx, func(context.Context) error { return nil })
				})
			})
		}
		if err := leases.Waiting(ctx, m, int64(owners)); err != nil {
			return nil, err
		}
		figures, err := harness.Loop(func(_ context.Context, n int) error {
			for range n {
				_, err := all.Permits(int64(owners)).Acquire(hub.Context())
				if !errors.Is(err, manager.ErrDeadlock) {
					return fmt.Errorf("want a deadlock, got %v", err)
				}
			}
			return nil
		})(ctx, b)
		if err != nil {
			return nil, err
		}
		figures["µs/op"] = figures["ns/op"] / 1e3
		return figures, nil
	}
}
