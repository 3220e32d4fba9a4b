package redis_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Over a failover a request may fail, a place may be lost, and so may a grant that the replica did not have; but the
// client finds the new primary by itself, waiting requests survive, and tokens increase.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := redistest.Start(t)
	host, port := split(t, primary.Addr)
	replica := redistest.Start(t, "--replicaof", host, port)
	b := newBed(t, primary)
	b.until("the replica is in step", func() bool { return b.client.Wait(b.ctx, 1, time.Second).Val() == 1 })
	sentinels := redistest.StartSentinels(t, primary, 3)
	var addrs []string
	for _, s := range sentinels {
		addrs = append(addrs, s.Addr)
		sc := goredis.NewSentinelClient(&goredis.Options{Addr: s.Addr})
		t.Cleanup(func() { sc.Close() })
		b.until("the sentinel knows the replica and the other sentinels", func() bool {
			replicas, err := sc.Replicas(b.ctx, "primary").Result()
			others, e := sc.Sentinels(b.ctx, "primary").Result()
			return err == nil && e == nil && len(others) == 2 && len(replicas) == 1 && replicas[0]["master-link-status"] == "ok"
		})
	}

	connect := func() *redis.Backend {
		c := goredis.NewFailoverClient(&goredis.FailoverOptions{MasterName: "primary", SentinelAddrs: slices.Clone(addrs)})
		t.Cleanup(func() { c.Close() })
		return open(t, c, redis.WithPrefix(b.prefix), redis.WithHeartbeat(100*time.Millisecond))
	}
	a, c := connect(), connect()
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c)
	sentinels[0].Kill() // the one that clients ask first; the other two are enough to agree
	primary.Kill()
	for { // the lease was replicated: it can be given back when the client has found the new primary
		ctx, cancel := context.WithTimeout(b.ctx, time.Second)
		err := backends.Release(ctx, a, g)
		cancel()
		if err == nil || errors.Is(err, backends.ErrLost) {
			break
		}
		if b.ctx.Err() != nil || !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("Release: %v", err)
		}
	}
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.release(c, h)
	if n := replica.Client(t).Exists(b.ctx, b.hash("n")).Val(); n != 1 {
		t.Error("the new primary does not have the lock")
	}
}
