//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/internal/intercept"
	"github.com/lockkeeper/lockkeeper/internal/pgtest"
	"github.com/lockkeeper/lockkeeper/internal/torture"
)

// faults are those of a PostgreSQL server. None loses data: a commit is on disk before its answer.
var faults = []torture.Fault{
	{Name: "terminate", Text: "pg_terminate_backend of all connections"},
	{Name: "immediate-stop", Text: "the server is stopped as by a crash, and started again"},
	{Name: "fast-stop", Text: "the server is shut down and started again"},
	{Name: "locked-table", Text: "another transaction locks a table for a while", Min: 0.2, Max: 1},
}

// Postgres is the store in a database of a PostgreSQL server.
func Postgres() torture.Store {
	return torture.Store{
		Name:   "postgres",
		Faults: faults,
		Open: func(c torture.Config, address string) (backends.Backend, error) {
			pool, err := pgxpool.New(context.Background(), address)
			if err != nil {
				return nil, err
			}
			b, err := postgres.New(pool, postgres.WithHeartbeat(c.Heartbeat))
			if err != nil {
				return nil, err
			}
			return &intercept.Backend{Backend: b, OnClose: func(ctx context.Context, end intercept.Close) error {
				defer pool.Close()
				return end(ctx)
			}}, nil
		},
		Start: func(s *torture.Stage, _ torture.Config) torture.Bed {
			b := &bed{stage: s, server: pgtest.Start(s)}
			b.address = b.server.DSN("postgres")
			b.do(func(conn *pgx.Conn) error {
				ctx := context.Background()
				if err := postgres.Migrate(ctx, conn); err != nil {
					return err
				}
				_, err := conn.Exec(ctx, `UPDATE lockkeeper.conf SET pause = $1`, crashPause.Microseconds())
				return err
			})
			return b
		},
	}
}

// crashPause is how long nothing is granted after a crash: a little more than the time to live.
const crashPause = 1500 * time.Millisecond

type bed struct {
	stage   *torture.Stage
	server  *pgtest.Server
	address string
}

func (b *bed) Address(int) string { return b.address }

// do runs f with a connection of its own.
func (b *bed) do(f func(conn *pgx.Conn) error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, b.address)
	if err == nil {
		err = f(conn)
		_ = conn.Close(ctx)
	}
	if err != nil {
		b.stage.Fatal(err)
	}
}

func (b *bed) Cause(s torture.Step) {
	ctx := context.Background()
	switch s.Fault.Name {
	case "terminate":
		b.do(func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`)
			return err
		})
	case "immediate-stop":
		b.server.Kill()
		b.server.Restart(b.stage)
		torture.Pause(crashPause) // in which nothing is granted
	case "fast-stop":
		b.server.Shutdown()
		b.server.Restart(b.stage)
	case "locked-table":
		b.do(func(conn *pgx.Conn) error { return lock(ctx, conn, s) })
	default:
		panic("bug: no fault of PostgreSQL is called " + s.Fault.Name)
	}
}

// lock locks a table of the schema, as a backup or a migration by hand does: one table, since more
// would make deadlocks with the operations, which the server ends.
func lock(ctx context.Context, conn *pgx.Conn, s torture.Step) error {
	rows, err := conn.Query(ctx, `SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = $1 ORDER BY 1`, postgres.DefaultSchema)
	if err != nil {
		return err
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	table := tables[int(s.At)%len(tables)]
	if _, err := tx.Exec(ctx, "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		return fmt.Errorf("lock %s: %w", table, err)
	}
	torture.Pause(s.For)
	return tx.Rollback(ctx)
}

// Left returns names that have holders or waiters.
func (b *bed) Left() []string {
	return torture.InUse(func() (backends.Backend, error) { return Postgres().Open(torture.Defaults(), b.address) })
}
