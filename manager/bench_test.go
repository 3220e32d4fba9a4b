package manager

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// One goroutine takes and releases one name: the price of a named lock that nobody else wants.
func BenchmarkAcquireRelease(b *testing.B) {
	b.Run("weighted", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			_ = s.Acquire(ctx, 1)
			s.Release(1)
		}
	})
	b.Run("memory", func(b *testing.B) {
		outsideBubbles(b)
		m := newManager(b, memory.New())
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			l, err := m.Lock("db").Acquire(ctx)
			if err != nil {
				b.Fatal(err)
			}
			_ = l.Release()
		}
	})
}

// The same with each way of watching: what it adds to an acquire.
func BenchmarkWatched(b *testing.B) {
	for what, opts := range map[string][]Option{
		"nothing":  nil,
		"sites":    {WithSites()},
		"tracer":   {WithTracer(blindTracer{})},
		"slowlog":  {WithSlowLog(time.Minute, time.Minute)},
		"profiles": {WithProfiles()},
	} {
		b.Run(what, func(b *testing.B) {
			outsideBubbles(b)
			m := newManager(b, memory.New(), opts...)
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			b.ReportAllocs()
			for b.Loop() {
				l, err := m.Lock("db").Acquire(ctx)
				if err != nil {
					b.Fatal(err)
				}
				_ = l.Release()
			}
		})
	}
}

// blindTracer does nothing.
type blindTracer struct{}

func (blindTracer) TraceAcquireStart(ctx context.Context, _ TraceAcquireStart) context.Context {
	return ctx
}
func (blindTracer) TraceAcquireEnd(context.Context, TraceAcquireEnd) {}

// outsideBubbles turns off the looks at the clock that only programs under test make.
func outsideBubbles(b *testing.B) {
	b.Helper()
	b.Cleanup(bubbles.Assume(false))
}

// 64 goroutines pass one name around.
func BenchmarkContended64(b *testing.B) {
	b.Run("weighted", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		contend(b, func(ctx context.Context) { _ = s.Acquire(ctx, 1) }, func() { s.Release(1) })
	})
	b.Run("memory", func(b *testing.B) {
		outsideBubbles(b)
		m := newManager(b, memory.New())
		var held *Lease // by whoever holds the lock
		contend(b, func(ctx context.Context) {
			l, err := m.Lock("db").Acquire(ctx)
			if err != nil {
				panic(err)
			}
			held = l
		}, func() { _ = held.Release() })
	})
}

func contend(b *testing.B, lock func(context.Context), unlock func()) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.ReportAllocs()
	var wg sync.WaitGroup
	const goroutines = 64
	for g := range goroutines {
		n := b.N / goroutines
		if g < b.N%goroutines {
			n++
		}
		wg.Go(func() {
			for range n {
				lock(ctx)
				unlock()
			}
		})
	}
	wg.Wait()
}

// One goroutine takes and releases free names at once: the time is in proportion to their
// number. Re-entered: the caller holds all of them already.
func BenchmarkAll(b *testing.B) {
	for _, n := range []int{10, 1000} {
		for _, how := range []string{"free", "re-entered"} {
			b.Run(fmt.Sprint(how, "/", n), func(b *testing.B) {
				outsideBubbles(b)
				m := newManager(b, memory.New())
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				claims := make([]Claim, n)
				for i := range claims {
					claims[i] = m.Lock(fmt.Sprint("name", i))
				}
				all := m.All(claims...)
				if how == "re-entered" {
					l := mustAcquire(b, all)
					defer mustRelease(b, l)
					ctx, all = l.Context(), all.Reentrant()
				}
				b.ReportAllocs()
				for b.Loop() {
					l, err := all.Acquire(ctx)
					if err != nil {
						b.Fatal(err)
					}
					_ = l.Release()
				}
				b.ReportMetric(float64(b.Elapsed())/float64(b.N*n), "ns/name")
			})
		}
	}
}

// 64 goroutines take two random names of sixteen, and yield the processor under them.
func BenchmarkAllOfTwo64(b *testing.B) {
	const names = 16
	two := func() (int, int) {
		i, j := rand.IntN(names), rand.IntN(names-1)
		if j >= i {
			j++
		}
		return min(i, j), max(i, j)
	}
	b.Run("weighted", func(b *testing.B) {
		var s [names]*semaphore.Weighted
		for i := range s {
			s[i] = semaphore.NewWeighted(1)
		}
		work(b, func(ctx context.Context) {
			i, j := two()
			_ = s[i].Acquire(ctx, 1)
			_ = s[j].Acquire(ctx, 1)
			runtime.Gosched()
			s[i].Release(1)
			s[j].Release(1)
		})
	})
	b.Run("memory", func(b *testing.B) {
		outsideBubbles(b)
		m := newManager(b, memory.New())
		var locks [names]Claim
		for i := range locks {
			locks[i] = m.Lock(fmt.Sprint("name", i))
		}
		work(b, func(ctx context.Context) {
			i, j := two()
			l, err := m.All(locks[i], locks[j]).Acquire(ctx)
			if err != nil {
				panic(err)
			}
			runtime.Gosched()
			_ = l.Release()
		})
	})
}

// work has 64 goroutines call f.
func work(b *testing.B, f func(context.Context)) { contend(b, f, func() {}) }
