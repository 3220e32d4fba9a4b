package lkgoose

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/pressly/goose/v3/lock"

	"github.com/lockkeeper/lockkeeper/manager"
)

// A Locker locks the migrations of one provider. Make it with New. It is both of goose's kinds of
// locker, which do the same here: the lock is not in the database, so it needs no session.
type Locker struct {
	claim  manager.Claim
	opts   []manager.AcquireOption
	cancel context.CancelCauseFunc // of the context that New returned
	held   atomic.Pointer[held]
}

var (
	_ lock.Locker        = (*Locker)(nil)
	_ lock.SessionLocker = (*Locker)(nil)
)

// held is a lease and what stops the watch on its end.
type held struct {
	lease *manager.Lease
	stop  func() bool
}

// New returns a Locker for goose.WithLocker or goose.WithSessionLocker, and a context for the methods
// of the provider. The context is ctx, ended also when the lock is lost during a migration; make a
// new Locker after that. Call cancel when the provider is not used any more. Processes that migrate
// the same database use claims of the same name. The Locker acquires the claim with opts.
func New(
	ctx context.Context, c manager.Claim, opts ...manager.AcquireOption,
) (*Locker, context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	return &Locker{claim: c, opts: opts, cancel: cancel}, ctx, func() { cancel(nil) }
}

// Lock waits for the lock until ctx ends. The error is that of [manager.Claim.Acquire]; then the lock
// is not held. Lock does not use the database.
func (l *Locker) Lock(ctx context.Context, _ *sql.DB) error {
	lease, err := l.claim.Acquire(ctx, l.opts...)
	if err != nil {
		return err
	}
	of := lease.Context()
	l.held.Store(&held{lease, context.AfterFunc(of, func() {
		if cause := context.Cause(of); errors.Is(cause, manager.ErrLost) { // else it was released
			l.cancel(cause)
		}
	})})
	return nil
}

// Unlock releases the lock. The error is that of [manager.Lease.Release]: a *manager.LostError if the
// lock was lost before. It is manager.ErrReleased if the lock was not held.
func (l *Locker) Unlock(context.Context, *sql.DB) error {
	h := l.held.Swap(nil)
	if h == nil {
		return manager.ErrReleased
	}
	err := h.lease.Release()
	h.stop()
	return err
}

// SessionLock is Lock. It does not use the connection.
func (l *Locker) SessionLock(ctx context.Context, _ *sql.Conn) error { return l.Lock(ctx, nil) }

// SessionUnlock is Unlock.
func (l *Locker) SessionUnlock(ctx context.Context, _ *sql.Conn) error { return l.Unlock(ctx, nil) }
