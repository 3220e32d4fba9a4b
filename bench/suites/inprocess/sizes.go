package inprocess

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/primitives"
)

// idle is what a lock weighs that nobody uses, and whether it weighs the same after it was fought over.
func idle() harness.Case {
	const mutex, rw, sem, mu, rwmu, wsem = "Mutex", "RWMutex", "Semaphore", "sync.Mutex", "sync.RWMutex", "Weighted"
	size := func(b uintptr) func(context.Context, harness.Budget) (harness.Metrics, error) {
		return func(context.Context, harness.Budget) (harness.Metrics, error) {
			return harness.Metrics{"B": float64(b)}, nil
		}
	}
	return harness.Case{
		Name:   "idle locks",
		Models: "a lock in every object of a large table",
		Rounds: 1,
		Sides: []harness.Side{
			{Name: mutex, Run: size(unsafe.Sizeof(primitives.Mutex{}))},
			{Name: rw, Run: size(unsafe.Sizeof(primitives.RWMutex{}))},
			{Name: sem, Run: size(unsafe.Sizeof(primitives.Semaphore{}))},
			{Name: mu, Run: size(unsafe.Sizeof(sync.Mutex{}))},
			{Name: rwmu, Run: size(unsafe.Sizeof(sync.RWMutex{}))},
			{Name: wsem, Run: size(unsafe.Sizeof(semaphore.Weighted{}))},
			{Name: ours, Run: afterContention},
		},
		Checks: []harness.Check{
			{What: "memory: idle Mutex", Metric: "B", Ours: mutex, Bound: 64},
			{What: "memory: idle RWMutex", Metric: "B", Ours: rw, Bound: 64},
			{What: "memory: idle Semaphore", Metric: "B", Ours: sem, Bound: 64},
			{What: "memory kept by a Mutex after contention", Metric: "B kept", Ours: ours, Bound: 1},
			{What: "goroutines kept after contention", Metric: "goroutines kept", Ours: ours, Bound: 0},
		},
	}
}

// afterContention lets four goroutines fight over each of many mutexes and returns what the fights left behind.
func afterContention(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	locks := make([]primitives.Mutex, b.Pick(10_000, 10))
	fight := func() error {
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for g := range errs {
			wg.Go(func() {
				for i := range locks {
					m := &locks[i]
					if errs[g] = m.Lock(ctx); errs[g] != nil {
						return
					}
					runtime.Gosched() // the others come and queue
					m.Unlock()
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				return fmt.Errorf("fight: %w", err)
			}
		}
		return nil
	}
	goroutines := runtime.NumGoroutine()
	before := settled()
	if err := fight(); err != nil {
		return nil, err
	}
	kept := settled() - before
	left := runtime.NumGoroutine() - goroutines
	for began := time.Now(); left > 0 && time.Since(began) < time.Second; left = runtime.NumGoroutine() - goroutines {
		runtime.Gosched() // one that goes home needs a turn
	}
	runtime.KeepAlive(locks)
	return harness.Metrics{
		"B kept":          max(0, kept/float64(len(locks))),
		"goroutines kept": float64(max(0, left)),
	}, nil
}

// settled returns the bytes of heap objects in use once pools have been emptied, which takes two collections.
func settled() float64 {
	runtime.GC()
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
