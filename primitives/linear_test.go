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
	op string // acquire, try, release, downgrade, upgrade, tryUpgrade
	n  int64  // of a downgrade or upgrade: how many the client has before
	to int64  // and after
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
				return held >= c.n && (c.n != size || held == size), held - c.n + c.to
			case c.op == "upgrade" || c.op == "tryUpgrade" && output.(bool):
				return held == c.n, c.to // no reader is left, and what was held was held throughout
			case c.op == "tryUpgrade":
				return held >= c.n && (!strict || held > c.n), held
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
	if ok || c.op == "try" || c.op == "tryUpgrade" {
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
	acquire func(ctx context.Context, n int64) error
	try     func(n int64) bool
	release func(n int64)

	// Of a reader-writer lock only, else nil.
	downgrade          func(to int64)
	upgrade            func(ctx context.Context) error
	tryUpgrade         func() bool
	reader, upgradable int64 // as how many permits they count
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
					ctx, cancel := perhapsCancelled()
					ok = r.do(client, call{op: "acquire", n: n}, func() bool { return l.acquire(ctx, n) == nil })
					cancel()
				} else {
					ok = r.do(client, call{op: "try", n: n}, func() bool { return l.try(n) })
				}
				if !ok {
					continue
				}
				pause(rand.IntN(2_000))
				if l.downgrade != nil {
					n = r.change(client, l, size, n, waits)
				}
				r.do(client, call{op: "release", n: n}, func() bool { l.release(n); return true })
			}
		})
	}
	wg.Wait()
	if got := porcupine.CheckOperationsTimeout(permits(size, !waits), r.history, time.Minute); got != porcupine.Ok {
		t.Fatalf("the history is not that of a lock: %v\n%v", got, r.history)
	}
}

// perhapsCancelled is a context that may end soon.
func perhapsCancelled() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if rand.IntN(2) == 0 {
		go func() { pause(rand.IntN(20_000)); cancel() }()
	}
	return ctx, cancel
}

// change turns what client has of l, n permits, into something else, perhaps several times, and returns
// how many it then has.
func (r *recorder) change(client int, l lock, size, n int64, waits bool) int64 {
	for n != l.reader && rand.IntN(3) != 0 {
		switch {
		case n == l.upgradable && rand.IntN(3) != 0:
			c, up := call{op: "tryUpgrade", n: n, to: size}, l.tryUpgrade
			if waits && rand.IntN(2) == 0 {
				ctx, cancel := perhapsCancelled()
				c.op, up = "upgrade", func() bool { return l.upgrade(ctx) == nil }
				defer cancel()
			}
			if r.do(client, c, up) {
				n = size
			}
		default:
			to := l.reader
			if n == size && rand.IntN(2) == 0 {
				to = l.upgradable
			}
			r.do(client, call{op: "downgrade", n: n, to: to}, func() bool { l.downgrade(to); return true })
			n = to
		}
		pause(rand.IntN(1_000))
	}
	return n
}

func TestHistoriesAreLinearizable(t *testing.T) {
	const many, half = 1000, 501 // more readers than a test has; and so many that there are no two
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
		{"RWMutex", many, []int64{1, 1, half, many}, func() lock {
			var m RWMutex
			type on = map[int64]func()
			return lock{
				acquire: func(ctx context.Context, n int64) error {
					return map[int64]func(context.Context) error{1: m.RLock, half: m.UpgradeLock, many: m.Lock}[n](ctx)
				},
				try: func(n int64) bool {
					return map[int64]func() bool{1: m.TryRLock, half: m.TryUpgradeLock, many: m.TryLock}[n]()
				},
				release:   func(n int64) { on{1: m.RUnlock, half: m.UpgradeUnlock, many: m.Unlock}[n]() },
				downgrade: func(to int64) { on{1: m.Downgrade, half: m.DowngradeToUpgrade}[to]() },
				upgrade:   m.Upgrade, tryUpgrade: m.TryUpgrade, reader: 1, upgradable: half,
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
