package primitives

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkMatrix is every lock that excludes, with goroutines from one to a thousand, with work
// inside the lock or outside, with a context that can be cancelled or not. Beside the mean:
//
//	jain     the fairness index of Jain, Chiu and Hawe over what each goroutine got: 1 if all
//	         got the same, 1/n if one got everything; the rounds of a short run need not divide evenly
//	p50-ns   half of the waits were shorter (one wait of each sampleEvery is timed)
//	p99-ns   99 of 100 waits were shorter
//	max-ns   the longest of them
func BenchmarkMatrix(b *testing.B) {
	rw := subject{"RWMutex", func() (func(context.Context) error, func()) {
		m := new(RWMutex)
		return m.Lock, m.Unlock
	}}
	for _, goroutines := range []int{1, 2, 8, 64, 1000} {
		for _, work := range []workload{{"none", 0, 0}, {"inside", workLength, 0}, {"outside", 0, workLength}} {
			for _, cancellable := range []bool{true, false} {
				for _, s := range append([]subject{rw}, subjects...) {
					name := fmt.Sprintf("goroutines=%d/work=%s/cancellable=%v/%s", goroutines, work.name, cancellable, s.name)
					b.Run(name, func(b *testing.B) {
						ctx := context.Background()
						if cancellable {
							var cancel context.CancelFunc
							ctx, cancel = context.WithCancel(ctx)
							defer cancel()
						}
						c := &contest{subject: s, workload: work, ctx: ctx}
						c.run(b, goroutines)
					})
				}
			}
		}
	}
}

const (
	workLength  = 500 // turns of an empty loop: some 150 ns
	sampleEvery = 16
)

// A workload is what goroutines do in the lock and out of it.
type workload struct {
	name            string
	inside, outside int
}

// A contest is goroutines that take a lock until it has been taken b.N times.
type contest struct {
	subject
	workload
	ctx   context.Context
	taken int // guarded by the lock
}

func (c *contest) run(b *testing.B, goroutines int) {
	outsideBubbles(b)
	lock, unlock := c.make()
	shares, waits := make([]float64, goroutines), make([][]time.Duration, goroutines)
	var wg sync.WaitGroup
	_ = lock(c.ctx)
	for i := range goroutines {
		wg.Go(func() { shares[i], waits[i] = c.take(b.N, lock, unlock) })
	}
	for range goroutines {
		runtime.Gosched() // most are queued when it begins
	}
	b.ReportAllocs()
	b.ResetTimer()
	unlock()
	wg.Wait()
	b.StopTimer()
	report(b, shares, slices.Concat(waits...))
}

// take is one goroutine: it takes the lock until it has been taken n times by all together.
func (c *contest) take(n int, lock func(context.Context) error, unlock func()) (share float64, waits []time.Duration) {
	for round := 0; ; round++ {
		pause(c.outside)
		timed := round%sampleEvery == 0
		var start time.Time
		if timed {
			start = time.Now()
		}
		_ = lock(c.ctx)
		if timed {
			waits = append(waits, time.Since(start))
		}
		over := c.taken == n
		if !over {
			c.taken++
			share++
			pause(c.inside)
		}
		unlock()
		if over {
			return share, waits
		}
	}
}

func report(b *testing.B, shares []float64, waits []time.Duration) {
	var sum, squares float64
	for _, s := range shares {
		sum += s
		squares += s * s
	}
	slices.Sort(waits)
	b.ReportMetric(sum*sum/(float64(len(shares))*squares), "jain")
	for name, at := range map[string]int{"p50-ns": len(waits) / 2, "p99-ns": len(waits) * 99 / 100, "max-ns": len(waits) - 1} {
		b.ReportMetric(float64(waits[at].Nanoseconds()), name)
	}
}
