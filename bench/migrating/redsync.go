package migrating

import (
	"context"
	"errors"
	"time"

	"github.com/go-redsync/redsync/v4"

	"github.com/lockkeeper/lockkeeper/manager"
)

func redsyncBefore(ctx context.Context, rs *redsync.Redsync, work func(context.Context) error) (err error) {
	m := rs.NewMutex("report", redsync.WithExpiry(8*time.Second), redsync.WithTries(100))
	if err := m.LockContext(ctx); err != nil {
		return err
	}
	defer func() {
		_, e := m.UnlockContext(context.WithoutCancel(ctx))
		err = errors.Join(err, e)
	}()
	return work(ctx) // ends within 8 s, or calls m.ExtendContext in time
}

func redsyncAfter(ctx context.Context, locks *manager.Manager, work func(context.Context) error) error {
	return locks.Lock("report").Do(ctx, work) // the context of work ends if the lease is lost
}
