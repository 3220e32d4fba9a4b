package lkgocron

import (
	"context"
	"sync"

	"github.com/go-co-op/gocron/v2"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
)

// A Locker locks the names of jobs. Make it with New. It is safe for concurrent use, and one may
// serve several schedulers.
type Locker struct {
	m    *manager.Manager
	opts []manager.AcquireOption
	runs sync.Map // context of a job → *run, the latest
}

var _ gocron.Locker = (*Locker)(nil)

// New returns a Locker for gocron.WithDistributedLocker and gocron.WithDistributedJobLocker. Each
// lock is acquired with opts. The error is a *manager.InvalidError: m was not made by manager.New.
// Bad options fail each Lock.
func New(m *manager.Manager, opts ...manager.AcquireOption) (*Locker, error) {
	if err := made(m); err != nil {
		return nil, err
	}
	return &Locker{m: m, opts: opts}, nil
}

func made(m *manager.Manager) error {
	if m == nil || m.Stats().Time.IsZero() {
		return &manager.InvalidError{Field: "manager", Value: "zero", Want: "one made by New"}
	}
	return nil
}

// run is a job under its lock.
type run struct {
	of     *Locker
	job    context.Context // of the job: the key in runs
	lease  *manager.Lease
	ctx    context.Context
	cancel context.CancelFunc
}

// Lock tries the lock called key. gocron skips this run of the job if it fails.
func (l *Locker) Lock(ctx context.Context, key string) (gocron.Lock, error) {
	lease, err := l.m.Lock(key).TryAcquire(ctx, l.opts...)
	if err != nil {
		return nil, err
	}
	r := &run{of: l, job: ctx, lease: lease}
	r.ctx, r.cancel = hold.Context(ctx, lease)
	l.runs.Store(ctx, r)
	return r, nil
}

// Unlock releases the lock. The error is a *manager.LostError if the lock was lost before; gocron
// ignores it. The context does not bound it: see [manager.Lease.Release].
func (r *run) Unlock(context.Context) error {
	// A run of the same job that began after a loss has taken the place in the map, and keeps it.
	r.of.runs.CompareAndDelete(r.job, r)
	err := r.lease.Release()
	r.cancel()
	return err
}

// Context returns the context of a job that runs under a lock of l: ctx, ended also when the lock is
// lost, with a *manager.LostError as its cause, and when gocron has released the lock. The ctx is the
// one that gocron passes to the job's function. manager.LeaseFrom returns its lease. For a ctx
// without a lock the context has ended, with manager.ErrReleased as its cause.
func (l *Locker) Context(ctx context.Context) context.Context {
	if r, ok := l.runs.Load(ctx); ok {
		return r.(*run).ctx
	}
	var none *manager.Lease
	return none.Context()
}
