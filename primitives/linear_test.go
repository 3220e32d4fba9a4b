package primitives

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// A call is one operation of a history, on n permits.
type call struct {
	op string // acquire, try, release, downgrade
	n  int64
}

// permits is the sequential specification of a semaphore of size permits: its state is how many
// are held. An acquire that was given up has done nothing, and is not in the history.
// With strict, a try may fail only if the permits are not free; that can be asked where
// nobody ever waits.
func permits(size int64, strict bool) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return int64(0) },
		Step: func(state, input, output any) (bool, any) {
			held, c := state.(int64), input.(call)
			switch {
			case c.op == "release":
				return held >= c.n, held - c.n
			case c.op == "downgrade":
				return held == size, int64(1)
			case output.(bool):
				return held+c.n <= size, held + c.n
			default:
				return !strict || held+c.n > size, held
			}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprint(input, output) },
	}
}

// A recorder writes down what its goroutines do, and when.
type recorder struct {
	mu      sync.Mutex
	history []porcupine.Operation
	start   time.Time
}

// do runs f, which is c, and records it if it took effect or was a try.
func (r *recorder) do(client int, c call, f func() bool) bool {
	from := time.Since(r.start)
	ok := f()
	to := time.Since(r.start)
	if ok || c.op == "try" {
		r.mu.Lock()
		r.history = append(r.history, porcupine.Operation{
			ClientId: client, Input: c, Output: ok, Call: from.Nanoseconds(), Return: to.Nanoseconds(),
		})
		r.mu.Unlock()
	}
	return ok
}

// lock is what the histories are recorded of: a semaphore, or what can be seen as one.
type lock struct {
	acquire   func(ctx context.Context, n int64) error
	try       func(n int64) bool
	release   func(n int64)
	downgrade func() // nil: there is no such thing
}

// record lets clients use l at random, and checks the history.
func record(t *testing.T, l lock, size int64, weights []int64, waits bool) {
	const clients, each = 4, 25
	r := &recorder{start: time.Now()}
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for range each {
				n := weights[rand.IntN(len(weights))]
				var ok bool
				if waits && rand.IntN(4) != 0 {
					ctx, cancel := context.WithCancel(context.Background())
					if rand.IntN(2) == 0 {
						go func() { pause(rand.IntN(20_000)); cancel() }()
					}
					ok = r.do(client, call{"acquire", n}, func() bool { return l.acquire(ctx, n) == nil })
					cancel()
				} else {
					ok = r.do(client, call{"try", n}, func() bool { return l.try(n) })
				}
				if !ok {
					continue
				}
				pause(rand.IntN(2_000))
				if n == size && l.downgrade != nil && rand.IntN(2) == 0 {
					r.do(client, call{"downgrade", n}, func() bool { l.downgrade(); return true })
					n = 1
				}
				r.do(client, call{"release", n}, func() bool { l.release(n); return true })
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(permits(size, !waits), r.history, time.Minute); got != porcupine.Ok {
		t.Fatalf("the history is not that of a lock: %v\n%v", got, r.history)
	}
}

func TestHistoriesAreLinearizable(t *testing.T) {
	const many = 1000 // as many readers as a test can have, and more
	locks := []struct {
		name    string
		size    int64
		weights []int64
		make    func() lock
	}{
		{"Mutex", 1, []int64{1}, func() lock {
			var m Mutex
			return lock{
				acquire: func(ctx context.Context, _ int64) error { return m.Lock(ctx) },
				try:     func(int64) bool { return m.TryLock() },
				release: func(int64) { m.Unlock() },
			}
		}},
		{"RWMutex", many, []int64{1, 1, many}, func() lock {
			var m RWMutex
			return lock{
				acquire: func(ctx context.Context, n int64) error {
					if n == many {
						return m.Lock(ctx)
					}
					return m.RLock(ctx)
				},
				try: func(n int64) bool {
					if n == many {
						return m.TryLock()
					}
					return m.TryRLock()
				},
				release: func(n int64) {
					if n == many {
						m.Unlock()
					} else {
						m.RUnlock()
					}
				},
				downgrade: m.Downgrade,
			}
		}},
		{"Semaphore", 5, []int64{1, 2, 3, 5}, func() lock {
			s := NewSemaphore(5)
			return lock{acquire: s.Acquire, try: s.TryAcquire, release: s.Release}
		}},
	}
	for _, l := range locks {
		t.Run(l.name, func(t *testing.T) {
			for range max(rounds(200), 20) {
				record(t, l.make(), l.size, l.weights, true)
			}
		})
		t.Run(l.name+" with tries only", func(t *testing.T) {
			for range max(rounds(200), 20) {
				record(t, l.make(), l.size, l.weights, false)
			}
		})
	}
}
