package redis_test

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// A dial that heeds no context, as that of a client with TLS, holds up nobody when the server is
// back, however long it goes on: for the DialTimeout of the user's client, or for ever.
func TestDialsThatHangHoldUpNobody(t *testing.T) {
	t.Parallel()
	t.Run("a Dialer of the user", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, redistest.Start(t))
		var hangs atomic.Bool
		end := make(chan struct{})
		defer close(end)
		c := b.server.ClientOf(t, &goredis.Options{PoolSize: 2, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if hangs.Load() {
				<-end
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		}})
		hangs.Store(true)
		b.goesOnAfter(open(t, c, redis.WithPrefix(b.prefix)), func() { hangs.Store(false) })
	})
	t.Run("TLS in a black hole", func(t *testing.T) {
		t.Parallel()
		cert, key, trust := certify(t, time.Now().Add(time.Hour))
		b := newBed(t, redistest.StartTLS(t, cert, key))
		p := b.server.NewProxy(t)
		opt := &goredis.Options{Addr: p.Addr, PoolSize: 2, DialTimeout: time.Hour, TLSConfig: &tls.Config{RootCAs: trust}}
		c := goredis.NewClient(opt)
		t.Cleanup(func() { c.Close() })
		t.Cleanup(p.CutAll) // which ends the handshakes that hang
		p.BlackHole()
		b.goesOnAfter(open(t, c, redis.WithPrefix(b.prefix)), func() { p.Judge(nil) })
	})
}

// goesOnAfter checks that a client whose dials hang can acquire and release after end.
func (b *bed) goesOnAfter(c *redis.Backend, end func()) {
	b.Helper()
	x := &patient{bed: b, what: "whose dials hang", client: c}
	x.suffer()
	end()
	x.crowd(func(name string) {
		x.soon("acquire and release", func() error {
			g, err := backends.Acquire(b.ctx, c, mutex(name, time.Minute))
			if err != nil {
				return err
			}
			return backends.Release(b.ctx, c, g)
		})
	})
}
