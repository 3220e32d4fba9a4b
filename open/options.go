package open

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lockkeeper/lockkeeper/backends"
)

// An Option changes how a store is opened. Options are made by the With functions.
type Option struct{ apply func(*config) }

type config struct {
	clientLog *slog.Logger
	keepLog   bool
}

func newConfig(opts []Option) (c config, err error) {
	for _, o := range opts {
		if o.apply == nil {
			return c, &backends.InvalidError{Field: "option", Value: "zero", Want: "one made by a With function"}
		}
		o.apply(&c)
	}
	return c, nil
}

// WithClientLog sends the log of the Redis client library to l, at the level Warn. If l is nil, the
// library logs to the logger that the program has set by redis.SetLogger of go-redis, or to standard
// error. Default: no log. A failure that matters to a caller is the error of its call.
//
// The library has one logger for the process. The first Redis store that is opened without a nil l
// replaces that logger, and each later one decides anew. So a program that has set a logger of its
// own passes nil.
func WithClientLog(l *slog.Logger) Option {
	return Option{func(c *config) { c.clientLog, c.keepLog = l, l == nil }}
}

// clientLog is where the library's logger writes, once it is ours. The library's own variable is
// not safe to write while clients run. So it is set once, before the first client of this package.
var (
	clientLog atomic.Pointer[slog.Logger] // nil: nowhere
	replace   sync.Once
)

func (c *config) setClientLog() {
	if c.keepLog {
		return
	}
	clientLog.Store(c.clientLog)
	replace.Do(func() { goredis.SetLogger(libraryLog{}) })
}

// libraryLog is the library's logger.
type libraryLog struct{}

func (libraryLog) Printf(ctx context.Context, format string, v ...any) {
	if l := clientLog.Load(); l != nil {
		l.WarnContext(ctx, fmt.Sprintf(format, v...), "client", "go-redis")
	}
}
