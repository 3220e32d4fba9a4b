package holders

import (
	"context"
	"errors"
	"time"

	"github.com/bsm/redislock"
	goredis9 "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/bench/clients"
)

// backoff is how often a waiter of redislock looks, as in its documentation.
const backoff = 100 * time.Millisecond

type redislockLocker struct {
	client *goredis9.Client
	locker *redislock.Client
	spec   Spec
}

func openRedisLock(s Spec) (Locker, error) {
	c := clients.Dial(s.Store)
	return redislockLocker{c, redislock.New(c), s}, nil
}

func (r redislockLocker) Acquire(ctx context.Context) (Lease, error) {
	for {
		l, err := r.locker.Obtain(ctx, r.spec.Name, r.spec.TTL, &redislock.Options{
			RetryStrategy: redislock.LinearBackoff(backoff),
		})
		if err == nil {
			return &redislockLease{l, renew(r.spec.renewal(), func(ctx context.Context) error {
				return l.Refresh(ctx, r.spec.TTL, nil)
			})}, nil
		}
		gaveUp := errors.Is(err, redislock.ErrNotObtained) || errors.Is(err, context.DeadlineExceeded)
		if ctx.Err() != nil || !gaveUp {
			return nil, err
		}
	}
}

func (r redislockLocker) Close() error { return r.client.Close() }

type redislockLease struct {
	l *redislock.Lock
	*renewer
}

func (l *redislockLease) Release() error {
	l.stop()
	return l.l.Release(context.Background())
}
