//go:build linux

package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// Redis is the store on a single Redis server, with a log of its data.
func Redis() Store {
	return Store{
		Name:   "redis",
		Faults: redisFaults,
		Open: func(c Config, address string) (backends.Backend, error) {
			return openRedis(c, goredis.NewClient(&goredis.Options{Addr: address}))
		},
		Start: func(s *Stage, c Config) Bed {
			b := &redisBed{stage: s, ttl: c.TTL, clock: preloadtest.NewClock(s), disk: preloadtest.NewDisk(s)}
			b.server = redistest.StartWith(s, preloadtest.Env(b.clock, b.disk), "--appendonly", "yes")
			for range c.Processes {
				b.proxies = append(b.proxies, b.server.NewProxy(s))
			}
			b.client = b.server.ClientOf(s, &goredis.Options{MaxRetries: 20, MaxRetryBackoff: 100 * time.Millisecond})
			return b
		},
	}
}

// openRedis opens the store with a client, which is closed with it.
func openRedis(c Config, client goredis.UniversalClient) (backends.Backend, error) {
	b, err := redis.New(client, redis.WithHeartbeat(c.Heartbeat))
	if err != nil {
		return nil, err
	}
	return &intercept.Backend{Backend: b, OnClose: func(ctx context.Context, end intercept.Close) error {
		return errors.Join(end(ctx), client.Close())
	}}, nil
}

// silent drops the messages of the client library about dials that fail.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// redisBed is a server, with a proxy for each place of a worker.
type redisBed struct {
	stage   *Stage
	server  *redistest.Server
	proxies []*redistest.Proxy
	client  *goredis.Client
	ttl     time.Duration
	clock   *preloadtest.Clock
	ahead   time.Duration // of the system's clock
	disk    *preloadtest.Disk
}

func (b *redisBed) Address(place int) string {
	if place < 0 {
		return b.server.Addr
	}
	return b.proxies[place].Addr
}

func (b *redisBed) Cause(s Step) {
	ctx := context.Background()
	proxy := b.proxies[s.Target]
	switch s.Fault.Name {
	case "restart":
		b.server.Restart(b.stage)
	case "restart-empty":
		b.server.Kill()
		if err := os.RemoveAll(filepath.Join(b.server.Dir(), "appendonlydir")); err != nil {
			b.stage.Fatal(err)
		}
		b.server.Restart(b.stage)
	case "script-flush":
		b.must(b.client.ScriptFlush(ctx).Err())
	case "flushall":
		b.must(b.client.FlushAll(ctx).Err())
	case "client-pause":
		b.must(b.client.ClientPause(ctx, s.For).Err())
		Pause(s.For)
	case "reset":
		for _, p := range b.proxies {
			p.CutAll()
		}
	case "black-hole":
		proxy.BlackHole()
		Pause(s.For)
		b.pass(proxy)
	case "slow-link":
		proxy.Delay(s.For/16, s.For/16)
		Pause(s.For)
		proxy.Delay(0, 0)
	case "fading-link": // a renewal has its answer in time
		b.fade(proxy, b.ttl/8, s.For)
	case "late-link":
		b.fade(proxy, b.ttl/4, s.For)
	case "lost-replies":
		proxy.Judge(func([]byte) redistest.Verdict {
			if rand.IntN(4) == 0 {
				return redistest.DropReply
			}
			return redistest.Pass
		})
		Pause(s.For)
		proxy.Judge(nil)
	case "max-clients":
		b.full(ctx, s.For)
	case "full-disk":
		b.disk.Fill(b.stage)
		Pause(s.For)
		b.disk.Empty(b.stage)
		for b.client.Set(ctx, "torture:room", "", time.Second).Err() != nil { // it tries once a second
			Pause(10 * time.Millisecond)
		}
	case "clock-back":
		b.step(-s.For)
	case "clock-ahead":
		b.step(s.For)
	case "eviction":
		b.evict(ctx, s.For)
	default:
		panic("bug: no fault of Redis is called " + s.Fault.Name)
	}
}

// step sets the clock of the server.
func (b *redisBed) step(d time.Duration) {
	b.ahead += d
	b.clock.Set(b.stage, b.ahead)
}

// full has the server take no connections, and cuts those that are there.
func (b *redisBed) full(ctx context.Context, d time.Duration) {
	conn := b.client.Conn()
	defer conn.Close()
	set := func(n string) { b.must(conn.Do(ctx, "CONFIG", "SET", "maxclients", n).Err()) }
	b.must(conn.Ping(ctx).Err())
	set("1")
	for _, kind := range []string{"normal", "pubsub"} {
		b.must(conn.Do(ctx, "CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes").Err())
	}
	Pause(d)
	set("10000")
}

// fade has answers come late by so much, and then none at all.
func (b *redisBed) fade(p *redistest.Proxy, late, d time.Duration) {
	p.Delay(0, late)
	Pause(d / 2)
	p.BlackHole()
	p.Delay(0, 0)
	Pause(d / 2)
	b.pass(p)
}

// pass has a proxy pass everything again; what was swallowed is cut, as by a network that has
// forgotten the connections.
func (b *redisBed) pass(p *redistest.Proxy) {
	p.Judge(nil)
	p.CutAll()
}

// evict leaves the server no memory while it allows it to evict any key.
func (b *redisBed) evict(ctx context.Context, d time.Duration) {
	b.must(b.client.ConfigSet(ctx, "maxmemory-policy", "allkeys-random").Err())
	b.must(b.client.ConfigSet(ctx, "maxmemory", "1mb").Err()) // less than it has
	Pause(d)
	b.must(b.client.ConfigSet(ctx, "maxmemory", "0").Err())
	b.must(b.client.ConfigSet(ctx, "maxmemory-policy", "noeviction").Err())
}

func (b *redisBed) must(err error) {
	if err != nil {
		b.stage.Fatal(err)
	}
}

// left returns keys that never expire, subscriptions, and names that have holders or waiters.
func (b *redisBed) Left() []string {
	ctx := context.Background()
	var left []string
	keys, err := b.client.Keys(ctx, "*").Result()
	b.must(err)
	for _, key := range keys {
		if ttl := b.client.TTL(ctx, key).Val(); ttl < 0 && ttl != -2 {
			left = append(left, "key without an end: "+key)
		}
	}
	channels, err := b.client.PubSubChannels(ctx, "*").Result()
	b.must(err)
	if len(channels) > 0 {
		left = append(left, "subscriptions: "+strings.Join(channels, " "))
	}
	clients, err := b.client.ClientList(ctx).Result()
	b.must(err)
	if n := strings.Count(clients, "\n"); n > 8 {
		left = append(left, fmt.Sprintf("%d connections:\n%s", n, clients))
	}
	return append(left, InUse(func() (backends.Backend, error) {
		return Redis().Open(Defaults(), b.server.Addr)
	})...)
}

// Pause lets time pass, which is what a fault takes.
func Pause(d time.Duration) { <-time.After(d) }
