package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// enough is how many tries a caller may need when the server is back. The first may meet a dead
// connection that nothing has noticed yet, and the second another one that was dialled at the same
// time.
const enough = 3

// outage makes a server unusable until end is called.
type outage struct {
	name  string
	begin func(b *bed, p *redistest.Proxy) (end func())
}

var outages = []outage{
	{"killed", func(b *bed, _ *redistest.Proxy) func() {
		b.server.Kill()
		return func() { b.server.Restart(b) }
	}},
	{"frozen", func(b *bed, _ *redistest.Proxy) func() {
		b.server.Stop(b)
		return func() { b.server.Cont(b) }
	}},
	{"in a black hole", func(b *bed, p *redistest.Proxy) func() {
		p.BlackHole()
		return func() { p.Judge(nil) } // connections that fell into it stay dead
	}},
	{"reset by every request", func(b *bed, p *redistest.Proxy) func() {
		p.Judge(func([]byte) redistest.Verdict { return redistest.Cut })
		return func() { p.Judge(nil) }
	}},
	{"paused", func(b *bed, _ *redistest.Proxy) func() {
		if err := b.client.Do(b.ctx, "CLIENT", "PAUSE", 500, "ALL").Err(); err != nil {
			b.Fatal(err)
		}
		return func() {}
	}},
	{"full", func(b *bed, _ *redistest.Proxy) func() {
		admin := b.server.ClientOf(b, &goredis.Options{PoolSize: 1}).Conn()
		b.Cleanup(func() { admin.Close() })
		for _, command := range [][]any{{"CONFIG", "SET", "maxclients", "1"}, {"CLIENT", "KILL", "TYPE", "normal"}} {
			if err := admin.Do(b.ctx, command...).Err(); err != nil {
				b.Fatal(err)
			}
		}
		return func() { admin.Do(b.ctx, "CONFIG", "SET", "maxclients", "1000") }
	}},
}

const hasty = "with short times"

// clientOptions are the options on which recovery could depend.
var clientOptions = map[string]goredis.Options{
	"as they come":              {},
	"without repetition":        {MaxRetries: -1},
	"with one connection":       {PoolSize: 1},
	"alone, without repetition": {PoolSize: 1, MaxRetries: -1},
	hasty:                       {DialTimeout: 50 * time.Millisecond, ReadTimeout: 100 * time.Millisecond, MaxRetries: -1},
	"that heed contexts":        {ContextTimeoutEnabled: true, MaxRetries: 1},
}

// A client works again as soon as its server does, for every kind of outage and all options of the
// client, however many acquires were cancelled meanwhile, in a dial too.
func TestClientRecoversWithItsServer(t *testing.T) {
	t.Parallel()
	for _, o := range outages {
		t.Run(dashed(o.name), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, redistest.Start(t))
			p := b.server.NewProxy(t)
			var patients []*patient
			for what, opt := range clientOptions {
				opt.Addr = p.Addr
				patients = append(patients, b.patient(what, open(t, b.server.ClientOf(t, &opt), redis.WithPrefix(b.prefix))))
			}
			end := o.begin(b, p)
			each(patients, func(x *patient) { x.suffer() })
			end()
			b.back(func() goredis.UniversalClient {
				return goredis.NewClient(&goredis.Options{Addr: p.Addr, DialTimeout: patience, ReadTimeout: patience})
			})
			each(patients, func(x *patient) { x.recover() })
		})
	}
}

func TestClientOfASentinelRecoversWithItsServer(t *testing.T) {
	t.Parallel()
	for _, o := range outages[:2] {
		t.Run(dashed(o.name), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, redistest.Start(t))
			sentinel := redistest.StartSentinel(t, b.server)
			connect := func(retries int) goredis.UniversalClient {
				return goredis.NewFailoverClient(&goredis.FailoverOptions{
					MasterName: "primary", SentinelAddrs: []string{sentinel.Addr}, MaxRetries: retries,
				})
			}
			b.recovers(o, func() goredis.UniversalClient { return connect(3) }, connect(0), connect(-1))
		})
	}
}

func TestClientOfAClusterRecoversWithItsServer(t *testing.T) {
	t.Parallel()
	for _, o := range outages[:2] {
		t.Run(dashed(o.name), func(t *testing.T) {
			t.Parallel()
			c := redistest.StartCluster(t, 1, 0)
			b := newBed(t, c.Primaries[0])
			connect := func(redirects int) goredis.UniversalClient {
				return goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: c.Addrs(), MaxRedirects: redirects})
			}
			b.recovers(o, func() goredis.UniversalClient { return connect(3) }, connect(0), connect(-1))
		})
	}
}

// recovers has clients go through an outage.
func (b *bed) recovers(o outage, fresh func() goredis.UniversalClient, clients ...goredis.UniversalClient) {
	b.Helper()
	var patients []*patient
	for i, c := range clients {
		b.Cleanup(func() { c.Close() })
		patients = append(patients, b.patient(fmt.Sprint("client ", i), open(b, c, redis.WithPrefix(b.prefix))))
	}
	end := o.begin(b, nil)
	each(patients, func(x *patient) { x.suffer() })
	end()
	b.back(fresh)
	each(patients, func(x *patient) { x.recover() })
}

