package manager

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/memory"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// The manager knows no store: what it promises holds over each of them.

func TestStormOverFiles(t *testing.T) { overAStore(t, stores()["file"](t)) }

func TestStormOverRedis(t *testing.T) { overAStore(t, stores()["redis"](t)) }

// stores returns a function for each kind of store, which makes a store and returns a function that
// makes clients of that store.
func stores() map[string]func(t *testing.T) func() backends.Backend {
	return map[string]func(t *testing.T) func() backends.Backend{
		"memory": func(*testing.T) func() backends.Backend {
			m := memory.New()
			return func() backends.Backend { return m.Peer() }
		},
		"file": func(t *testing.T) func() backends.Backend {
			dir := t.TempDir()
			return func() backends.Backend {
				b, err := file.New(dir)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
		},
		"redis": func(t *testing.T) func() backends.Backend {
			server := redistest.Start(t)
			return func() backends.Backend {
				client := goredis.NewClient(&goredis.Options{
					Addr: server.Addr, DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
				})
				t.Cleanup(func() { _ = client.Close() })
				return onRedis(t, client)
			}
		},
	}
}

// patient are options for managers in real time: no lease is lost and no release fails because the
// machine is busy.
var patient = []Option{WithTTL(time.Minute), WithReleaseTimeout(time.Minute)}

func overAStore(t *testing.T, client func() backends.Backend) {
	t.Helper()
	a, b := newManager(t, client(), patient...), newManager(t, client(), patient...)
	rounds := 200
	if testing.Short() || raceEnabled {
		rounds = 40
	}
	storm(t, rounds, a, b)

	l := mustAcquire(t, a.Lock("broken"))
	if err := b.Break(context.Background(), "broken"); err != nil {
		t.Fatal(err)
	}
	<-l.Context().Done()
	wantErr(t, l.Release(), ErrLost)
	next := mustAcquire(t, b.Lock("broken"))
	if next.Token() <= l.Token() {
		t.Errorf("token %d after %d", next.Token(), l.Token())
	}
	mustRelease(t, next)
	used := func(s backends.State) bool { return len(s.Holders)+len(s.Waiters) > 0 }
	for s, err := range a.List(context.Background()) {
		if err != nil || used(s) {
			t.Errorf("the store still knows %+v, %v", s, err)
		}
	}
}

// everyStore is stores and a cluster.
func everyStore() map[string]func(t *testing.T) func() backends.Backend {
	all := stores()
	all["cluster"] = func(t *testing.T) func() backends.Backend {
		cluster := redistest.StartCluster(t, 3, 0)
		return func() backends.Backend {
			client := goredis.NewClusterClient(&goredis.ClusterOptions{
				Addrs: cluster.Addrs(), DialTimeout: time.Minute, ReadTimeout: time.Minute, WriteTimeout: time.Minute,
			})
			t.Cleanup(func() { _ = client.Close() })
			return onRedis(t, client)
		}
	}
	return all
}

func onRedis(t *testing.T, client goredis.UniversalClient) backends.Backend {
	t.Helper()
	b, err := redis.New(client)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
