package inprocess

import (
	"context"
	"fmt"
	"runtime"
	"sync"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/primitives"
)

// parallelReaders is one reader on each core, and no writer.
func parallelReaders() harness.Case {
	return harness.Case{
		Name:   "RWMutex, a reader on each core",
		Models: "a read-mostly table that every core looks up",
		Sides: []harness.Side{
			{Name: ours, Run: onEachCore(func() func(context.Context, int) error {
				var m primitives.RWMutex
				return func(ctx context.Context, n int) error {
					for range n {
						if err := m.RLock(ctx); err != nil {
							return err
						}
						m.RUnlock()
					}
					return nil
				}
			})},
			{Name: stdlib, Run: onEachCore(func() func(context.Context, int) error {
				var m sync.RWMutex
				return func(_ context.Context, n int) error {
					for range n {
						m.RLock()
						m.RUnlock() //nolint:staticcheck // the price of the pair is what is measured
					}
					return nil
				}
			})},
		},
		Checks: []harness.Check{
			{What: "parallel readers only, all cores", Metric: "ns/op", Ours: ours, Base: []string{stdlib}, Bound: 1.5},
		},
	}
}

// onEachCore measures a loop that runs on all cores at once; ns/op is wall time over the operations of one core.
func onEachCore(lock func() func(context.Context, int) error) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return harness.Loop(func(ctx context.Context, n int) error {
		body := lock()
		errs := make([]error, runtime.GOMAXPROCS(0))
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = body(ctx, n) })
		}
		wg.Wait()
		return errs[0]
	})
}

// readersAndWriters is goroutines of whose turns one in ten is a write.
func readersAndWriters(n int, w workload) harness.Case {
	what := fmt.Sprintf("RWMutex, %d goroutines, a write in ten, %s", n, w.name)
	// mix makes the handle of a goroutine, which writes when count is a multiple of ten.
	mix := func(read, write harness.Guard) func() harness.Guard {
		return func() harness.Guard {
			count := 0
			side := func() harness.Guard {
				if count%10 == 0 {
					return write
				}
				return read
			}
			return w.around(harness.Guard{
				Acquire: func(ctx context.Context) error { count++; return side().Acquire(ctx) },
				Release: func() error { return side().Release() },
			}, true)
		}
	}
	return harness.Case{
		Name:   what,
		Models: "a table that is read, and now and then written, as fast as that goes; sync.RWMutex serves in no order",
		Sides: []harness.Side{
			{Name: ours, Run: harness.ContendedEach(n, func() func() harness.Guard {
				var m primitives.RWMutex
				return mix(
					harness.Guard{Acquire: m.RLock, Release: func() error { m.RUnlock(); return nil }},
					harness.Guard{Acquire: m.Lock, Release: func() error { m.Unlock(); return nil }})
			})},
			{Name: stdlib, Run: harness.ContendedEach(n, func() func() harness.Guard {
				var m sync.RWMutex
				return mix(
					harness.Guard{
						Acquire: func(context.Context) error { m.RLock(); return nil },
						Release: func() error { m.RUnlock(); return nil },
					},
					harness.Guard{
						Acquire: func(context.Context) error { m.Lock(); return nil },
						Release: func() error { m.Unlock(); return nil },
					})
			})},
		},
		Checks: []harness.Check{
			{What: what, Metric: "ns/op", Ours: ours, Base: []string{stdlib}, NoTarget: true},
			{What: what + ", longest wait", Metric: "wait max µs", Ours: ours, Base: []string{stdlib}, NoTarget: true},
		},
	}
}
