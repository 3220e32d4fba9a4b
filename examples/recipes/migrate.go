package recipes

import (
	"context"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Migrate is what each process calls when it starts: one of them migrates, the others wait. Then it
// is their turn, and migrate finds nothing left to do. The context of migrate ends if the lock is
// lost.
func Migrate(
	ctx context.Context, locks *manager.Manager, migrate func(context.Context) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	return locks.Lock("migrate/shop").Do(ctx, migrate)
}
