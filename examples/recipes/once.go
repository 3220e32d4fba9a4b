package recipes

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Once runs fn unless it has succeeded before, in any process. The others wait for it meanwhile. If
// it fails, the next one tries.
func Once(
	ctx context.Context, locks *manager.Manager, db goredis.UniversalClient, name string,
	fn func(context.Context) error,
) error {
	return locks.Lock("once/"+name).Do(ctx, func(ctx context.Context) error {
		done, err := db.Exists(ctx, "done/"+name).Result()
		if err != nil || done > 0 {
			return err
		}
		if err := fn(ctx); err != nil {
			return err
		}
		return db.Set(ctx, "done/"+name, 1, 0).Err() // a crash before this runs fn again
	})
}
