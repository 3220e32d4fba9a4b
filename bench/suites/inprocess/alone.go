package inprocess

import (
	"context"
	"sync"

	marusamasem "github.com/marusama/semaphore/v2"
	golock "github.com/viney-shih/go-lock"
	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/primitives"
)

// mutexAlone is the price of mutual exclusion when nobody else wants it. The loops are written out for
// each side: a call through an interface would cost as much as some of the locks.
func mutexAlone() harness.Case {
	return harness.Case{
		Name:   "Mutex, uncontended",
		Models: "one goroutine takes and gives back a lock that nobody else wants: the common case in most programs",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Loop(oursAlone)},
			{Name: stdlib, Run: harness.Loop(stdlibAlone)},
			{Name: weighted, Run: harness.Loop(weightedAlone)},
			{Name: channel, Run: harness.Loop(func(ctx context.Context, n int) error {
				c := make(chan struct{}, 1)
				for range n {
					select {
					case c <- struct{}{}:
					case <-ctx.Done(): // nothing is held; either answer would do
						return ctx.Err()
					}
					<-c
				}
				return nil
			})},
			{Name: viney, Run: harness.Loop(func(ctx context.Context, n int) error {
				m := golock.NewCASMutex()
				for range n {
					if !m.TryLockWithContext(ctx) {
						return ctx.Err()
					}
					m.Unlock()
				}
				return nil
			})},
			{Name: marusama, Run: harness.Loop(marusamaAlone)},
		},
		Missed: "Two swaps cost what those of sync do. The rest is the look at the context, through its interface: " +
			"one that is done always loses (docs/internals/primitives.md)",
		Checks: []harness.Check{
			{What: "Mutex Lock+Unlock, uncontended", Metric: "ns/op", Ours: ours, Base: []string{stdlib}, Bound: 1.2},
			{
				What: "Mutex Lock+Unlock, uncontended", Metric: "least ns/op",
				Ours: ours, Base: []string{stdlib}, Bound: 1.25, Minimum: true,
			},
			{What: "Mutex Lock+Unlock, uncontended", Metric: "ns/op", Ours: ours, Base: []string{weighted}, Bound: 0.5},
			{What: "Mutex Lock+Unlock, allocations", Metric: "allocs/op", Ours: ours, Bound: 0.001},
			{What: "Mutex, beside other context-aware locks", Metric: "ns/op", Ours: ours, Base: []string{channel, viney, marusama}, NoTarget: true},
		},
	}
}

func readerAlone() harness.Case {
	return harness.Case{
		Name:   "RWMutex, one reader",
		Models: "a read of guarded data that nobody else touches",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Loop(func(ctx context.Context, n int) error {
				var m primitives.RWMutex
				for range n {
					if err := m.RLock(ctx); err != nil {
						return err
					}
					m.RUnlock()
				}
				return nil
			})},
			{Name: stdlib, Run: harness.Loop(func(_ context.Context, n int) error {
				var m sync.RWMutex
				for range n {
					m.RLock()
					m.RUnlock() //nolint:staticcheck // the price of the pair is what is measured
				}
				return nil
			})},
			{Name: viney, Run: harness.Loop(func(ctx context.Context, n int) error {
				m := golock.NewCASMutex()
				for range n {
					if !m.RTryLockWithContext(ctx) {
						return ctx.Err()
					}
					m.RUnlock()
				}
				return nil
			})},
		},
		Checks: []harness.Check{
			{What: "RWMutex RLock+RUnlock, uncontended", Metric: "ns/op", Ours: ours, Base: []string{stdlib}, Bound: 1.2},
			{
				What: "RWMutex RLock+RUnlock, uncontended", Metric: "least ns/op",
				Ours: ours, Base: []string{stdlib}, Bound: 1.2, Minimum: true,
			},
		},
	}
}

func semaphoreAlone() harness.Case {
	return harness.Case{
		Name:   "Semaphore, uncontended",
		Models: "one permit of a pool that is not exhausted",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Loop(func(ctx context.Context, n int) error {
				s := primitives.NewSemaphore(4)
				for range n {
					if err := s.Acquire(ctx, 1); err != nil {
						return err
					}
					s.Release(1)
				}
				return nil
			})},
			{Name: weighted, Run: harness.Loop(weightedAlone)},
			{Name: marusama, Run: harness.Loop(marusamaAlone)},
		},
		Checks: []harness.Check{
			{What: "Semaphore Acquire(1)+Release(1), uncontended", Metric: "ns/op", Ours: ours, Base: []string{weighted}, Bound: 0.6},
			{What: "Semaphore Acquire(1)+Release(1), allocations", Metric: "allocs/op", Ours: ours, Bound: 0.001},
		},
	}
}

func oursAlone(ctx context.Context, n int) error {
	var m primitives.Mutex
	for range n {
		if err := m.Lock(ctx); err != nil {
			return err
		}
		m.Unlock()
	}
	return nil
}

func stdlibAlone(_ context.Context, n int) error {
	var m sync.Mutex
	for range n {
		m.Lock()
		m.Unlock() //nolint:staticcheck // the price of the pair is what is measured
	}
	return nil
}

func weightedAlone(ctx context.Context, n int) error {
	s := semaphore.NewWeighted(1)
	for range n {
		if err := s.Acquire(ctx, 1); err != nil {
			return err
		}
		s.Release(1)
	}
	return nil
}

func marusamaAlone(ctx context.Context, n int) error {
	s := marusamasem.New(1)
	for range n {
		if err := s.Acquire(ctx, 1); err != nil {
			return err
		}
		s.Release(1)
	}
	return nil
}
