package holders

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/etcdd"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// server returns where a library finds its locks. A server that is not installed skips the test, but fails it where CI
// says that it must not.
func server(t *testing.T, library string) string {
	t.Helper()
	var addr string
	var end func() error
	var err error
	switch library {
	case Etcd:
		var s *etcdd.Server
		if s, err = etcdd.Start(t.Context()); err == nil {
			addr, end = s.Addr, s.Close
		}
	case Postgres, PgLock:
		var s *pgtest.Server
		var stop func()
		if s, stop, err = pgtest.Launch(); err == nil {
			addr, end = s.DSN("postgres"), func() error { stop(); return nil }
		}
	default:
		var s *redisd.Server
		if s, err = redisd.Start(t.Context()); err == nil {
			addr, end = s.Addr, s.Close
		}
	}
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("NOTHING about %s is tested here: %v", library, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

func migrate(t *testing.T, dsn string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := postgres.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := clients.PeerTables(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
}

func TestEveryLibraryExcludesAndGrantsAfterARelease(t *testing.T) {
	for _, library := range []string{Redis, Postgres, Redsync, RedisLock, RueidisLock, Etcd, PgLock} {
		t.Run(library, func(t *testing.T) {
			s := Spec{Library: library, Store: server(t, library), Name: "n", TTL: 10 * time.Second}
			if library == Postgres || library == PgLock {
				migrate(t, s.Store)
			}
			one, other := open(t, s), open(t, s)
			first, err := one.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !first.Valid() {
				t.Error("a lease that was just granted is not valid")
			}
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := other.Acquire(ctx); err == nil {
				t.Error("two hold one lock")
			}
			if err := first.Release(); err != nil {
				t.Error(err)
			}
			second, err := other.Acquire(t.Context())
			if err != nil {
				t.Fatalf("after the release: %v", err)
			}
			if a, b := first.Token(), second.Token(); a != 0 && b <= a {
				t.Errorf("token %d after %d", b, a)
			}
			if err := second.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}

func open(t *testing.T, s Spec) Locker {
	t.Helper()
	l, err := Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestUnknownLibraryIsRefused(t *testing.T) {
	if _, err := Open(Spec{Library: "nosuch"}); err == nil {
		t.Error("opened")
	}
}
