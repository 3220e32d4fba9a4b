package file

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/lockkeeper/lockkeeper/backends"
)

func mutex(name string) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1,
	}
}

// BenchmarkUncontended models one process that uses a lock nobody else wants. The baseline opens, locks, unlocks and
// closes a file, and knows neither tokens nor a queue.
func BenchmarkUncontended(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.Run("lockkeeper", func(b *testing.B) {
		s := open(b, b.TempDir()+"/locks")
		b.ReportAllocs()
		for b.Loop() {
			g, err := s.Acquire(ctx, mutex("db"))
			if err != nil {
				b.Fatal(err)
			}
			if err := s.Release(ctx, g); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("gofrs", func(b *testing.B) {
		l := flock.New(b.TempDir() + "/db.lock")
		b.ReportAllocs()
		for b.Loop() {
			if ok, err := l.TryLock(); !ok {
				b.Fatal(err)
			}
			if err := l.Unlock(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkHandOff models two processes that pass one lock to and fro: each waits, asleep, while the other holds.
func BenchmarkHandOff(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	dir := b.TempDir() + "/locks"
	clients := []*Backend{open(b, dir), open(b, dir)}
	b.ReportAllocs()
	var all sync.WaitGroup
	for i, s := range clients {
		all.Go(func() {
			for range b.N / 2 {
				g, err := s.Acquire(ctx, mutex("db"))
				if err == nil {
					err = s.Release(ctx, g)
				}
				if err != nil {
					b.Error(i, err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkContended models 64 goroutines of one process on one name, without a keeper in between. The baseline
// polls every millisecond, and favours whoever has just released.
func BenchmarkContended(b *testing.B) {
	const goroutines = 64
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	run := func(b *testing.B, use func() error) {
		var all sync.WaitGroup
		for range goroutines {
			all.Go(func() {
				for range b.N/goroutines + 1 {
					if err := use(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	b.Run("lockkeeper", func(b *testing.B) {
		s := open(b, b.TempDir()+"/locks")
		run(b, func() error {
			g, err := s.Acquire(ctx, mutex("db"))
			if err != nil {
				return err
			}
			return s.Release(ctx, g)
		})
	})
	b.Run("gofrs", func(b *testing.B) {
		path := b.TempDir() + "/db.lock"
		run(b, func() error {
			l := flock.New(path)
			if _, err := l.TryLockContext(ctx, time.Millisecond); err != nil {
				return err
			}
			return l.Unlock()
		})
	})
}
