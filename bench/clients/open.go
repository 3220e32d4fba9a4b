package clients

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/harness"
)

// The libraries.
const (
	File        = "lockkeeper file"
	Flock       = "gofrs/flock"
	Redis       = "lockkeeper redis"
	RedisLock1  = "redislock 1 ms"
	RedisLock   = "redislock 100 ms"
	Redsync     = "redsync"
	RueidisLock = "rueidislock"
	Postgres    = "lockkeeper postgres"
	Advisory    = "pg_advisory_lock"
	PgLock      = "pglock"
	PgLock1     = "pglock 1 s"
	River       = "river's leader row"
)

// Spec names a lock.
type Spec struct {
	Library string
	Store   string // a directory, the address of a Redis server, or the DSN of a database
	Name    string
	Strict  bool   // ours: no hand-off within the process while another one waits
	TTL     string // as time.ParseDuration reads it; empty: ten seconds

	Deaf     bool          // ours over PostgreSQL: no listener
	IdleHold time.Duration // ours: how long the process keeps the lock unused
}

// Client is one process's access to a lock.
type Client struct {
	Handle func() harness.Guard // a handle for one goroutine
	Close  func() error
}

// Loop opens a client whose lock the loop acquires and releases n times, one after the other.
func Loop(ctx context.Context, s Spec) (loop func(ctx context.Context, n int) error, shut func() error, err error) {
	c, err := Open(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	g := c.Handle()
	return func(ctx context.Context, n int) error {
		for range n {
			if err := g.Acquire(ctx); err != nil {
				return err
			}
			if err := g.Release(); err != nil {
				return err
			}
		}
		return nil
	}, c.Close, nil
}

// Open connects to the store of the lock.
func Open(ctx context.Context, s Spec) (Client, error) {
	switch s.Library {
	case File, Redis, Postgres:
		return openOurs(s)
	case Flock:
		return openFlock(s)
	case RedisLock1, RedisLock:
		return openRedisLock(s)
	case Redsync:
		return openRedsync(s)
	case RueidisLock:
		return openRueidisLock(s)
	case Advisory:
		return openAdvisory(ctx, s)
	case PgLock, PgLock1:
		return openPgLock(s)
	case River:
		return openRiver(ctx, s)
	default:
		return Client{}, fmt.Errorf("no library %q", s.Library)
	}
}
