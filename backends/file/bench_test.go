package file

import (
	"context"
	"fmt"
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

// user returns a function that acquires names, all in one operation, and releases them in another,
// each done in the call or by the caller, as a manager does it.
func user(b *testing.B, s *Backend, rs []backends.Request) func() {
	grants := make([]backends.Grant, len(rs))
	granted := make(chan error, len(rs))
	acquire := &backends.Op{Acquire: rs, Wait: true, Granted: func(i int, g backends.Grant, err error) {
		grants[i] = g
		granted <- err
	}}
	release := &backends.Op{Release: grants, Released: func(_ int, err error) { granted <- err }}
	return func() {
		for _, op := range []*backends.Op{acquire, release} {
			if work := s.Start(op); work != nil {
				work(b.Context())
			}
			for range rs {
				if err := <-granted; err != nil {
					b.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkUncontended models one process that uses locks nobody else wants, one or
// many at once. The baseline opens, locks, unlocks and
// closes a file, and knows neither tokens nor a queue.
func BenchmarkUncontended(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("lockkeeper/", n), func(b *testing.B) {
			s := open(b, b.TempDir()+"/locks")
			var rs []backends.Request
			for i := range n {
				rs = append(rs, mutex(fmt.Sprint("db", i)))
			}
			use := user(b, s, rs)
			use()
			b.ReportAllocs()
			for b.Loop() {
				use()
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N*n), "ns/name")
		})
	}
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
				g, err := backends.Acquire(ctx, s, mutex("db"))
				if err == nil {
					err = backends.Release(ctx, s, g)
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
			g, err := backends.Acquire(ctx, s, mutex("db"))
			if err != nil {
				return err
			}
			return backends.Release(ctx, s, g)
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
