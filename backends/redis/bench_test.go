package redis_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// BenchmarkUncontended models a program that takes a lock that nobody else wants, beside the two bare script calls that
// are the least it could cost.
func BenchmarkUncontended(b *testing.B) {
	s := server.Get(b)
	ctx := context.Background()
	b.Run("bare", func(b *testing.B) {
		c := s.Client(b)
		sha := c.ScriptLoad(ctx, "return redis.call('set', KEYS[1], ARGV[1], 'PX', 10000)").Val()
		keys := []string{s.Prefix() + "bare"}
		for b.Loop() {
			for range 2 {
				if err := c.EvalSha(ctx, sha, keys, "x").Err(); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("lock", func(b *testing.B) {
		c := open(b, s.Client(b), redis.WithPrefix(s.Prefix()))
		r := mutex("n", 10*time.Second)
		b.ReportAllocs()
		for b.Loop() {
			g, err := backends.Acquire(ctx, c, r)
			if err == nil {
				err = backends.Release(ctx, c, g)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkCycle models two processes that hand a lock to and fro in strict order: release, wake, claim.
func BenchmarkCycle(b *testing.B) {
	s := server.Get(b)
	ctx := context.Background()
	b.Run("bare", func(b *testing.B) {
		c := s.Client(b)
		sha := c.ScriptLoad(ctx, "return redis.call('set', KEYS[1], ARGV[1], 'PX', 10000)").Val()
		keys := []string{s.Prefix() + "bare"}
		for b.Loop() {
			if err := c.EvalSha(ctx, sha, keys, "x").Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("lock", func(b *testing.B) {
		prefix := s.Prefix()
		r := mutex("n", 10*time.Second)
		var left atomic.Int64
		left.Store(int64(b.N))
		var all sync.WaitGroup
		for range 2 {
			c := open(b, s.Client(b), redis.WithPrefix(prefix))
			all.Go(func() {
				for left.Add(-1) >= 0 {
					g, err := backends.Acquire(ctx, c, r)
					if err == nil {
						err = backends.Release(ctx, c, g)
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// BenchmarkRenew renews a thousand leases at once; the figure is for one of them.
func BenchmarkRenew(b *testing.B) {
	s := server.Get(b)
	ctx := context.Background()
	c := open(b, s.Client(b), redis.WithPrefix(s.Prefix()))
	const n = 1000
	rs := make([]backends.Renewal, n)
	for i := range rs {
		g, err := backends.Acquire(ctx, c, mutex(string(rune('a'+i)), time.Minute))
		if err != nil {
			b.Fatal(err)
		}
		rs[i] = backends.Renewal{Grant: g, TTL: time.Minute}
	}
	for b.Loop() {
		for _, a := range c.Renew(ctx, rs) {
			if a.Err != nil {
				b.Fatal(a.Err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/lease")
}
