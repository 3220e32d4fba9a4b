package redis_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A subscription that is dead, silently, delays a grant until the next heartbeat, and is then replaced.
func TestWaiterIsGrantedAlthoughItsSubscriptionIsDead(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	p.Judge(func(r []byte) redistest.Verdict {
		if bytes.Contains(r, []byte("subscribe")) {
			return redistest.Swallow
		}
		return redistest.Pass
	})
	holder, c := b.open(), b.through(p, redis.WithHeartbeat(50*time.Millisecond))
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.release(holder, g)
	b.release(c, w.granted())
}

func TestCutSubscriptionIsReplacedAndMissedGrantsAreFound(t *testing.T) {
	b := newBed(t, server.Get(t))
	p := b.server.NewProxy(t)
	// The heart beats so rarely that only the message, or the look after a new subscription, can bring the grant.
	holder, c := b.open(), b.through(p, redis.WithHeartbeat(time.Minute))
	g := b.acquire(holder, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	p.CutAll()
	b.release(holder, g)
	b.release(c, w.granted())
}

func TestReleaseWakesExactlyTheNext(t *testing.T) {
	b := newBed(t, server.Get(t))
	holder := b.open(redis.WithHeartbeat(time.Minute))
	g := b.acquire(holder, mutex("n", time.Minute))
	const clients, each = 5, 1000
	ctx, cancel := context.WithCancel(b.ctx)
	granted := make(chan func(), clients*each)
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); all.Wait() })
	for range clients {
		c := b.open(redis.WithHeartbeat(time.Minute))
		for range each {
			all.Go(func() {
				if h, err := backends.Acquire(ctx, c, mutex("n", time.Minute)); err == nil {
					granted <- func() { b.release(c, h) }
				}
			})
		}
		b.listening(c)
	}
	queue := b.hash("n") + ":q"
	b.until("all wait", func() bool { return b.client.ZCard(b.ctx, queue).Val() == clients*each })
	b.server.ResetCalls(t)
	b.release(holder, g)
	release := <-granted
	calls := b.server.Calls(t)
	if calls["publish"] != 1 || calls["evalsha"] != 2 {
		t.Errorf("a hand-off took %d messages and %d commands, want 1 and 2", calls["publish"], calls["evalsha"])
	}
	if n := len(granted); n != 0 {
		t.Errorf("%d more were granted", n)
	}
	cancel()
	all.Wait()
	release()
}
