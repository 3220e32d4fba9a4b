package redis_test

import (
	"errors"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
)

func TestNewRefusesBadOptions(t *testing.T) {
	c := goredis.NewClient(&goredis.Options{})
	defer c.Close()
	for what, opt := range map[string]redis.Option{
		"empty prefix":   redis.WithPrefix(""),
		"braces":         redis.WithPrefix("a{b}"),
		"negative grace": redis.WithGrace(-1),
		"long grace":     redis.WithGrace(2 * time.Hour),
		"fast heart":     redis.WithHeartbeat(time.Millisecond),
		"slow heart":     redis.WithHeartbeat(time.Hour),
		"replicas":       redis.WithWaitReplicas(-1, time.Second),
		"no patience":    redis.WithWaitReplicas(1, 0),
		"zero option":    {},
	} {
		if _, err := redis.New(c, opt); !errors.Is(err, backends.ErrInvalid) {
			t.Errorf("%s: New says %v, want ErrInvalid", what, err)
		}
	}
}

func TestARefusedClientIsToldByItsType(t *testing.T) {
	ring := goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	for said, client := range map[string]goredis.UniversalClient{
		`"<nil>"`: nil, `"nil *redis.Client"`: (*goredis.Client)(nil), `"*redis.Ring"`: ring,
	} {
		want := "redis: invalid client " + said + ": want a client of one server, a Sentinel group or a cluster"
		if _, err := redis.New(client); err == nil || err.Error() != want {
			t.Errorf("%v; want %s", err, want)
		}
	}
}

// wrapped is a wrapper of a client, as applications make them for tracing.
type wrapped struct{ goredis.UniversalClient }

// A client that cannot work is refused at once, not when it is used.
func TestNewRefusesClientsThatCannotWork(t *testing.T) {
	ring := goredis.NewRing(&goredis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	c := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1"})
	defer c.Close()
	piped, err := c.AutoPipeline()
	if err != nil {
		t.Fatal(err)
	}
	for what, client := range map[string]goredis.UniversalClient{
		"nothing":                     nil,
		"no client":                   (*goredis.Client)(nil),
		"no cluster":                  (*goredis.ClusterClient)(nil),
		"no ring":                     (*goredis.Ring)(nil),
		"no pipeline":                 (*goredis.AutoPipeliner)(nil),
		"a ring":                      ring,
		"commands that are tied":      piped,
		"a wrapper of nothing":        wrapped{},
		"no wrapper":                  (*wrapped)(nil),
		"a wrapper of no client":      wrapped{(*goredis.Client)(nil)},
		"a pointer to one of a ring":  &wrapped{ring},
		"a wrapper of a wrapped ring": wrapped{&wrapped{ring}},
	} {
		for _, opts := range [][]redis.Option{nil, {redis.WithSharedPool()}} {
			b, err := redis.New(client, opts...)
			var invalid *backends.InvalidError
			if b != nil || !errors.As(err, &invalid) || invalid.Field != "client" || !errors.Is(err, backends.ErrInvalid) {
				t.Errorf("%s: New says %v, want an InvalidError for the client", what, err)
			}
		}
	}
	cluster := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}})
	defer cluster.Close()
	for what, client := range map[string]goredis.UniversalClient{
		"a client": c, "a cluster": cluster, "a wrapper of a client": wrapped{c}, "a wrapper of a cluster": &wrapped{cluster},
	} {
		open(t, client)
		open(t, client, redis.WithSharedPool())
		if t.Failed() {
			t.Errorf("%s: refused", what)
		}
	}
}

// A client that its application has closed is ErrClosed at once and for good, if the backend uses
// its connections.
func TestClosedClientIsErrClosed(t *testing.T) {
	b := newBed(t, server.Get(t))
	app := b.server.ClientOf(t, &goredis.Options{})
	c := open(t, app, redis.WithPrefix(b.prefix), redis.WithSharedPool(), redis.WithHeartbeat(50*time.Millisecond))
	lender := open(t, app, redis.WithPrefix(b.prefix)) // it lends its options only
	g := b.acquire(c, mutex("n", time.Second))
	w := b.queue(c, mutex("n", time.Second))
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	<-w.ended
	if !errors.Is(w.err, backends.ErrClosed) {
		t.Errorf("a waiter: %v, want ErrClosed", w.err)
	}
	if _, err := backends.TryAcquire(b.ctx, c, mutex("m", time.Second)); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("TryAcquire: %v, want ErrClosed", err)
	}
	if _, err := c.Inspect(b.ctx, "n"); !errors.Is(err, backends.ErrClosed) {
		t.Errorf("Inspect: %v, want ErrClosed", err)
	}
	if r := b.renew(c, g, time.Second); errors.Is(r.Err, backends.ErrLost) || !errors.Is(r.Err, backends.ErrClosed) {
		t.Errorf("Renew: %v, want ErrClosed, and no loss", r.Err)
	}
	b.release(lender, b.acquire(lender, mutex("n", time.Second)))
}
