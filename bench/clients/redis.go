package clients

import (
	"context"
	"errors"
	"time"

	"github.com/bsm/redislock"
	"github.com/go-redsync/redsync/v4"
	"github.com/go-redsync/redsync/v4/redis/goredis/v9"
	goredis9 "github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	"github.com/redis/rueidis/rueidislock"

	"github.com/lockkeeper/lockkeeper/backends/redis"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// Dial returns a client as every library but rueidislock uses it, with go-redis's defaults.
func Dial(addr string) *goredis9.Client { return goredis9.NewClient(&goredis9.Options{Addr: addr}) }

// OverRedis returns a manager over Redis, and what closes it and the client.
func OverRedis(s Spec, c *goredis9.Client) (*manager.Manager, func() error, error) {
	b, err := redis.New(c)
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	m, err := manager.New(b, s.options()...)
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return m, func() error { return errors.Join(harness.Within(time.Minute, m.Close), c.Close()) }, nil
}

func openRedisLock(s Spec) (Client, error) {
	backoff := time.Millisecond
	if s.Library == RedisLock {
		backoff = 100 * time.Millisecond
	}
	c := Dial(s.Store)
	locker := redislock.New(c)
	return Client{Close: c.Close, Handle: func() harness.Guard {
		var held *redislock.Lock
		return harness.Guard{
			Acquire: func(ctx context.Context) error {
				return patiently(ctx, func() (err error) {
					held, err = locker.Obtain(ctx, s.Name, s.ttl(), &redislock.Options{RetryStrategy: redislock.LinearBackoff(backoff)})
					return err
				})
			},
			Release: func() error { return held.Release(context.Background()) },
		}
	}}, nil
}

func openRedsync(s Spec) (Client, error) {
	c := Dial(s.Store)
	rs := redsync.New(goredis.NewPool(c))
	return Client{Close: c.Close, Handle: func() harness.Guard {
		m := rs.NewMutex(s.Name, redsync.WithExpiry(s.ttl()))
		return harness.Guard{
			Acquire: func(ctx context.Context) error {
				return patiently(ctx, func() error { return m.LockContext(ctx) })
			},
			Release: func() error {
				_, err := m.Unlock()
				return err
			},
		}
	}}, nil
}

func openRueidisLock(s Spec) (Client, error) {
	l, err := rueidislock.NewLocker(rueidislock.LockerOption{
		ClientOption:   rueidis.ClientOption{InitAddress: []string{s.Store}},
		KeyMajority:    1,
		NoLoopTracking: true,
		KeyValidity:    s.ttl(),
	})
	if err != nil {
		return Client{}, err
	}
	return Client{Close: func() error { l.Close(); return nil }, Handle: func() harness.Guard {
		var release context.CancelFunc
		return harness.Guard{
			Acquire: func(ctx context.Context) (err error) {
				release, err = afresh(ctx, l, s.Name)
				return err
			},
			Release: func() error { release(); return nil },
		}
	}}, nil
}

// stale is how long a waiter of rueidislock may wait for a notice.
const stale = time.Second

// afresh acquires with rueidislock. An attempt of it that ran into its timeout, as happens on a busy machine, leaves waiters
// that nobody will ever wake: such a wait is given up and begun anew. The context must not have a
// deadline instead, which would become the lock's own.
func afresh(ctx context.Context, l rueidislock.Locker, name string) (context.CancelFunc, error) {
	for {
		attempt, cancel := context.WithCancel(ctx)
		late := time.AfterFunc(stale, cancel)
		_, release, err := l.WithContext(attempt, name)
		if err == nil && late.Stop() {
			return func() { release(); cancel() }, nil
		}
		if err == nil { // granted and given up at the same time: the library has let go of it
			release()
		}
		cancel()
		if ctx.Err() != nil || err != nil && !errors.Is(err, context.Canceled) {
			return nil, errors.Join(ctx.Err(), err)
		}
	}
}

// patiently tries again when a library gives up before its caller does.
func patiently(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || ctx.Err() != nil {
			return err
		}
		var taken *redsync.ErrTaken
		if !errors.Is(err, redislock.ErrNotObtained) && !errors.Is(err, context.DeadlineExceeded) &&
			!errors.Is(err, redsync.ErrFailed) && !errors.As(err, &taken) {
			return err
		}
	}
}
