package named

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/bench/leases"
	"github.com/lockkeeper/lockkeeper/manager"
)

// The names of the sides.
const (
	ours     = "manager"
	backend  = "backend alone"
	weighted = "semaphore.Weighted"
)

// Suite returns the suite.
func Suite() harness.Suite {
	return harness.Suite{Name: "memory", Open: harness.Fixed(func() []harness.Case {
		return []harness.Case{
			alone(), parts(), watched(), contended(64), manyNames(), tenNames(), behindQueues(), twoOf(16, 64), oneEdgeMore(),
		}
	})}
}

func alone() harness.Case {
	return harness.Case{
		Name:   "one name, uncontended",
		Models: "work on one customer's data at a time, found by name",
		Sides: []harness.Side{
			{Name: ours, Run: withManager(func(m *manager.Manager) run {
				return harness.Loop(func(ctx context.Context, n int) error { return leases.Loop(ctx, m, "name", n) })
			})},
			{Name: backend, Run: harness.Loop(func(ctx context.Context, n int) error {
				b := memory.New()
				return errors.Join(leases.Bare(ctx, b, "name", n), b.Close(ctx))
			})},
			{Name: weighted, Run: harness.Loop(func(ctx context.Context, n int) error {
				s := semaphore.NewWeighted(1)
				for range n {
					if err := s.Acquire(ctx, 1); err != nil {
						return err
					}
					s.Release(1)
				}
				return nil
			})},
		},
		Missed: "The store takes a third, the clock a sixth, two allocations a twelfth; the rest are four turns of two actors without a " +
			"place to mend. A second, shorter way for this store won it back, and is what the single way has replaced (docs/internals/keeper.md)",
		Checks: []harness.Check{
			{What: "Acquire + Release, uncontended", Metric: "ns/op", Ours: ours, Bound: 600},
			{What: "Acquire + Release, uncontended", Metric: "ns/op", Ours: ours, Base: []string{weighted}, Bound: 25},
			{What: "Acquire + Release, allocations", Metric: "allocs/op", Ours: ours, Bound: 3.01},
			{What: "Acquire + Release, over the backend alone", Metric: "ns/op", Ours: ours, Base: []string{backend}, NoTarget: true},
		},
	}
}

func contended(n int) harness.Case {
	return harness.Case{
		Name:   fmt.Sprintf("one name, %d goroutines", n),
		Models: "requests that all want the same thing",
		Sides: []harness.Side{
			{Name: ours, Run: withManager(func(m *manager.Manager) run {
				return harness.ContendedEach(n, func() func() harness.Guard {
					return func() harness.Guard { return leases.Handle(m, "name") }
				})
			})},
			{Name: weighted, Run: harness.Contended(n, func() harness.Guard {
				s := semaphore.NewWeighted(1)
				return harness.Guard{
					Acquire: func(ctx context.Context) error { return s.Acquire(ctx, 1) },
					Release: func() error { s.Release(1); return nil },
				}
			})},
		},
		Checks: []harness.Check{
			{What: fmt.Sprintf("%d goroutines on one name", n), Metric: "grants/s", Ours: ours, Base: []string{weighted}, Direction: harness.AtLeast, Bound: 0.3},
			{What: fmt.Sprintf("%d goroutines on one name, Jain index", n), Metric: "jain", Ours: ours, Base: []string{weighted}, Direction: harness.AtLeast, NoTarget: true},
		},
	}
}

func manyNames() harness.Case {
	return harness.Case{
		Name:   "1 000 000 names, used once each",
		Models: "a lock for every order number: what stays of those that are done?",
		Rounds: 3,
		Sides:  []harness.Side{{Name: ours, Run: withManager(namesOnce)}},
		Checks: []harness.Check{
			{What: "1 000 000 names used once: MiB left", Metric: "MiB left", Ours: ours, Bound: 1},
			{What: "1 000 000 names used once: goroutines left", Metric: "goroutines left", Ours: ours, Bound: 0},
			{What: "1 000 000 names used once: each", Metric: "ns/op", Ours: ours, NoTarget: true},
		},
	}
}

// run is what a side runs.
type run = func(context.Context, harness.Budget) (harness.Metrics, error)

// withManager gives each round a manager of its own.
func withManager(body func(m *manager.Manager) run, opts ...manager.Option) run {
	return func(ctx context.Context, b harness.Budget) (_ harness.Metrics, err error) {
		m, err := manager.New(memory.New(), opts...)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, leases.Shut(m)) }()
		return body(m)(ctx, b)
	}
}

// namesOnce takes the lock of each of many names once. Some names are used before, so that what the manager keeps once and
// for all is not counted; then it may take up to five seconds to forget the others.
func namesOnce(m *manager.Manager) run {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		n := b.Pick(1_000_000, 1000)
		use := func(prefix string, n int) error {
			for i := range n {
				if err := leases.Loop(ctx, m, prefix+strconv.Itoa(i), 1); err != nil {
					return err
				}
			}
			return nil
		}
		if err := use("warm", 100); err != nil {
			return nil, err
		}
		heap, goroutines := footprint()
		start := time.Now()
		if err := use("name", n); err != nil {
			return nil, err
		}
		took := time.Since(start)
		left, more := 0.0, 0
		for began := time.Now(); time.Since(began) < 5*time.Second; time.Sleep(50 * time.Millisecond) {
			h, g := footprint()
			left, more = max(0, h-heap)/(1<<20), max(0, g-goroutines)
			if left < 0.5 && more == 0 {
				break
			}
		}
		return harness.Metrics{
			"MiB left":        left,
			"goroutines left": float64(more),
			"ns/op":           float64(took.Nanoseconds()) / float64(n),
		}, nil
	}
}

// footprint returns the bytes of heap objects and stacks in use, and the number of goroutines.
func footprint() (bytes float64, goroutines int) {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc + s.StackInuse), runtime.NumGoroutine()
}
