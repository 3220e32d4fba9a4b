package manager

import (
	"context"
	"sync"
	"testing"

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
