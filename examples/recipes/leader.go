package recipes

import (
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/manager"
)

// ErrDeposed says that a later leader has written already.
var ErrDeposed = errors.New("a later leader has written already")

// The comparison and the write are one step of the database. In SQL:
//
//	UPDATE plan SET text = $1, term = $2 WHERE term <= $2
var write = goredis.NewScript(`
	if tonumber(redis.call('HGET', KEYS[1], 'term') or 0) > tonumber(ARGV[2]) then return 0 end
	redis.call('HSET', KEYS[1], 'text', ARGV[1], 'term', ARGV[2])
	return 1`)

// Plan writes plan after plan while this process is the leader. A leader that is paused for so long
// that another one leads does not know it; the database does, and refuses its write.
func Plan(
	ctx context.Context, locks *manager.Manager, db goredis.UniversalClient,
	next func(context.Context) (string, error),
) error {
	return locks.Lead(ctx, "planner", func(ctx context.Context, term uint64) error {
		for {
			text, err := next(ctx)
			if err != nil {
				return err
			}
			done, err := write.Run(ctx, db, []string{"plan"}, text, term).Bool()
			if err != nil {
				return err
			}
			if !done {
				return ErrDeposed
			}
		}
	})
}
