package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/etcdd"
	"github.com/lockkeeper/lockkeeper/bench/holders"
	"github.com/lockkeeper/lockkeeper/bench/redisd"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// store is a server that locks are in.
type store struct {
	addr    string
	at      func(addr string) string // what a library opens, if the server is reached at addr
	restart func(ctx context.Context, away time.Duration) error

	// left counts what the store has of a name: keys that stay for longer than passing, or rows.
	left func(ctx context.Context, name string) (int, error)

	// waiting counts the waiters in the queue of a name; nil if there is no queue in the store.
	waiting func(ctx context.Context, name string) (int, error)

	single bool // all waiters of a process have one place in the queue
}

// passing is for how long a key is not left behind: for a minute ours notes which cancelled acquires must not take
// effect if they still come. What is held has an expiry, too, and is found by the next acquire.
const passing = 62 * time.Second

// env is what the cases share.
type env struct {
	libraries []string
	stores    map[string]store // by library
	shuts     []func() error
}

// names makes each lock one that nobody has used before.
var names atomic.Int64

func name() string { return fmt.Sprintf("fault%d", names.Add(1)) }

func open(ctx context.Context, quick bool) (_ *env, err error) {
	e := &env{libraries: libraries, stores: map[string]store{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.shut())
		}
	}()
	if err := e.openRedis(ctx); err != nil {
		return nil, err
	}
	if err := e.openPostgres(ctx); err != nil {
		return nil, err
	}
	if quick {
		e.libraries = libraries[:ours]
		return e, nil
	}
	return e, e.openEtcd(ctx)
}

func (e *env) shut() error {
	var errs []error
	for i := len(e.shuts) - 1; i >= 0; i-- {
		errs = append(errs, e.shuts[i]())
	}
	return errors.Join(errs...)
}

func (e *env) onShut(f func() error) { e.shuts = append(e.shuts, f) }

// openRedis starts a server that has written what it answers.
func (e *env) openRedis(ctx context.Context) error {
	s, err := redisd.Start(ctx, "--appendonly", "yes", "--appendfsync", "always")
	if err != nil {
		return err
	}
	e.onShut(s.Close)
	r := store{
		addr: s.Addr, at: func(addr string) string { return addr }, restart: s.Restart,
		left: func(ctx context.Context, name string) (n int, err error) {
			keys, err := s.Client.Keys(ctx, "*"+name+"*").Result()
			if err != nil {
				return 0, err
			}
			for _, key := range keys {
				if d, err := s.Client.PTTL(ctx, key).Result(); err != nil || d < 0 || d > passing {
					n++
				}
			}
			return n, nil
		},
	}
	for _, library := range []string{holders.Redsync, holders.RedisLock, holders.RueidisLock} {
		e.stores[library] = r
	}
	return e.openOurs(holders.Redis, r)
}

// openOurs adds a store that a library of ours uses.
func (e *env) openOurs(library string, s store) error {
	m, shut, err := holders.Manager(holders.Spec{Library: library, Store: s.at(s.addr), TTL: time.Minute})
	if err != nil {
		return err
	}
	e.onShut(shut)
	s.waiting = func(ctx context.Context, name string) (int, error) {
		state, err := m.Inspect(ctx, name)
		return len(state.Waiters), err
	}
	s.single = true
	e.stores[library] = s
	return nil
}

func (e *env) openPostgres(ctx context.Context) error {
	s, end, err := pgtest.Launch("-c", "max_connections=300")
	if err != nil {
		return err
	}
	e.onShut(func() error { end(); return nil })
	const database = "postgres"
	dsn := s.DSN(database)
	pool, err := pgxpool.New(ctx, dsn)
	if err != nil {
		return err
	}
	e.onShut(func() error { pool.Close(); return nil })
	err = pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return postgres.Migrate(ctx, c.Conn()) })
	if err == nil {
		err = clients.PeerTables(ctx, dsn)
	}
	if err != nil {
		return err
	}
	p := store{
		addr: s.Addr,
		at:   func(addr string) string { return strings.Replace(dsn, s.Addr, addr, 1) },
		restart: func(_ context.Context, away time.Duration) error {
			s.Kill()
			time.Sleep(away)
			return s.Relaunch()
		},
		left: func(ctx context.Context, name string) (n int, err error) {
			row := pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM lockkeeper.requests r JOIN lockkeeper.names n
				USING (rid) WHERE n.name = convert_to($1, 'UTF8')) + (SELECT count(*) FROM locks WHERE name = $1)`, name)
			return n, row.Scan(&n)
		},
	}
	e.stores[holders.PgLock] = p
	return e.openOurs(holders.Postgres, p)
}

func (e *env) openEtcd(ctx context.Context) error {
	s, err := etcdd.Start(ctx)
	if err != nil {
		return err
	}
	e.onShut(s.Close)
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Addr}, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	e.onShut(c.Close)
	count := func(ctx context.Context, prefix string) (int, error) {
		r, err := c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			return 0, err
		}
		return int(r.Count), nil
	}
	e.stores[holders.Etcd] = store{
		addr: s.Addr, at: func(addr string) string { return addr }, restart: s.Restart,
		left: func(ctx context.Context, name string) (int, error) { return count(ctx, "/"+name+"/") },
		waiting: func(ctx context.Context, name string) (int, error) {
			n, err := count(ctx, "/"+name+"/")
			return n - 1, err // the first has it
		},
	}
	return nil
}
