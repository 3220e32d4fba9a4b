package recipes

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Turn runs fn unless another host has had this turn, or is still at the one before. Each host calls
// it once in each interval, by its own clock.
func Turn(
	ctx context.Context, locks *manager.Manager, name string, interval time.Duration,
	fn func(context.Context) error,
) (err error) {
	lease, err := locks.Lock(name).TryAcquire(ctx, manager.HoldAtLeast(interval/2))
	if errors.Is(err, manager.ErrBusy) {
		return nil
	} else if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	return fn(lease.Context())
}
