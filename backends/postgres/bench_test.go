package postgres_test

import (
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// An acquire and a release of a free name, beside two calls of a function that does nothing: the
// least that any store of two statements costs. Short leases are not flushed, long ones are.
func BenchmarkAcquireRelease(b *testing.B) {
	bed := newBed(b, server.Get(b))
	bed.exec("CREATE FUNCTION lockkeeper.nothing() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'")
	pool := bed.pool(b, bed.server.Addr, nil)
	b.Run("two functions that do nothing", func(b *testing.B) {
		for b.Loop() {
			for range 2 {
				var n int64
				if err := pool.QueryRow(bed.ctx, "SELECT "+bed.schema+".nothing()").Scan(&n); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	c := bed.of(b, pool)
	for name, ttl := range map[string]time.Duration{"of 4 s": 4 * time.Second, "of a minute": time.Minute} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				bed.release(c, bed.acquire(c, mutex("n", ttl)))
			}
		})
	}
}

// A name goes to and fro between two clients that always wait for it.
func BenchmarkHandOver(b *testing.B) {
	bed := newBed(b, server.Get(b))
	x, y := bed.through(b, bed.server.Addr), bed.through(b, bed.server.Addr)
	r := mutex("n", time.Minute)
	r.MinValid = time.Second
	ended := make(chan error)
	cycle := func(n int) error {
		c := x
		if n%2 == 1 {
			c = y
		}
		g, err := backends.Acquire(bed.ctx, c, r)
		if err == nil {
			err = backends.Release(bed.ctx, c, g)
		}
		return err
	}
	each := max(1, b.N/4)
	for n := range 4 {
		go func() {
			for range each {
				if err := cycle(n); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}()
	}
	for range 4 {
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}
