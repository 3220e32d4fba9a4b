package manager

import "context"

// leaseContext is a context that ends when its lease does, and says who holds it.
//
// Its Err looks at the clocks: after a pause longer than the lease, the first look says that it is
// lost, although the timer that cancels the context has had no time to run.
type leaseContext struct {
	context.Context
	lease *Lease
}

type ownerKey struct{}

func (c *leaseContext) Value(key any) any {
	if key == (ownerKey{}) {
		return c.lease
	}
	return c.Context.Value(key)
}

func (c *leaseContext) Err() error {
	if err := c.Context.Err(); err != nil {
		return err
	}
	_ = c.lease.Err()
	return c.Context.Err()
}

// String keeps the innards, which change under other goroutines' hands, out of printed contexts.
func (c *leaseContext) String() string { return "lease.Context(" + quote(c.lease.Name()) + ")" }

// Context returns a context with the values of the one given to Acquire, but not its end: it ends
// when the lease does, and context.Cause tells why, with ErrReleased, ErrDetached or a *LostError. It
// says who its holder is, so that an Acquire with it is known to be nested. The context is made at the first
// call; a lease without one costs less.
func (l *Lease) Context() context.Context {
	core := l.core()
	if core == releasedLease {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(ErrReleased)
		return &leaseContext{ctx, l}
	}
	_ = l.Err() // makes a loss final that only the clocks show so far
	if c := l.ctx.Load(); c != nil {
		return c
	}
	if core.several != nil {
		core.several.heard.Store(true) // before there is a context that somebody could keep
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(l.from))
	if core.inner.CompareAndSwap(nil, &inner{ctx, cancel}) {
		// A lease that ended before the swap has not cancelled this context.
		if err := core.endedBy(); err != nil {
			cancel(err)
		}
	} else {
		cancel(nil)
	}
	l.ctx.CompareAndSwap(nil, &leaseContext{core.inner.Load().Context, l})
	return l.ctx.Load()
}

// LeaseFrom returns the lease that ctx comes from: that of the innermost enclosing [Claim.Do] or
// [Lease.Context]. A function that runs in Do finds its fencing token this way. The lease may have
// ended since. LeaseFrom returns nil if ctx is nil or comes from no lease.
func LeaseFrom(ctx context.Context) *Lease {
	if ctx == nil {
		return nil
	}
	l, _ := ctx.Value(ownerKey{}).(*Lease)
	return l
}

// holder returns the innermost lease that ctx says its owner holds, nil if none. Leases that have
// ended are skipped, so that a chain of contexts made one from another does not keep them all.
func holder(ctx context.Context) *lease {
	l := LeaseFrom(ctx).core()
	if l == releasedLease {
		return nil
	}
	for l != nil && l.end.Load() != nil {
		l = l.outer
	}
	return l
}
