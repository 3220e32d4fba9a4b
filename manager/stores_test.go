package manager

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
)

// The manager knows no store: what it promises holds over each of them.

func TestStormOverFiles(t *testing.T) {
	dir := t.TempDir()
	open := func() *Manager {
		b, err := file.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		return newManager(t, b)
	}
	overAStore(t, open)
}

func TestStormOverRedis(t *testing.T) {
	server := redistest.Start(t)
	open := func() *Manager {
		client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
		t.Cleanup(func() { _ = client.Close() })
		b, err := redis.New(client)
		if err != nil {
			t.Fatal(err)
		}
		return newManager(t, b)
	}
	overAStore(t, open)
}

func overAStore(t *testing.T, open func() *Manager) {
	t.Helper()
	a, b := open(), open()
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
