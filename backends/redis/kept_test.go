package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

// day is a long time to live.
const day = backends.MaxTTL

// The keys of a name that nobody uses any more expire within ten minutes, however long its last
// grants could have lasted, and however they ended.
func TestKeysOfAReleasedNameExpireWithinTenMinutes(t *testing.T) {
	semaphore := mutex("n", day)
	semaphore.Kind, semaphore.Capacity = backends.Semaphore, 2
	for what, use := range map[string]func(b *bed, c, other *redis.Backend){
		"released": func(b *bed, c, other *redis.Backend) { b.release(c, b.acquire(c, mutex("n", day))) },
		"released twice": func(b *bed, c, other *redis.Backend) {
			b.release(c, b.acquire(c, mutex("n", day)))
			b.release(c, b.acquire(c, mutex("n", time.Second)))
		},
		"two permits released": func(b *bed, c, other *redis.Backend) {
			g, h := b.acquire(c, semaphore), b.acquire(c, semaphore)
			b.release(c, g)
			b.release(c, h)
		},
		"renewed and released": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", time.Second))
			b.renew(c, g, day)
			b.release(c, g)
		},
		"broken": func(b *bed, c, other *redis.Backend) {
			b.acquire(c, mutex("n", day))
			if err := other.Break(b.ctx, "n"); err != nil {
				t.Error(err)
			}
		},
		"handed over": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			w := b.queue(other, mutex("n", time.Minute))
			b.release(c, g)
			b.release(other, w.granted())
		},
		"handed over to who holds for a short time": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			w := b.queue(other, mutex("n", time.Second))
			b.release(c, g)
			w.granted() // and dies: nobody touches the keys again
		},
		"cancelled": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			w := b.queue(other, mutex("n", day))
			w.cancel()
			<-w.ended
			b.release(c, g)
		},
		"forbidden": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			b.release(c, g)
			ctx, cancel := context.WithCancel(b.ctx)
			cancel()
			_, _ = backends.Acquire(ctx, other, mutex("n", day))
		},
		"detached": func(b *bed, c, other *redis.Backend) {
			if err := c.Detach(b.ctx, detachment(b.acquire(c, mutex("n", day)), time.Second)); err != nil {
				b.Error(err)
			}
		},
		"detached and adopted": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			b.detach(c, g)
			b.release(other, b.adopt(other, g))
		},
		"asked again": func(b *bed, c, other *redis.Backend) {
			g := b.acquire(c, mutex("n", day))
			r := mutex("n", day)
			w := b.queue(other, r)
			b.release(c, g) // the message is a hint: other asks for its whole time to live
			b.release(other, w.granted())
		},
	} {
		t.Run(dashed(what), func(t *testing.T) {
			b := newBed(t, server.Get(t))
			use(b, b.open(), b.open(redis.WithHeartbeat(100*time.Millisecond)))
			keys := b.client.Keys(b.ctx, b.prefix+"*").Val()
			if len(keys) == 0 {
				t.Fatal("no key is left: its last token is forgotten")
			}
			for _, key := range keys {
				if d := b.client.PTTL(b.ctx, key).Val(); d <= 0 || d > 10*time.Minute {
					t.Errorf("%q stays for %v", key, d)
				}
			}
			if d := b.client.PTTL(b.ctx, b.hash("n")).Val(); d < 4*time.Minute {
				t.Errorf("the last token is forgotten in %v", d)
			}
		})
	}
}

// A name that is held keeps its keys for as long as it may be.
func TestKeysOutliveTheGrant(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	r := mutex("n", day)
	r.Kind, r.Capacity = backends.Semaphore, 2
	for held := range 2 {
		b.acquire(c, r)
		keys := b.client.Keys(b.ctx, b.prefix+"*").Val()
		if len(keys) != held+1 {
			t.Errorf("keys %q", keys)
		}
		for _, key := range keys {
			if d := b.client.PTTL(b.ctx, key).Val(); d < day {
				t.Errorf("with %d held %q stays for %v", held+1, key, d)
			}
		}
	}
}
