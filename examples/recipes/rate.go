package recipes

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// FiveAtATime waits until fewer than five calls run, on all machines that share a store, and calls
// fn.
func FiveAtATime(ctx context.Context, locks *manager.Manager, fn func(context.Context) error) error {
	return locks.Semaphore("geocoder", 5).Permits(1).Do(ctx, fn)
}

// FiveASecond waits until fewer than five calls were let in within the last second, on all machines
// that share a store, and calls fn.
func FiveASecond(ctx context.Context, locks *manager.Manager, fn func(context.Context) error) error {
	return locks.Semaphore("mail", 5).Permits(1).Do(ctx, fn, manager.HoldAtLeast(time.Second))
}
