package holders

import (
	"context"
	"database/sql"
	"errors"

	"cirello.io/pglock"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

type pglockLocker struct {
	db   *sql.DB
	c    *pglock.Client
	name string
}

// openPgLock has the lease and the heartbeat in the ratio of its documentation.
func openPgLock(s Spec) (Locker, error) {
	cfg, err := pgx.ParseConfig(s.Store)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg)
	c, err := pglock.UnsafeNew(db, pglock.WithLeaseDuration(s.TTL), pglock.WithHeartbeatFrequency(s.renewal()))
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return pglockLocker{db, c, s.Name}, nil
}

// Acquire has the lock held by [pglock.Client.Do], whose function gets a context that ends when the lock is lost. The
// context given to Do is that of the heartbeats too, so it is not ctx.
func (p pglockLocker) Acquire(ctx context.Context) (Lease, error) {
	own, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, cancel)
	l := &pglockLease{done: make(chan struct{}), ended: make(chan error, 1)}
	granted := make(chan struct{})
	go func() {
		defer cancel()
		l.ended <- p.c.Do(own, p.name, func(ctx context.Context, held *pglock.Lock) error {
			l.ctx, l.token = ctx, uint64(held.RecordVersionNumber()) //nolint:gosec // from a sequence
			close(granted)
			<-l.done
			return nil
		})
	}()
	select {
	case err := <-l.ended:
		stop()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	case <-granted:
	}
	if !stop() { // granted, and given up at the same time
		return nil, errors.Join(ctx.Err(), l.Release())
	}
	return l, nil
}

func (p pglockLocker) Close() error { return p.db.Close() }

type pglockLease struct {
	ctx   context.Context
	token uint64
	done  chan struct{} // closed by Release
	ended chan error    // what Do returned
}

func (l *pglockLease) Valid() bool   { return l.ctx.Err() == nil }
func (l *pglockLease) Token() uint64 { return l.token }

// Release does not hear whether the lock was released: Do does not say.
func (l *pglockLease) Release() error {
	close(l.done)
	return <-l.ended
}
