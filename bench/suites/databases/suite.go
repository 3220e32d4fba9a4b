package databases

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/bench/clients"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
)

// ours is the side that is judged.
const ours = clients.Postgres

// run is what a side runs.
type run = func(context.Context, harness.Budget) (harness.Metrics, error)

// Suite returns the suite. It needs an installed PostgreSQL.
func Suite() harness.Suite {
	return harness.Suite{Name: "postgres", Open: func(ctx context.Context, _ bool) ([]harness.Case, func() error, error) {
		e, err := open(ctx)
		if err != nil {
			return nil, nil, err
		}
		return []harness.Case{
			e.alone("4 s", "not flushed"), e.alone("10 s", "flushed"), e.crowd(1, 64), e.crowd(4, 16),
			e.tenNames(), e.handOff(), e.handOffByHeartbeat(), e.renewal(), e.idle(5000),
		}, e.shut, nil
	}}
}

// env is what the cases share.
type env struct {
	dsn   string
	pool  *pgxpool.Pool // for the benchmark's own questions
	end   func()
	names atomic.Int64
}

func open(ctx context.Context) (_ *env, err error) {
	s, end, err := pgtest.Launch("-c", "fsync=on", "-c", "full_page_writes=on", "-c", "shared_buffers=128MB",
		"-c", "shared_preload_libraries=pg_stat_statements", "-c", "pg_stat_statements.track=top", "-c", "max_connections=300")
	if err != nil {
		return nil, err
	}
	e := &env{dsn: s.DSN("postgres"), end: end}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.shut())
		}
	}()
	if e.pool, err = pgxpool.New(ctx, e.dsn); err != nil {
		return nil, err
	}
	err = e.pool.AcquireFunc(ctx, func(c *pgxpool.Conn) error { return postgres.Migrate(ctx, c.Conn()) })
	if err != nil {
		return nil, err
	}
	if err := clients.PeerTables(ctx, e.dsn); err != nil {
		return nil, err
	}
	_, err = e.pool.Exec(ctx, `CREATE EXTENSION pg_stat_statements;
		CREATE FUNCTION nothing() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN 1; END';
		CREATE TABLE written (n bigint); INSERT INTO written VALUES (0);
		CREATE FUNCTION something() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN UPDATE written SET n = n + 1; RETURN 1; END'`,
		pgx.QueryExecModeSimpleProtocol)
	return e, err
}

func (e *env) shut() error {
	if e.pool != nil {
		e.pool.Close()
	}
	e.end()
	return nil
}

// spec names a lock that nobody has used before.
func (e *env) spec(library string) clients.Spec {
	return clients.Spec{Library: library, Store: e.dsn, Name: fmt.Sprintf("bench%d", e.names.Add(1))}
}

// sent returns how many statements the clients of a side have sent: ours call functions of the schema,
// and those of others are all that neither we nor this benchmark send, transactions included.
func (e *env) sent(ctx context.Context, side string) (n int64, err error) {
	which := `query ~ '^SELECT.* lockkeeper\.[a-z]+\(' AND query !~ 'lockkeeper\.format'`
	if side != ours {
		which = `query !~ 'lockkeeper\.|pg_stat_statements|pg_locks'`
	}
	err = e.pool.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE `+which).Scan(&n)
	return n, err
}

// waiters returns how many requests wait.
func (e *env) waiters(ctx context.Context) (n int, err error) {
	err = e.pool.QueryRow(ctx, `SELECT count(*) FROM lockkeeper.requests WHERE token IS NULL AND place > 0`).Scan(&n)
	return n, err
}

// queued returns when a request waits.
func (e *env) queued(ctx context.Context) error {
	for {
		n, err := e.waiters(ctx)
		if err != nil || n > 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}
