package inprocess

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// cancelOne is what it costs that one waiter of many gives up, from its cancel to the return of its call.
func cancelOne() harness.Case {
	return harness.Case{
		Name:   "cancel one waiter",
		Models: "one request of a long queue times out",
		Rounds: 3,
		Sides: []harness.Side{
			{Name: ours + ", 100 wait", Run: cancelOneOf(100, 100, ourGuard)},
			{Name: ours + ", 100 000 wait", Run: cancelOneOf(100_000, 1000, ourGuard)},
			{Name: weighted + ", 100 wait", Run: cancelOneOf(100, 100, func() harness.Guard { return weightedGuard(1) })},
			{Name: weighted + ", 100 000 wait", Run: cancelOneOf(100_000, 1000, func() harness.Guard { return weightedGuard(1) })},
		},
		Checks: []harness.Check{
			// A waiter among 100 000 has left the processor's caches, with its goroutine, which alone costs some factor (look at
			// Weighted's two rows, and at cancelLatest, where it has not); a search through the queue would cost hundreds.
			{What: "cancel one of 100 000 waiters: as with 100", Metric: "µs", Ours: ours + ", 100 000 wait", Base: []string{ours + ", 100 wait"}, Bound: 5},
			{What: "cancel one of 100 000 waiters", Metric: "µs", Ours: ours + ", 100 000 wait", Base: []string{weighted + ", 100 000 wait"}, NoTarget: true},
		},
	}
}

// cancelOneOf queues a number of waiters behind a holder, cancels some of them from the middle, one at a time, and
// takes the median.
func cancelOneOf(waiters, cancels int, lock func() harness.Guard) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		n, k := b.Pick(waiters, min(waiters, 50)), b.Pick(cancels, 5)
		g := lock()
		if err := g.Acquire(ctx); err != nil {
			return nil, err
		}
		all, cancelAll := context.WithCancel(ctx)
		defer cancelAll()
		var wg sync.WaitGroup
		patient := func(ctx context.Context, done chan<- time.Time) {
			if g.Acquire(ctx) == nil {
				_ = g.Release()
			}
			if done != nil {
				done <- time.Now()
			}
		}
		type waiter struct {
			cancel context.CancelFunc
			done   chan time.Time
		}
		var chosen []waiter
		enqueue(n, func(i int, arrive func()) {
			if i%max(1, n/k) != 0 || len(chosen) == k {
				wg.Go(func() { arrive(); patient(all, nil) })
				return
			}
			w := waiter{done: make(chan time.Time, 1)}
			ctx, cancel := context.WithCancel(ctx) // not a child of all: cancelling must not pay for that one's children
			w.cancel = cancel
			chosen = append(chosen, w)
			wg.Go(func() { arrive(); patient(ctx, w.done) })
		})
		took := make([]float64, len(chosen))
		for i, w := range chosen {
			start := time.Now()
			w.cancel()
			took[i] = float64((<-w.done).Sub(start)) / 1e3
		}
		cancelAll()
		err := g.Release()
		wg.Wait()
		return harness.Metrics{"µs": harness.NewSpread(took).Median}, err
	}
}

// enqueue calls start for 0 to n-1; start must start a goroutine that calls arrive and then waits. On one processor,
// each goroutine runs on from arrive until it waits before the next is started: they stand in the queue in their order.
func enqueue(n int, start func(i int, arrive func())) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would stop a goroutine on its way into the queue
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var arrived atomic.Int64
	arrive := func() { arrived.Add(1) }
	for i := range n {
		start(i, arrive)
		for arrived.Load() <= int64(i) {
			runtime.Gosched()
		}
		runtime.Gosched() // lets one go on that was preempted on its way into the queue
	}
	for range 3 {
		runtime.Gosched() // an actor that serves the queue may need a turn or two
	}
}

// manyWaiters is a million goroutines in one queue: are they served in order, and what does each weigh?
func manyWaiters() harness.Case {
	return harness.Case{
		Name:   "1 000 000 waiters on one mutex",
		Models: "everything stuck behind one slow holder",
		Rounds: 1,
		Sides: []harness.Side{
			{Name: ours, Run: queueOf(1_000_000, ourGuard)},
			{Name: weighted, Run: queueOf(1_000_000, func() harness.Guard { return weightedGuard(1) })},
		},
		Checks: []harness.Check{
			{What: "1 000 000 waiters: bytes each beyond the goroutine", Metric: "B/waiter", Ours: ours, Bound: 256},
			{What: "1 000 000 waiters: bytes each beyond a goroutine in a select on a channel of its own and the context", Metric: "B beyond select", Ours: ours, NoTarget: true},
			{What: "1 000 000 waiters: granted out of order", Metric: "out of order", Ours: ours, Bound: 0, Worst: true},
			{What: "1 000 000 waiters: bytes each beyond the goroutine", Metric: "B/waiter", Ours: ours, Base: []string{weighted}, NoTarget: true},
		},
	}
}

// queueOf measures the memory of waiters, less that of as many goroutines that wait for a channel to be closed or, for
// the second figure, that could be cancelled too, and counts the grants that came out of order.
func queueOf(waiters int, lock func() harness.Guard) func(context.Context, harness.Budget) (harness.Metrics, error) {
	return func(ctx context.Context, b harness.Budget) (harness.Metrics, error) {
		n := b.Pick(waiters, 1000)
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		bareGoroutines(n, receiving) // the runtime keeps what it allocates for goroutines: from now on it is there for all
		bare := bareGoroutines(n, receiving)
		cancellable := bareGoroutines(n, selecting)
		before := memory()
		g := lock()
		if err := g.Acquire(ctx); err != nil {
			return nil, err
		}
		var wg sync.WaitGroup
		var disorder, failed atomic.Int64
		last := -1 // guarded by the lock under test
		enqueue(n, func(i int, arrive func()) {
			wg.Go(func() {
				arrive()
				if g.Acquire(ctx) != nil {
					failed.Add(1)
					return
				}
				if i != last+1 {
					disorder.Add(1)
				}
				last = i
				_ = g.Release()
			})
		})
		used := memory() - before
		start := time.Now()
		err := g.Release()
		wg.Wait()
		if err == nil && failed.Load() > 0 {
			err = fmt.Errorf("%d waiters were not granted", failed.Load())
		}
		return harness.Metrics{
			"B/waiter":        math.Max(0, (used-bare)/float64(n)),
			"B beyond select": math.Max(0, (used-cancellable)/float64(n)),
			"out of order":    float64(disorder.Load()),
			"ns/op":           float64(time.Since(start).Nanoseconds()) / float64(n),
		}, err
	}
}

func receiving(end <-chan struct{}) { <-end }

// selecting is the least that a wait for something of one's own takes which can be given up.
func selecting(end <-chan struct{}) {
	own := make(chan struct{}, 1)
	select {
	case <-own:
	case <-end:
	}
}

// bareGoroutines returns the memory of n goroutines with a closure of the same size that do nothing but wait for the end.
func bareGoroutines(n int, wait func(end <-chan struct{})) float64 {
	before := memory()
	end := make(chan struct{})
	var wg sync.WaitGroup
	sum := 0
	enqueue(n, func(i int, arrive func()) {
		wg.Go(func() {
			arrive()
			wait(end)
			if i < 0 {
				sum++
			}
		})
	})
	used := memory() - before
	close(end)
	wg.Wait()
	return used
}

// memory returns the bytes of heap objects and stacks in use, after a collection.
func memory() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
