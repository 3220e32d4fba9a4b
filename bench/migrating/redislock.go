package migrating

import (
	"context"
	"errors"
	"time"

	"github.com/bsm/redislock"

	"github.com/lockkeeper/lockkeeper/manager"
)

func redislockBefore(ctx context.Context, locker *redislock.Client, work func() error) (err error) {
	lock, err := locker.Obtain(ctx, "report", 8*time.Second, &redislock.Options{
		RetryStrategy: redislock.LinearBackoff(100 * time.Millisecond),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release(context.WithoutCancel(ctx))) }()
	return work() // calls lock.Refresh in time
}

func redislockAfter(ctx context.Context, locks *manager.Manager, work func() error) (err error) {
	lease, err := locks.Lock("report").Acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	return work() // lease.Valid, lease.Context and lease.Token are there for it
}
