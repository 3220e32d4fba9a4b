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
	"github.com/lockkeeper/lockkeeper/internal/preloadtest"
	"github.com/lockkeeper/lockkeeper/internal/redistest"
	"github.com/lockkeeper/lockkeeper/internal/torture"
)

// faults are those of a PostgreSQL server and of the way to it. A crash and a promotion lose only
// grants that are over before anything is granted again.
var faults = []torture.Fault{
	{Name: "terminate", Text: "pg_terminate_backend of all connections"},
	{Name: "immediate-stop", Text: "the server is stopped as by a crash, and started again", Behind: true},
	{Name: "fast-stop", Text: "the server is shut down and started again"},
	{Name: "locked-table", Text: "another transaction locks a table for a while", Min: 0.2, Max: 1},
	{Name: "promotion", Text: "the server is stopped as by a crash, and an asynchronous standby is promoted", Behind: true},
	{Name: "full-disk", Text: "the disk of the server is full: it refuses to write, or crashes", Min: 0.3, Max: 1.5, Behind: true},
	{Name: "black-hole", Text: "the connections of a process are silent", Min: 1.2, Max: 3, Link: true},
	{Name: "slow-link", Text: "each way from and to a process takes a while longer", Min: 1, Max: 2, Link: true},
	{Name: "clock-back", Text: "the clock of the server is set back, for good", Min: 0.5, Max: 1.5, Back: true},
	{Name: "clock-ahead", Text: "the clock of the server is set ahead by more than the time to live, for good", Min: 1, Max: 3, Outside: true, Reach: torture.ClockReach, Why: "grants that are over by that clock"},
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
		Start: func(s *torture.Stage, c torture.Config) torture.Bed {
			b := &bed{stage: s, clock: preloadtest.NewClock(s), disk: preloadtest.NewDisk(s)}
			b.server = pgtest.StartWith(s, preloadtest.Env(b.clock, b.disk))
			b.standby = b.server.Standby(s, b.server.Addr)
			for range c.Processes {
				b.proxies = append(b.proxies, (&redistest.Server{Addr: b.server.Addr}).NewProxy(s))
			}
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

// bed is a server with a standby, and a proxy for each place of a worker.
type bed struct {
	stage           *torture.Stage
	server, standby *pgtest.Server
	proxies         []*redistest.Proxy
	clock           *preloadtest.Clock
	ahead           time.Duration // of the system's clock
	disk            *preloadtest.Disk
}

func (b *bed) Address(place int) string {
	if place < 0 {
		return b.server.DSN(database)
	}
	return (&pgtest.Server{Addr: b.proxies[place].Addr}).DSN(database)
}

const database = "postgres"

// do runs f with a connection of its own.
func (b *bed) do(f func(conn *pgx.Conn) error) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, b.Address(-1))
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
	case "promotion":
		b.promote()
	case "full-disk":
		b.disk.Fill(b.stage)
		torture.Pause(s.For)
		b.disk.Empty(b.stage)
		b.server.Restart(b.stage) // it may have crashed, and have found no room to recover
		b.standby.Restart(b.stage)
		torture.Pause(crashPause)
	case "black-hole":
		p := b.proxies[s.Target]
		p.BlackHole()
		torture.Pause(s.For)
		p.Judge(nil)
		p.CutAll()
	case "slow-link":
		p := b.proxies[s.Target]
		p.Delay(s.For/16, s.For/16)
		torture.Pause(s.For)
		p.Delay(0, 0)
	case "clock-back":
		b.step(-s.For)
	case "clock-ahead":
		b.step(s.For)
	default:
		panic("bug: no fault of PostgreSQL is called " + s.Fault.Name)
	}
}

// promote has the standby take the place of the server, at the same addresses, and makes a new standby.
func (b *bed) promote() {
	b.server.Kill()
	b.standby.Promote(b.stage)
	b.server = b.standby
	for _, p := range b.proxies {
		p.Lead(&redistest.Server{Addr: b.server.Addr})
	}
	torture.Pause(crashPause)
	b.standby = b.server.Standby(b.stage, b.server.Addr)
}

// step sets the clock of the server.
func (b *bed) step(d time.Duration) {
	b.ahead += d
	b.clock.Set(b.stage, b.ahead)
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
	return torture.InUse(func() (backends.Backend, error) { return Postgres().Open(torture.Defaults(), b.Address(-1)) })
}
