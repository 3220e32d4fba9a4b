package harness

import (
	"context"
	"runtime"
	"time"
)

// Loop measures operations one after the other on one goroutine. The body must run n of them; it should not
// call through a function value or an interface what takes only nanoseconds. Loop finds n such that a window takes about the
// budget. Figures: ns/op, allocs/op, B/op.
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
			if took > 2*b.Duration {
				n = max(1, n/2)
			}
			return m, nil
		}
	}
}

// grow returns the number of operations that should take the time wanted, at most a hundred times as many as
// before: a first measurement of very few operations says little.
func grow(n int, took, want time.Duration) int {
	next := int(float64(n) * float64(want) / float64(max(took, 1)))
	return min(max(next, n+1), 100*n)
}
