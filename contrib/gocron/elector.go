package lkgocron

import (
	"context"
	"sync/atomic"

	"github.com/go-co-op/gocron/v2"

	"github.com/lockkeeper/lockkeeper/internal/hold"
	"github.com/lockkeeper/lockkeeper/manager"
	"github.com/lockkeeper/lockkeeper/primitives"
)

// An Elector makes one of many schedulers the leader: the one that holds its lock. Make it with
// NewElector. It is safe for concurrent use.
type Elector struct {
	claim manager.Claim
	opts  []manager.AcquireOption
	one   primitives.Mutex // held to stand for leader, so that no two calls in a process compete
	lease atomic.Pointer[manager.Lease]
}

var _ gocron.Elector = (*Elector)(nil)

// NewElector returns an Elector for gocron.WithDistributedElector. All schedulers that elect a leader
// among them share the name. The lock is acquired with opts. The error is a *manager.InvalidError: m
// was not made by manager.New.
func NewElector(m *manager.Manager, name string, opts ...manager.AcquireOption) (*Elector, error) {
	if err := made(m); err != nil {
		return nil, err
	}
	return &Elector{claim: m.Lock(name), opts: opts}, nil
}

// IsLeader returns nil if this process leads. If it does not lead it tries to, and returns the error
// of the try: manager.ErrBusy if another process leads. A leader stays one: the manager renews the
// lease until Resign, the manager's Close, or its loss.
func (e *Elector) IsLeader(ctx context.Context) error {
	if e.lease.Load().Valid() {
		return nil
	}
	if err := e.one.Lock(ctx); err != nil {
		return err
	}
	defer e.one.Unlock()
	old := e.lease.Load()
	if old.Valid() { // another call was quicker
		return nil
	}
	_ = old.Release() // it is lost, and was reported as such; else it would hold up the try
	l, err := e.claim.TryAcquire(ctx, e.opts...)
	if err != nil {
		return err
	}
	e.lease.Store(l)
	return nil
}

// Resign gives the leadership up. Jobs that run see it by [Elector.Context]; Resign does not wait for
// them, so shut the scheduler down before. The next IsLeader stands for leader again. The error is a
// *manager.LostError if the leadership was lost unnoticed.
func (e *Elector) Resign(ctx context.Context) error {
	if err := e.one.Lock(ctx); err != nil {
		return err
	}
	defer e.one.Unlock()
	if l := e.lease.Swap(nil); l != nil {
		return l.Release()
	}
	return nil
}

// Context returns ctx, ended also when the leadership ends: with a *manager.LostError or
// manager.ErrReleased as its cause, and at once if this process does not lead. manager.LeaseFrom
// returns the lease, whose token is the term. Call the CancelFunc when the job is done.
func (e *Elector) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return hold.Context(ctx, e.lease.Load())
}
