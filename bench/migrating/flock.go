package migrating

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/lockkeeper/lockkeeper/manager"
)

func flockBefore(ctx context.Context, dir string, work func() error) (err error) {
	f := flock.New(filepath.Join(dir, "report.lock"))
	if ok, err := f.TryLockContext(ctx, 10*time.Millisecond); !ok {
		return err
	}
	defer func() { err = errors.Join(err, f.Unlock()) }()
	return work()
}

// flockAfter has a manager over open.Store(ctx, dir).
func flockAfter(ctx context.Context, locks *manager.Manager, work func() error) error {
	return locks.Lock("report").Do(ctx, func(context.Context) error { return work() })
}
