package inprocess

import (
	"context"
	"runtime"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// cancelLatest is a waiter that gives up, behind a queue that stands. The same goroutine comes again and again, so that what
// is compared is the length of the queue, and not whether its waiters are still in the processor's caches.
func cancelLatest() harness.Case {
	const few, many = ", behind 100", ", behind 100 000"
	return harness.Case{
		Name:   "cancel the latest waiter",
		Models: "requests that time out while a long queue stands",
		Rounds: 3,
		Sides:  twoLengths(cancelBehind, few, 100, many, 100_000),
		Checks: []harness.Check{
			{What: "cancel one of 100 000 waiters, the latest: as with 100", Metric: "µs", Ours: ours + many, Base: []string{ours + few}, Bound: 1.5},
			{What: "cancel one of 100 000 waiters, the latest", Metric: "µs", Ours: ours + many, Base: []string{weighted + many}, NoTarget: true},
		},
	}
}

// twoLengths are our lock and Weighted, each with a short queue and a long one.
func twoLengths(run func(waiters int, lock func() harness.Guard) func(context.Context, harness.Budget) (harness.Metrics, error),
	few string, short int, many string, long int,
) []harness.Side {
	theirs := func() harness.Guard { return weightedGuard(1) }
	return []harness.Side{
		{Name: ours + few, Run: run(short, ourGuard)},
		{Name: ours + many, Run: run(long, ourGuard)},
		{Name: weighted + few, Run: run(short, theirs)},
		{Name: weighted + many, Run: run(long, theirs)},
	}
}

// cancelBehind queues waiters behind a holder, and then has one more come and be cancelled, many times. It takes the
// median, from the cancel to the return of the call.
func cancelBehind(waiters int, lock func() harness.Guard) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		n, cancels := b.Pick(waiters, 50), b.Pick(2000, 5)
		g := lock()
		var wg sync.WaitGroup
		cancelAll, err := crowd(ctx, &wg, n, g)
		if err != nil {
			return nil, err
		}
		defer cancelAll()
		took := make([]float64, cancels)
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			for i := range took {
				one, cancel := context.WithCancel(ctx)
				done := make(chan error)
				wg.Go(func() { done <- g.Acquire(one) })
				for range 3 {
					runtime.Gosched() // there is one processor: it runs until it waits
				}
				start := time.Now()
				cancel()
				<-done // an error: the holder holds
				took[i] = float64(time.Since(start)) / 1e3
			}
		}()
		cancelAll()
		err = g.Release()
		wg.Wait()
		return harness.Metrics{"µs": harness.NewSpread(took).Median}, err
	}
}

// crowd takes the lock and queues n waiters behind it, which leave the queue when cancel is called.
func crowd(ctx context.Context, wg *sync.WaitGroup, n int, g harness.Guard) (cancel context.CancelFunc, err error) {
	if err := g.Acquire(ctx); err != nil {
		return nil, err
	}
	ctx, cancel = context.WithCancel(ctx)
	enqueue(n, func(_ int, arrive func()) {
		wg.Go(func() {
			arrive()
			if g.Acquire(ctx) == nil {
				_ = g.Release()
			}
		})
	})
	return cancel, nil
}

// cancelEverybody is a queue that gives up as a whole: if one cancel cost more the longer the queue, all of them would take
// time in proportion to its square.
func cancelEverybody() harness.Case {
	const few, many = ", 10 000 of 10 000", ", 100 000 of 100 000"
	return harness.Case{
		Name:   "cancel all waiters",
		Models: "a server that shuts down while everybody waits",
		Rounds: 3,
		Sides:  twoLengths(cancelAllOf, few, 10_000, many, 100_000),
		Checks: []harness.Check{
			{What: "cancel 100 000 of 100 000 waiters, each: as of 10 000", Metric: "ns/cancel", Ours: ours + many, Base: []string{ours + few}, Bound: 3},
			{What: "cancel 100 000 of 100 000 waiters, each", Metric: "ns/cancel", Ours: ours + many, Base: []string{weighted + many}, NoTarget: true},
		},
	}
}

func cancelAllOf(waiters int, lock func() harness.Guard) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		n := b.Pick(waiters, waiters/200)
		g := lock()
		var wg sync.WaitGroup
		cancelAll, err := crowd(ctx, &wg, n, g)
		if err != nil {
			return nil, err
		}
		defer cancelAll()
		start := time.Now()
		cancelAll()
		wg.Wait()
		took := time.Since(start)
		return harness.Metrics{"ns/cancel": float64(took.Nanoseconds()) / float64(n)}, g.Release()
	}
}
