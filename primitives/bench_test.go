package primitives

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/internal/bubbles"
)

// Each benchmark runs beside what it is to be compared with, with the same context, which can
// be cancelled but is not. What counts is the ratio of two lines of one run.

// A subject is one way to exclude others.
type subject struct {
	name string
	make func() (lock func(context.Context) error, unlock func())
}

var subjects = []subject{
	{"Mutex", func() (func(context.Context) error, func()) {
		m := new(Mutex)
		return m.Lock, m.Unlock
	}},
	{"Semaphore", func() (func(context.Context) error, func()) {
		s := NewSemaphore(1)
		return func(ctx context.Context) error { return s.Acquire(ctx, 1) }, func() { s.Release(1) }
	}},
	{"weighted", func() (func(context.Context) error, func()) {
		s := semaphore.NewWeighted(1)
		return func(ctx context.Context) error { return s.Acquire(ctx, 1) }, func() { s.Release(1) }
	}},
	{"channel", func() (func(context.Context) error, func()) {
		c := make(chan struct{}, 1)
		lock := func(ctx context.Context) error {
			select {
			case c <- struct{}{}:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return lock, func() { <-c }
	}},
	{"sync.Mutex", func() (func(context.Context) error, func()) { // unfair, cannot be cancelled
		m := new(sync.Mutex)
		return func(context.Context) error { m.Lock(); return nil }, m.Unlock
	}},
}

// BenchmarkContended models a short critical section that is all anybody does. The goroutines
// begin when all of them are queued, so that nobody finishes before the others have started.
func BenchmarkContended(b *testing.B) {
	for _, goroutines := range []int{2, 8, 64, 1000} {
		for _, s := range subjects {
			b.Run(fmt.Sprintf("goroutines=%d/%s", goroutines, s.name), func(b *testing.B) {
				contend(b, s, goroutines)
			})
		}
	}
}

func contend(b *testing.B, s subject, goroutines int) {
	outsideBubbles(b)
	lock, unlock := s.make()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_ = lock(ctx)
	counter := 0
	var wg sync.WaitGroup
	for i := range goroutines {
		each := b.N / goroutines
		if i < b.N%goroutines {
			each++
		}
		wg.Go(func() {
			for range each {
				_ = lock(ctx)
				counter++
				unlock()
			}
		})
	}
	for range goroutines {
		runtime.Gosched()
	}
	b.ReportAllocs()
	b.ResetTimer()
	unlock()
	wg.Wait()
	if counter != b.N {
		b.Fatalf("counted %d of %d", counter, b.N)
	}
}

// outsideBubbles turns off the look at the clock that only programs under test make.
func outsideBubbles(b *testing.B) { b.Cleanup(bubbles.Assume(false)) }

func BenchmarkUncontended(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Run("Mutex", func(b *testing.B) {
		var m Mutex
		for range b.N {
			_ = m.Lock(ctx)
			m.Unlock()
		}
	})
	b.Run("sync.Mutex", func(b *testing.B) {
		var m sync.Mutex
		for range b.N {
			m.Lock()
			m.Unlock() //nolint:staticcheck // an empty section is what is measured
		}
	})
	b.Run("Semaphore", func(b *testing.B) {
		s := NewSemaphore(1)
		for range b.N {
			_ = s.Acquire(ctx, 1)
			s.Release(1)
		}
	})
	b.Run("weighted", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		for range b.N {
			_ = s.Acquire(ctx, 1)
			s.Release(1)
		}
	})
	b.Run("RWMutex.RLock", func(b *testing.B) {
		var m RWMutex
		for range b.N {
			_ = m.RLock(ctx)
			m.RUnlock()
		}
	})
	b.Run("sync.RWMutex.RLock", func(b *testing.B) {
		var m sync.RWMutex
		for range b.N {
			m.RLock()
			m.RUnlock() //nolint:staticcheck // an empty section is what is measured
		}
	})
}

func BenchmarkParallelReaders(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Run("RWMutex", func(b *testing.B) {
		var m RWMutex
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				_ = m.RLock(ctx)
				m.RUnlock()
			}
		})
	})
	b.Run("sync.RWMutex", func(b *testing.B) {
		var m sync.RWMutex
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				m.RLock()
				m.RUnlock() //nolint:staticcheck // an empty section is what is measured
			}
		})
	})
}

// BenchmarkCancel is the cost of a wait that is given up, with queues of different length before it.
func BenchmarkCancel(b *testing.B) {
	for _, queue := range []int{0, 1_000, 100_000} {
		b.Run(fmt.Sprintf("queue=%d", queue), func(b *testing.B) {
			outsideBubbles(b)
			var m Mutex
			_ = m.Lock(context.Background())
			var line []*waiter
			for range queue {
				line = append(line, m.gate.enlist())
			}
			b.ReportAllocs()
			for b.Loop() {
				m.gate.cancelMember(m.gate.enlist())
			}
			for _, w := range line {
				m.gate.cancelMember(w)
			}
		})
	}
}
