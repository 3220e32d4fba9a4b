// Package holders lets one lock be held by any library, ours or a peer's, in the same way: as a program does that
// follows the library's documentation. The faults that a lock exists for are then the same for all of them.
//
// What a program has to do itself, it does: redsync and redislock do not renew, so a goroutine calls Extend or Refresh
// every third of the time to live, and the holder stops when that fails. Clients have their defaults. A waiter of a
// library that gives up by itself tries again; an error of the connection ends its wait, as in the documentation.
package holders

import (
	"context"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/bench/clients"
)

// The libraries.
const (
	Redis       = "lockkeeper redis"
	Postgres    = "lockkeeper postgres"
	Redsync     = "redsync"
	RedisLock   = "redislock"
	RueidisLock = "rueidislock"
	PgLock      = "pglock"
	Etcd        = "etcd concurrency"
)

// Spec names a lock.
type Spec struct {
	Library string
	Store   string // the address of a Redis server or of etcd, or the DSN of a database
	Name    string
	TTL     time.Duration
}

// Locker is one process's access to one lock.
type Locker interface {
	// Acquire returns when the lock is held, or ctx has ended.
	Acquire(ctx context.Context) (Lease, error)

	Close() error
}

// Lease is the lock while it is held. It is renewed until Release.
type Lease interface {
	// Valid reports whether the holder may go on, as far as the library lets it know without a
	// question to the store.
	Valid() bool

	// Token returns what a resource can refuse a stale holder by: a number that is larger than
	// those of all holders before. It is 0 if the library has none.
	Token() uint64

	Release() error
}

// Open connects to the store of the lock.
func Open(s Spec) (Locker, error) {
	switch s.Library {
	case Redis, Postgres:
		return openOurs(s)
	case Redsync:
		return openRedsync(s)
	case RedisLock:
		return openRedisLock(s)
	case RueidisLock:
		return openRueidisLock(s)
	case PgLock:
		return openPgLock(s)
	case Etcd:
		return openEtcd(s)
	default:
		return nil, fmt.Errorf("no library %q", s.Library)
	}
}

// clients returns the same lock for package clients.
func (s Spec) clients() clients.Spec {
	return clients.Spec{Library: s.Library, Store: s.Store, Name: s.Name, TTL: s.TTL.String()}
}

// renewal is how often a lock is renewed where the program has to do it, or to say how often.
func (s Spec) renewal() time.Duration { return s.TTL / 3 }
