package migrating

import (
	"context"
	"errors"

	"github.com/redis/rueidis/rueidislock"

	"github.com/lockkeeper/lockkeeper/manager"
)

func rueidislockBefore(ctx context.Context, locker rueidislock.Locker, work func(context.Context) error) error {
	held, cancel, err := locker.WithContext(ctx, "report")
	if err != nil {
		return err
	}
	defer cancel()
	return work(held)
}

func rueidislockAfter(ctx context.Context, locks *manager.Manager, work func(context.Context) error) (err error) {
	lease, err := locks.Lock("report").Acquire(ctx) // its context has the values of ctx, but not its end
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	return work(lease.Context())
}
