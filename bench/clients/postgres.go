package clients

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"cirello.io/pglock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/lockkeeper/lockkeeper/backends/postgres"
	"github.com/lockkeeper/lockkeeper/bench/harness"
	"github.com/lockkeeper/lockkeeper/manager"
)

// OverPostgres returns a manager over a database, and what closes it and the pool.
func OverPostgres(s Spec) (*manager.Manager, func() error, error) {
	pool, err := pgxpool.New(context.Background(), s.Store)
	if err != nil {
		return nil, nil, err
	}
	var opts []postgres.Option
	if s.Deaf {
		opts = append(opts, postgres.WithoutListener())
	}
	b, err := postgres.New(pool, opts...)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	m, err := manager.New(b, s.options()...)
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return m, func() error {
		err := harness.Within(time.Minute, m.Close)
		pool.Close()
		return err
	}, nil
}

// openAdvisory gives every goroutine a connection of its own, as the lock belongs to the session.
func openAdvisory(ctx context.Context, s Spec) (Client, error) {
	var all []*pgx.Conn
	return Client{
		Handle: func() harness.Guard {
			conn, err := pgx.Connect(ctx, s.Store)
			if err != nil {
				return harness.Guard{Acquire: func(context.Context) error { return err }}
			}
			all = append(all, conn)
			return harness.Guard{
				Acquire: func(ctx context.Context) error {
					_, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtextextended($1, 0))", s.Name)
					return err
				},
				Release: func() error {
					_, err := conn.Exec(context.Background(), "SELECT pg_advisory_unlock(hashtextextended($1, 0))", s.Name)
					return err
				},
			}
		},
		Close: func() (err error) {
			for _, conn := range all {
				err = errors.Join(err, conn.Close(context.Background()))
			}
			return err
		},
	}, nil
}

// PeerTables makes the tables that the peers need in a database.
func PeerTables(ctx context.Context, dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*cfg)
	c, err := pglock.UnsafeNew(db)
	if err == nil {
		err = c.CreateTable()
	}
	if err == nil { // as river's migrations do
		_, err = db.ExecContext(ctx, `CREATE UNLOGGED TABLE river_leader (elected_at timestamptz NOT NULL,
			expires_at timestamptz NOT NULL, leader_id text NOT NULL, name text PRIMARY KEY DEFAULT 'default')`)
	}
	return errors.Join(err, db.Close())
}

// openPgLock opens cirello.io/pglock. A waiter of it sleeps for the time of the lease before it looks again.
func openPgLock(s Spec) (Client, error) {
	cfg, err := pgx.ParseConfig(s.Store)
	if err != nil {
		return Client{}, err
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(10)
	db.SetMaxIdleConns(10)
	lease := s.ttl()
	if s.Library == PgLock1 {
		lease = time.Second
	}
	c, err := pglock.UnsafeNew(db, pglock.WithLeaseDuration(lease), pglock.WithHeartbeatFrequency(lease/3))
	if err != nil {
		return Client{}, errors.Join(err, db.Close())
	}
	return Client{Close: db.Close, Handle: func() harness.Guard {
		var held *pglock.Lock
		return harness.Guard{
			Acquire: func(ctx context.Context) error {
				for { // a statement that takes longer than the lease is an error for it
					l, err := c.AcquireContext(ctx, s.Name)
					if err == nil || ctx.Err() != nil {
						held = l
						return ctx.Err()
					}
				}
			},
			Release: func() error {
				for { // as above; and its lease may have ended
					err := c.Release(held)
					if err == nil || errors.Is(err, pglock.ErrLockAlreadyReleased) {
						return nil
					}
					if !errors.Is(err, context.DeadlineExceeded) {
						return err
					}
				}
			},
		}
	}}, nil
}

// openRiver uses the row that makes a client of river the leader, by river's own driver. There is one
// row in a database, and a client that is not elected looks again after five seconds: so it is
// measured alone only.
func openRiver(ctx context.Context, s Spec) (Client, error) {
	pool, err := pgxpool.New(ctx, s.Store)
	if err != nil {
		return Client{}, err
	}
	exec := riverpgxv5.New(pool).GetExecutor()
	id := fmt.Sprintf("bench_%d", os.Getpid())
	return Client{Close: func() error { pool.Close(); return nil }, Handle: func() harness.Guard {
		var held *riverdriver.Leader
		return harness.Guard{
			Acquire: func(ctx context.Context) (err error) {
				held, err = exec.LeaderAttemptElect(ctx, &riverdriver.LeaderElectParams{LeaderID: id, TTL: s.ttl()})
				return err
			},
			Release: func() error {
				_, err := exec.LeaderResign(context.Background(), &riverdriver.LeaderResignParams{
					ElectedAt: held.ElectedAt, LeaderID: id, LeadershipTopic: "river_leadership",
				})
				return err
			},
		}
	}}, nil
}
