package redis_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// replicate starts a replica of the bed's server, and returns when it is in step.
func (b *bed) replicate(start func(args ...string) *redistest.Server) *redistest.Server {
	b.Helper()
	host, port := split(b, b.server.Addr)
	r := start("--replicaof", host, port)
	b.inStep()
	return r
}

// inStep returns when a replica has everything that the server has.
func (b *bed) inStep() {
	b.Helper()
	inStep(b, b.client, b.prefix+"step")
}

// WAIT speaks of what its own connection wrote, so that has to write last.
func inStep(b *bed, c *goredis.Client, key string) {
	b.Helper()
	b.until("the replica is in step", func() bool {
		p := c.Pipeline()
		p.Set(b.ctx, key, "x", time.Minute)
		n := p.Do(b.ctx, "WAIT", 1, 1000)
		_, _ = p.Exec(b.ctx)
		return n.Val() == int64(1)
	})
}

func (b *bed) promote(r *redistest.Server) {
	b.Helper()
	if err := r.Client(b).Do(b.ctx, "REPLICAOF", "NO", "ONE").Err(); err != nil {
		b.Fatal(err)
	}
}

// named returns a client of a host whose address is whatever addr holds, as behind a name.
func (b *bed) named(addr *atomic.Pointer[string]) *goredis.Client {
	var d net.Dialer
	return b.server.ClientOf(b, &goredis.Options{
		Addr: "redis.example:6379",
		Dialer: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, *addr.Load())
		},
	})
}

// The window that only fencing closes: a grant that no replica had is forgotten by a failover. The next token is larger
// all the same. The clients find the new primary because its name leads to another address.
func TestGrantForgottenByAFailoverKeepsTokensIncreasing(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	replica := b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	var addr atomic.Pointer[string]
	addr.Store(&b.server.Addr)
	opts := []redis.Option{redis.WithPrefix(b.prefix), redis.WithHeartbeat(100 * time.Millisecond)}
	a, c := open(t, b.named(&addr), opts...), open(t, b.named(&addr), opts...)
	b.release(a, b.acquire(a, mutex("n", time.Minute)))
	b.inStep()
	b.promote(replica) // from here on it hears nothing
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c) // so its answer has been handled
	addr.Store(&replica.Addr)
	b.server.Kill()
	h := w.granted()
	if h.Token <= g.Token {
		t.Errorf("token %d after %d", h.Token, g.Token)
	}
	b.until("the first holder is told", func() bool {
		r := b.renew(a, g, time.Minute)
		if r.Err == nil {
			t.Fatal("a forgotten grant was renewed")
		}
		return errors.Is(r.Err, backends.ErrLost)
	})
	b.release(c, h)
}

// The address behind the name changes while the old server lives on, as a replica: it refuses to write, its connections
// are given up, and the name is looked up again.
func TestAddressBehindANameChanges(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	replica := b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	var addr atomic.Pointer[string]
	addr.Store(&b.server.Addr)
	c := open(t, b.named(&addr), redis.WithPrefix(b.prefix))
	g := b.acquire(c, mutex("n", time.Minute))
	b.renew(c, g, time.Minute) // over the other connection
	b.inStep()
	addr.Store(&replica.Addr)
	b.promote(replica)
	host, port := split(t, replica.Addr)
	if err := b.client.Do(b.ctx, "REPLICAOF", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	b.until("renewed at the new address", func() bool {
		r := b.renew(c, g, time.Minute)
		if r.Err != nil && !errors.Is(r.Err, backends.ErrUnavailable) {
			t.Fatalf("Renew: %v, want ErrUnavailable at worst", r.Err)
		}
		return r.Err == nil
	})
	b.until("released at the new address", func() bool { return backends.Release(b.ctx, c, g) == nil })
	if s := b.inspect(open(t, replica.Client(t), redis.WithPrefix(b.prefix)), "n"); len(s.Holders) != 0 {
		t.Errorf("left at the new address: %+v", s)
	}
}

// An old primary that is cut off together with its clients, while a replica is promoted: with min-replicas-to-write it
// grants and renews nothing, so its holder stops before the other side grants.
func TestIsolatedPrimaryGrantsAndRenewsNothing(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t, "--min-replicas-to-write", "1"))
	replica := b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	const ttl = 2 * time.Second
	minority := b.managed(b.open(), ttl)
	majority := b.managed(open(t, replica.Client(t), redis.WithPrefix(b.prefix)), ttl)
	l, err := minority.Lock("n").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b.inStep()
	b.promote(replica)
	b.until("the old primary knows that it is alone", func() bool {
		_, err := backends.TryAcquire(b.ctx, b.open(), mutex("other", time.Minute))
		return errors.Is(err, backends.ErrUnavailable)
	})
	next, err := majority.Lock("n").Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	if l.Valid() {
		t.Error("two leases are valid")
	}
	if next.Token() <= l.Token() {
		t.Errorf("token %d after %d", next.Token(), l.Token())
	}
	<-l.Context().Done()
	var lost *backends.LostError
	if !errors.As(l.Err(), &lost) || lost.Reason != backends.Expired {
		t.Errorf("the lease of the minority ended with %v, want expired", l.Err())
	}
	if n := b.client.Exists(b.ctx, b.hash("other")).Val(); n != 0 {
		t.Error("a refused acquire left a key")
	}
	if err := next.Release(); err != nil {
		t.Error(err)
	}
}

// Sentinels that are gone while the primary dies: nothing can be acquired, and the clients recover when somebody else
// has promoted a replica and a sentinel knows it.
func TestFailoverWhileTheSentinelIsDown(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	replica := b.replicate(func(args ...string) *redistest.Server { return redistest.Start(t, args...) })
	sentinel := redistest.StartSentinel(t, b.server)
	connect := func() *redis.Backend {
		c := goredis.NewFailoverClient(&goredis.FailoverOptions{MasterName: "primary", SentinelAddrs: []string{sentinel.Addr}})
		t.Cleanup(func() { c.Close() })
		return open(t, c, redis.WithPrefix(b.prefix), redis.WithHeartbeat(100*time.Millisecond))
	}
	a, c := connect(), connect()
	g := b.acquire(a, mutex("n", time.Minute))
	w := b.queue(c, mutex("n", time.Minute))
	b.listening(c) // so its answer has been handled
	b.inStep()
	sentinel.Kill()
	b.server.Kill()
	ctx, cancel := context.WithTimeout(b.ctx, 500*time.Millisecond)
	defer cancel()
	if _, err := backends.TryAcquire(ctx, a, mutex("other", time.Minute)); !errors.Is(err, backends.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("TryAcquire without any server: %v", err)
	}
	b.promote(replica)
	sentinel.Watch(replica)
	sentinel.Restart(t)
	b.until("released at the new primary", func() bool {
		ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
		defer cancel()
		return backends.Release(ctx, a, g) == nil
	})
	b.release(c, w.granted())
}