// One silent connection makes the other ones outdated. They do not fail one call each.
func TestOneSilentConnectionTellsOfTheOthers(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	p := b.server.NewProxy(t)
	c := b.through(p)
	b.release(c, b.acquire(c, mutex("lane", time.Minute))) // the server knows the scripts
	const connections = 12
	var arrived, swallowed, tried atomic.Int64
	together := make(chan struct{})
	p.Judge(commands(func(int, []byte) redistest.Verdict {
		if arrived.Add(1) == connections {
			close(together)
		}
		<-together
		return redistest.Pass
	}))
	var callers sync.WaitGroup
	for i := range connections {
		callers.Go(func() {
			g, err := backends.Acquire(b.ctx, c, mutex(fmt.Sprint("n", i), time.Minute))
			if err == nil { // a grant that is held would soon open the inbox, one more connection
				err = backends.Release(b.ctx, c, g)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()

	lane := make(chan struct{})
	taken := make(chan struct{}, 64)
	var back atomic.Bool
	p.Judge(func(request []byte) redistest.Verdict {
		switch {
		case bytes.Contains(request, []byte("{lane}")):
			taken <- struct{}{}
			<-lane
		case bytes.Contains(request, []byte("hello")):
			// Until a command was swallowed, it is a connection that the pool began to open before.
			back.Store(swallowed.Load() > 0)
		case !back.Load():
			swallowed.Add(1)
			if bytes.Contains(request, []byte("{other}")) {
				tried.Add(1)
			}
			return redistest.Swallow
		}
		return redistest.Pass
	})
	callers.Go(func() { _, _ = backends.TryAcquire(b.ctx, c, mutex("lane", time.Minute)) })
	<-taken // the caller's own connection: others take those of the pool
	b.acquire(c, mutex("other", time.Minute))
	// A command of the client's own may have been the one that told of the others.
	if n := tried.Load(); n > 1 || swallowed.Load() == 0 {
		t.Errorf("the call was sent on %d of the silent connections, want 1", n)
	}
	close(lane)
	callers.Wait()
	p.Judge(nil)
	p.CutAll()
}

// back returns when a fresh client can write.
func (b *bed) back(fresh func() goredis.UniversalClient) {
	b.Helper()
	c := fresh()
	defer c.Close()
	b.until("the server is back", func() bool { return c.Set(b.ctx, b.prefix+"back", "x", time.Minute).Err() == nil })
}

// patient is a client that goes through an outage.
type patient struct {
	*bed
	what   string
	client *redis.Backend
	grant  backends.Grant
}

const crowd = 8 // callers of each client, so that it opens connections of every kind

func (b *bed) patient(what string, c *redis.Backend) *patient {
	x := &patient{bed: b, what: what, client: c}
	b.until("all is well before the outage", func() (ok bool) {
		var err error
		x.grant, err = backends.Acquire(b.ctx, c, mutex("held "+what, time.Minute))
		return err == nil && b.renew(c, x.grant, time.Minute).Err == nil
	})
	x.crowd(func(name string) {
		b.until("all is well before the outage", func() bool {
			g, err := backends.Acquire(b.ctx, c, mutex(name, time.Minute))
			return err == nil && backends.Release(b.ctx, c, g) == nil
		})
	})
	return x
}

// crowd runs f in several callers at the same time, each with a name of its own.
func (x *patient) crowd(f func(name string)) {
	var callers sync.WaitGroup
	for i := range crowd {
		callers.Go(func() { f(fmt.Sprint(x.what, " ", i)) })
	}
	callers.Wait()
}

// suffer makes more acquires than the client has connections. A short deadline or a cancellation
// ends each that the server does not answer.
func (x *patient) suffer() {
	x.crowd(func(name string) {
		for i := range 16 {
			ctx, cancel := context.WithTimeout(x.ctx, 15*time.Millisecond)
			if i%2 == 0 {
				ctx, cancel = context.WithCancel(x.ctx)
				time.AfterFunc(15*time.Millisecond, cancel)
			}
			if g, err := backends.TryAcquire(ctx, x.client, mutex(name, time.Minute)); err == nil {
				_ = backends.Release(ctx, x.client, g)
			}
			cancel()
		}
	})
}

// recover checks that every call succeeds within enough tries.
func (x *patient) recover() {
	begin := time.Now()
	x.crowd(func(name string) {
		x.soon("acquire and release", func() error {
			g, err := backends.Acquire(x.ctx, x.client, mutex(name, time.Minute))
			if err != nil {
				return err
			}
			return backends.Release(x.ctx, x.client, g)
		})
	})
	x.Logf("a client %s has recovered after %v", x.what, time.Since(begin).Round(time.Millisecond))
	x.soon("renew", func() error {
		err := x.renew(x.client, x.grant, time.Minute).Err
		if errors.Is(err, backends.ErrLost) { // the server has lost its data
			return nil
		}
		return err
	})
}

// soon checks that try succeeds within enough tries. A timeout of a hasty client, in a read or a dial,
// does not count as a try: a late answer of a busy machine proves nothing.
func (x *patient) soon(what string, try func() error) {
	var err error
	for n := 0; n < enough && x.ctx.Err() == nil; n++ {
		if err = try(); err == nil {
			return
		}
		var timeout net.Error
		if x.what == hasty && errors.As(err, &timeout) && timeout.Timeout() {
			n--
		}
	}
	x.Errorf("a client %s cannot %s with %d tries: %v", x.what, what, enough, err)
}

func each(xs []*patient, f func(*patient)) {
	var wg sync.WaitGroup
	for _, x := range xs {
		wg.Go(func() { f(x) })
	}
	wg.Wait()
}
