package inprocess

import (
	"context"
	"fmt"
	"sync"

	marusamasem "github.com/marusama/semaphore/v2"
	golock "github.com/viney-shih/go-lock"
	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/primitives"
)

// mutexContended is n goroutines that all want one lock, all the time. Only ours, Weighted and the channel serve
// them in the order in which they came; sync.Mutex and the others let a running goroutine barge in, which is
// faster and starves: their figures stand beside ours, they are no target.
func mutexContended(n int) harness.Case {
	c := harness.Case{
		Name:   fmt.Sprintf("Mutex, %d goroutines", n),
		Models: "goroutines that take a lock as fast as they can, with nothing else to do: the worst a lock can meet",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Contended(n, ourGuard)},
			{Name: weighted, Run: harness.Contended(n, func() harness.Guard { return weightedGuard(1) })},
			{Name: channel, Run: harness.Contended(n, channelGuard)},
			{Name: bare, Run: harness.Contended(n, bareGuard)},
			{Name: stdlib, Run: harness.Contended(n, syncGuard)},
			{Name: viney, Run: harness.Contended(n, vineyGuard)},
			{Name: marusama, Run: harness.Contended(n, func() harness.Guard { return marusamaGuard(1) })},
		},
	}
	what := fmt.Sprintf("Mutex, %d goroutines", n)
	if n == 2 {
		c.Checks = []harness.Check{
			{What: what, Metric: "ns/op", Ours: ours, Base: []string{weighted}, Bound: 0.6},
		}
	} else {
		c.Checks = []harness.Check{
			{What: what + ", FIFO", Metric: "ns/op", Ours: ours, Base: []string{weighted}, Bound: 0.75},
			{What: what + ", FIFO", Metric: "ns/op", Ours: ours, Base: []string{channel}, Bound: 1.2},
			{What: what + ", FIFO, beside one that cannot be cancelled", Metric: "ns/op", Ours: ours, Base: []string{bare}, NoTarget: true},
			{What: what + ", allocations", Metric: "allocs/op", Ours: ours, Bound: 0.01},
		}
	}
	c.Checks = append(c.Checks,
		harness.Check{What: what + ", Jain index", Metric: "jain", Ours: ours, Base: []string{weighted}, Direction: harness.AtLeast, NoTarget: true},
		harness.Check{What: what + ", longest wait", Metric: "wait max µs", Ours: ours, Base: []string{weighted}, NoTarget: true},
		harness.Check{What: what + ", beside locks that barge", Metric: "ns/op", Ours: ours, Base: []string{stdlib, viney, marusama}, NoTarget: true})
	return c
}

// semaphoreContended is n goroutines that share four permits.
func semaphoreContended(n int) harness.Case {
	return harness.Case{
		Name:   fmt.Sprintf("Semaphore of 4, %d goroutines", n),
		Models: "a connection pool with more users than connections",
		Sides: []harness.Side{
			{Name: ours, Run: harness.Contended(n, func() harness.Guard {
				s := primitives.NewSemaphore(4)
				return harness.Guard{
					Acquire: func(ctx context.Context) error { return s.Acquire(ctx, 1) },
					Release: func() error { s.Release(1); return nil },
				}
			})},
			{Name: weighted, Run: harness.Contended(n, func() harness.Guard { return weightedGuard(4) })},
			{Name: marusama, Run: harness.Contended(n, func() harness.Guard { return marusamaGuard(4) })},
		},
		Checks: []harness.Check{
			{What: fmt.Sprintf("Semaphore of 4, %d goroutines", n), Metric: "ns/op", Ours: ours, Base: []string{weighted}, NoTarget: true},
		},
	}
}

func ourGuard() harness.Guard {
	var m primitives.Mutex
	return harness.Guard{Acquire: m.Lock, Release: func() error { m.Unlock(); return nil }}
}

func syncGuard() harness.Guard {
	var m sync.Mutex
	return harness.Guard{
		Acquire: func(context.Context) error { m.Lock(); return nil },
		Release: func() error { m.Unlock(); return nil },
	}
}

func weightedGuard(size int64) harness.Guard {
	s := semaphore.NewWeighted(size)
	return harness.Guard{
		Acquire: func(ctx context.Context) error { return s.Acquire(ctx, 1) },
		Release: func() error { s.Release(1); return nil },
	}
}

func channelGuard() harness.Guard {
	c := make(chan struct{}, 1)
	return harness.Guard{
		Acquire: func(ctx context.Context) error {
			select {
			case c <- struct{}{}:
				return nil
			case <-ctx.Done(): // the send did not happen: nothing is held
				return ctx.Err()
			}
		},
		Release: func() error { <-c; return nil },
	}
}

// bareGuard cannot be given up; a program that needs no more writes it so.
func bareGuard() harness.Guard {
	c := make(chan struct{}, 1)
	return harness.Guard{
		Acquire: func(context.Context) error { c <- struct{}{}; return nil },
		Release: func() error { <-c; return nil },
	}
}

func vineyGuard() harness.Guard {
	m := golock.NewCASMutex()
	return harness.Guard{
		Acquire: func(ctx context.Context) error {
			if !m.TryLockWithContext(ctx) {
				return ctx.Err()
			}
			return nil
		},
		Release: func() error { m.Unlock(); return nil },
	}
}

func marusamaGuard(size int) harness.Guard {
	s := marusamasem.New(size)
	return harness.Guard{
		Acquire: func(ctx context.Context) error { return s.Acquire(ctx, 1) },
		Release: func() error { s.Release(1); return nil },
	}
}
