package memory_test

import (
	"context"
	"strings"
	"testing"

	"golang.org/x/sync/semaphore"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/memory"
)

// holder acquires and releases names, as a keeper does: with the same operations over and over.
type holder struct {
	store            *memory.Backend
	acquire, release *backends.Op
	granted          chan struct{}
}

func newHolder(b testing.TB, store *memory.Backend, names ...string) *holder {
	h := &holder{store: store, granted: make(chan struct{}, len(names))}
	h.release = &backends.Op{Release: make([]backends.Grant, len(names)), Released: func(_ int, err error) {
		if err != nil {
			b.Error(err)
		}
	}}
	h.acquire = &backends.Op{Wait: true, Granted: func(i int, g backends.Grant, err error) {
		if err != nil {
			b.Error(err)
		}
		h.release.Release[i] = g
		h.granted <- struct{}{}
	}}
	for _, name := range names {
		h.acquire.Acquire = append(h.acquire.Acquire, mutex(name))
	}
	return h
}

func (h *holder) hold() {
	h.store.Start(h.acquire)
	for range h.acquire.Acquire {
		<-h.granted
	}
	h.store.Start(h.release)
}

// BenchmarkUncontended models what a keeper pays its store for one grant that nobody else wants.
func BenchmarkUncontended(b *testing.B) {
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	b.Run("memory", func(b *testing.B) {
		h := newHolder(b, memory.New(), "db")
		b.ReportAllocs()
		for b.Loop() {
			h.hold()
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

// BenchmarkSeveral models ten free names in one operation, beside one after the other.
func BenchmarkSeveral(b *testing.B) {
	store, names := memory.New(), strings.Split("abcdefghij", "")
	b.Run("together", func(b *testing.B) {
		h := newHolder(b, store, names...)
		b.ReportAllocs()
		for b.Loop() {
			h.hold()
		}
	})
	b.Run("each", func(b *testing.B) {
		var hs []*holder
		for _, name := range names {
			hs = append(hs, newHolder(b, store, name))
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, h := range hs {
				h.hold()
			}
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
			h := newHolder(b, store, "db")
			for pb.Next() {
				h.hold()
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
