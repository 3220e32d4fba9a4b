//go:build !race

package primitives

import (
	"sync"
	"testing"
)

const raceEnabled = false

// Under the race detector a sync.Pool drops some of what it gets, on purpose; so this is here.
func TestContentionAllocatesNothingInTheSteadyState(t *testing.T) {
	const goroutines, each = 8, 20_000
	var m Mutex
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					for range each {
						_ = m.Lock(b.Context())
						m.Unlock()
					}
				})
			}
			wg.Wait()
		}
	})
	// A few for the goroutines, and some for waiters that a garbage collection took from the pool.
	if perOp := result.AllocsPerOp(); perOp > each/20 {
		t.Errorf("%d allocations in %d acquires", perOp, goroutines*each)
	}
}
