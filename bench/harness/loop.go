package harness

import (
	"context"
	"math"
	"runtime"
	"time"
)

// batch is about how long a batch of operations takes: less than a busy system gives a thread at
// a time, so that some batches run undisturbed.
const batch = 2 * time.Millisecond

// Loop measures operations one after the other on one goroutine. The body must run n of them; it
// should not call through a function value or an interface what takes only nanoseconds. Loop finds
// n such that a window takes about the budget. Figures: ns/op, allocs/op, B/op; where a minimum is
// taken also least ns/op, of the fastest batch in a second window.
func Loop(body func(ctx context.Context, n int) error) func(context.Context, Budget) (Metrics, error) {
	n := 1
	return func(ctx context.Context, b Budget) (Metrics, error) {
		ctx, cancel := context.WithCancel(ctx) // cancellable, as a server's contexts are
		defer cancel()
		for {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			if err := body(ctx, n); err != nil {
				return nil, err
			}
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if took < b.Duration/2 && !b.Quick {
				n = grow(n, took, b.Duration)
				continue
			}
			m := Metrics{
				"ns/op":     float64(took.Nanoseconds()) / float64(n),
				"allocs/op": float64(after.Mallocs-before.Mallocs) / float64(n),
				"B/op":      float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
			}
			if b.Minimum {
				batches := max(1, min(n, int(b.Duration/batch)))
				least, err := fastest(ctx, body, n, batches)
				if err != nil {
					return nil, err
				}
				m["least ns/op"] = least
			}
			if took > 2*b.Duration {
				n = max(1, n/2)
			}
			return m, nil
		}
	}
}

// fastest runs n operations in batches, and returns the time of an operation in the fastest batch, in
// nanoseconds.
func fastest(
	ctx context.Context, body func(context.Context, int) error, n, batches int,
) (float64, error) {
	least := math.Inf(1)
	for ; batches > 0; batches-- {
		size := n / batches
		n -= size
		start := time.Now()
		if err := body(ctx, size); err != nil {
			return 0, err
		}
		least = min(least, float64(time.Since(start).Nanoseconds())/float64(size))
	}
	return least, nil
}

// grow returns the number of operations that should take the time wanted, at most a hundred times as many as
// before: a first measurement of very few operations says little.
func grow(n int, took, want time.Duration) int {
	next := int(float64(n) * float64(want) / float64(max(took, 1)))
	return min(max(next, n+1), 100*n)
}
