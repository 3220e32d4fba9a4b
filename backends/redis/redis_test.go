package redis_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/backendtest"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

func TestContract(t *testing.T) {
	backendtest.Run(t, contractEnv)
}

// contractEnv makes each client reach the server through a proxy of its own.
func contractEnv(t testing.TB) backendtest.Env {
	s := server.Get(t)
	prefix := s.Prefix()
	proxies := make(map[backends.Backend]*redistest.Proxy)
	return backendtest.Env{
		TTL: 300 * time.Millisecond,
		Open: func(t testing.TB) backends.Backend {
			p := s.NewProxy(t)
			b := open(t, s.ClientOf(t, &goredis.Options{Addr: p.Addr}), redis.WithPrefix(prefix))
			b.Await() // the clauses look at once whether anything is left
			proxies[b] = p
			return b
		},
		Crash: func(t testing.TB, b backends.Backend) { b.(*redis.Backend).Crash() },
		CutOff: func(t testing.TB, b backends.Backend) func() {
			p := proxies[b]
			p.BlackHole()
			return func() {
				p.Judge(nil)
				p.CutAll()
			}
		},
	}
}

// open returns a backend that is closed at the end of the test.
func open(t testing.TB, c goredis.UniversalClient, opts ...redis.Option) *redis.Backend {
	t.Helper()
	b, err := redis.New(c, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// patience is how long tests wait for what must happen.
const patience = 4 * time.Minute

// bed is what most tests start with: a server, a prefix of their own, a context and a plain client.
type bed struct {
	testing.TB
	ctx    context.Context
	server *redistest.Server
	prefix string
	client *goredis.Client
}

func newBed(t testing.TB, s *redistest.Server) *bed {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &bed{TB: t, ctx: ctx, server: s, prefix: s.Prefix(), client: s.Client(t)}
}

func (b *bed) open(opts ...redis.Option) *redis.Backend {
	b.Helper()
	return open(b, b.client, append([]redis.Option{redis.WithPrefix(b.prefix)}, opts...)...)
}

// through returns a backend that reaches the server through a proxy.
func (b *bed) through(p *redistest.Proxy, opts ...redis.Option) *redis.Backend {
	b.Helper()
	c := b.server.ClientOf(b, &goredis.Options{Addr: p.Addr})
	return open(b, c, append([]redis.Option{redis.WithPrefix(b.prefix)}, opts...)...)
}

// hash is the key of a name's hash.
func (b *bed) hash(name string) string { return b.prefix + "{" + name + "}" }

func (b *bed) acquire(c *redis.Backend, r backends.Request) backends.Grant {
	b.Helper()
	g, err := backends.Acquire(b.ctx, c, r)
	if err != nil {
		b.Fatalf("Acquire: %v", err)
	}
	return g
}

func (b *bed) release(c *redis.Backend, g backends.Grant) {
	b.Helper()
	if err := backends.Release(b.ctx, c, g); err != nil {
		b.Fatalf("Release: %v", err)
	}
}

func (b *bed) renew(c *redis.Backend, g backends.Grant, ttl time.Duration) backends.Renewed {
	b.Helper()
	return c.Renew(b.ctx, []backends.Renewal{{Grant: g, TTL: ttl}})[0]
}

// waiting is an acquire in the background.
type waiting struct {
	bed    *bed
	cancel context.CancelFunc
	ended  chan struct{}
	grant  backends.Grant
	err    error
}

func (b *bed) start(c *redis.Backend, r backends.Request) *waiting {
	ctx, cancel := context.WithCancel(b.ctx)
	w := &waiting{bed: b, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(w.ended)
		w.grant, w.err = backends.Acquire(ctx, c, r)
	}()
	b.Cleanup(func() { cancel(); <-w.ended })
	return w
}

// queue returns when the request stands in the queue.
func (b *bed) queue(c *redis.Backend, r backends.Request) *waiting {
	b.Helper()
	n := len(b.inspect(c, r.Name).Waiters)
	w := b.start(c, r)
	b.until("the request is queued", func() bool { return len(b.inspect(c, r.Name).Waiters) == n+1 })
	return w
}

func (w *waiting) granted() backends.Grant {
	w.bed.Helper()
	<-w.ended // patience ends it at the latest
	if w.err != nil {
		w.bed.Fatalf("a waiting Acquire failed: %v", w.err)
	}
	return w.grant
}

// inspect looks again while no answer can be had: a client of a cluster in which a node has just died asks the dead one a few times.
func (b *bed) inspect(c *redis.Backend, name string) (s backends.State) {
	b.Helper()
	b.until("Inspect answers", func() bool {
		var err error
		s, err = c.Inspect(b.ctx, name)
		if err != nil && !errors.Is(err, backends.ErrUnavailable) {
			b.Fatalf("Inspect: %v", err)
		}
		return err == nil
	})
	return s
}

// until looks again and again; each look is a round trip, so it is no busy loop.
func (b *bed) until(what string, is func() bool) {
	b.Helper()
	for !is() {
		if b.ctx.Err() != nil {
			b.Fatalf("not in %v: %s", patience, what)
		}
	}
}

func mutex(name string, ttl time.Duration) backends.Request {
	return backends.Request{
		Resource: backends.Resource{Name: name, Kind: backends.Mutex, Capacity: 1},
		Weight:   1, Tokens: 1, TTL: ttl,
		Owner: backends.Owner{Host: "host", PID: 1, Label: "test"},
	}
}

func TestCloseLeavesTheClientOpen(t *testing.T) {
	b := newBed(t, server.Get(t))
	c := b.open()
	b.release(c, b.acquire(c, mutex("n", time.Second)))
	if err := c.Close(b.ctx); err != nil {
		t.Fatal(err)
	}
	if err := b.client.Ping(b.ctx).Err(); err != nil {
		t.Fatalf("the application's client after Close: %v", err)
	}
}

func split(t testing.TB, addr string) (host, port string) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

func z(member string) goredis.Z { return goredis.Z{Score: -1, Member: member} }
