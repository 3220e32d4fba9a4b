package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Every error names the call and its resource once.
func TestErrorsOfAManagerSayEachThingOnce(t *testing.T) {
	t.Parallel()
	b := newBed(t, redistest.Start(t))
	client := b.server.ClientOf(t, &goredis.Options{MaxRetries: -1})
	over := func(opts ...redis.Option) *manager.Manager {
		c := open(t, client, append(opts, redis.WithPrefix(b.prefix))...)
		m, err := manager.New(c, manager.WithTTL(2*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, other := over(), over()
	const name = "zebra"
	once := func(op string, want error, err error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", op, err, want)
			return
		}
		for _, word := range []string{name, op, "redis:", want.Error()} {
			if n := strings.Count(err.Error(), word); n > 1 || n < 1 && word == name {
				t.Errorf("%q stands %d times in %q", word, n, err)
			}
		}
	}
	l, err := m.Lock(name).Acquire(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Lock(name).TryAcquire(b.ctx)
	once("acquire", backends.ErrBusy, err)
	_, err = other.Semaphore(name, 3).Permits(1).TryAcquire(b.ctx)
	once("acquire", backends.ErrMismatch, err)
	if err := other.Break(b.ctx, name); err != nil {
		t.Fatal(err)
	}
	once("release", backends.ErrLost, l.Release())
	if l, err = m.Lock(name).Acquire(b.ctx); err != nil {
		t.Fatal(err)
	}
	blind := redistest.Start(t, "--rename-command", "EVALSHA", "")
	lame, err := manager.New(open(t, blind.Client(t)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = lame.Lock(name).Acquire(b.ctx) // the server repeats the command
	once("acquire", backends.ErrUnavailable, err)
	b.server.Kill()
	once("release", backends.ErrUnavailable, l.Release())
	_, err = other.Lock(name).Acquire(b.ctx)
	once("acquire", backends.ErrUnavailable, err)
	_, err = other.Inspect(b.ctx, name)
	once("inspect", backends.ErrUnavailable, err)
	once("break", backends.ErrUnavailable, other.Break(b.ctx, name))
	ctx, cancel := context.WithTimeout(b.ctx, time.Nanosecond)
	defer cancel()
	_, err = other.Lock(name).Acquire(ctx)
	once("acquire", context.DeadlineExceeded, err)
}
