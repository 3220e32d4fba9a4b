package memory_test

import (
	"context"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// BenchmarkUncontended models what a keeper pays its store for one grant that nobody else wants.
func BenchmarkUncontended(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("memory", func(b *testing.B) {
		store := memory.New()
		b.ReportAllocs()
		for b.Loop() {
			g, err := store.TryAcquire(ctx, mutex("db"))
			if err != nil {
				b.Fatal(err)
			}
			if err := store.Release(ctx, g); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("weighted", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		b.ReportAllocs()
		for b.Loop() {
			if err := s.Acquire(ctx, 1); err != nil {
				b.Fatal(err)
			}
			s.Release(1)
		}
	})
}

// BenchmarkContended models 64 goroutines of one process on one name, without a keeper in between.
func BenchmarkContended(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("memory", func(b *testing.B) {
		store := memory.New()
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				g, err := store.Acquire(ctx, mutex("db"))
				if err != nil {
					b.Error(err)
					return
				}
				if err := store.Release(ctx, g); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("weighted", func(b *testing.B) {
		s := semaphore.NewWeighted(1)
		b.ReportAllocs()
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := s.Acquire(ctx, 1); err != nil {
					b.Error(err)
					return
				}
				s.Release(1)
			}
		})
	})
}
