package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Under load, while the indexes of names are lost again and again, every request is granted, and
// the holders of a name never have more than all of it.
func TestLossesUnderLoadBreakNoExclusion(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	b.load([]string{":q", ":d"}, true)
}

// While hashes are lost as well, every request is still granted.
func TestLossesOfAllKeysUnderLoadLeaveNobodyWaiting(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	b.load([]string{"", ":q", ":d"}, false)
}

// load has clients use names of every kind, each often, while keys with these suffixes are lost.
func (b *bed) load(suffixes []string, exclusive bool) {
	const clients, each = 4, 20
	var used [5]atomic.Int64
	ctx, stop := context.WithCancel(b.ctx)
	var losing, all sync.WaitGroup
	losing.Go(func() {
		for ctx.Err() == nil {
			u := usages[rand.IntN(len(usages))]
			b.client.Del(ctx, b.hash(encoded(u.what))+suffixes[rand.IntN(len(suffixes))])
			<-time.After(time.Millisecond) // the fault itself, at its own pace
		}
	})
	for range clients {
		c := b.open(redis.WithHeartbeat(100 * time.Millisecond))
		for i, u := range usages {
			for _, weight := range append(u.held, u.waiting...) {
				all.Go(func() {
					p := &partial{bed: b, usage: u, name: u.what}
					for n := range each {
						r := p.request(weight)
						if !exclusive { // else each holds for its whole time to live, a minute
							r.MinValid = time.Duration(n%2) * 10 * time.Millisecond
						}
						b.turn(c, r, &used[i], exclusive)
					}
				})
			}
		}
	}
	all.Wait()
	stop()
	losing.Wait()
}

// turn holds a name once.
func (b *bed) turn(c *redis.Backend, r backends.Request, used *atomic.Int64, exclusive bool) {
	g, err := backends.Acquire(b.ctx, c, r)
	if err != nil {
		b.Errorf("%s: Acquire: %v", r.Name, err)
		return
	}
	if n := used.Add(r.Weight); exclusive && n > r.Capacity {
		b.Errorf("%s: %d permits are out, of %d", r.Name, n, r.Capacity)
	}
	used.Add(-r.Weight)
	if err := backends.Release(b.ctx, c, g); err != nil && (exclusive || !errors.Is(err, backends.ErrLost)) {
		b.Error(fmt.Errorf("%s: Release: %w", r.Name, err))
	}
}
