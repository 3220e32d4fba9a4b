package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestApplicationsExhaustedPoolDoesNotMatter(t *testing.T) {
	b := newBed(t, server.Get(t))
	app := b.server.ClientOf(t, &goredis.Options{PoolSize: 1})
	c := open(t, app, redis.WithPrefix(b.prefix))
	ctx, cancel := context.WithCancel(b.ctx)
	blocked := make(chan error, 1)
	go func() { blocked <- app.BLPop(ctx, 0, b.prefix+"list").Err() }()
	b.until("the application blocks its connection", func() bool {
		return strings.Contains(b.client.Info(b.ctx, "clients").Val(), "blocked_clients:1")
	})
	g := b.acquire(c, mutex("n", time.Minute))
	if r := b.renew(c, g, time.Minute); r.Err != nil {
		t.Errorf("Renew: %v", r.Err)
	}
	b.release(c, g)
	b.client.LPush(b.ctx, b.prefix+"list", "x")
	<-blocked
	cancel()
}

// What the application set up stays as it is, and what it set to "none" does not come back as the default.
func TestClientIsOnlyRead(t *testing.T) {
	b := newBed(t, server.Get(t))
	app := b.server.ClientOf(t, &goredis.Options{MaxRetries: -1, ReadTimeout: -1, PoolSize: 3})
	before := *app.Options()
	c := open(t, app, redis.WithPrefix(b.prefix))
	b.release(c, b.acquire(c, mutex("n", time.Minute)))
	after := *app.Options()
	if before.MaxRetries != after.MaxRetries || before.ReadTimeout != after.ReadTimeout || before.PoolSize != after.PoolSize ||
		before.ContextTimeoutEnabled != after.ContextTimeoutEnabled || before.DialerRetries != after.DialerRetries {
		t.Errorf("the client's options were %+v and are %+v", before, after)
	}
	if n := app.PoolStats().TotalConns; n != 0 {
		t.Errorf("%d connections of the application's were used", n)
	}
}

// A client changes its own options when it first connects. The race detector sees whether we read
// them then.
func TestClientMayConnectWhileTheBackendIsMade(t *testing.T) {
	b := newBed(t, server.Get(t))
	for range 20 {
		app := b.server.ClientOf(t, &goredis.Options{})
		connected := make(chan error)
		go func() { connected <- app.Ping(b.ctx).Err() }()
		c := open(t, app, redis.WithPrefix(b.prefix))
		b.release(c, b.acquire(c, mutex("n", time.Minute)))
		if err := <-connected; err != nil {
			t.Error(err)
		}
	}
}
