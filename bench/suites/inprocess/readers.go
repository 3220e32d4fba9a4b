package inprocess

import (
	"context"
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
