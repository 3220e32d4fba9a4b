package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/lockkeeper/lockkeeper/backends"
)

// ErrDetached says that Detach has ended the lease. It wraps ErrReleased.
var ErrDetached = fmt.Errorf("%w: detached", ErrReleased)

var wasDetached = &ending{ErrDetached}

// Detach ends the lease in this process and returns a ticket. [Manager.Adopt] continues the lease
// with it, most likely in another process, under the same token. The resource is never free in
// between: no waiter, of this process or another, is granted it before the adopter releases it.
//
// The lease ends at once: its context is cancelled with the cause [ErrDetached], it is not renewed
// any more, and its Release does nothing and returns nil. The ticket is good for one Adopt, within
// the TTL of this manager ([WithTTL]) from the call on. If no Adopt comes, the resource is free
// then. The minimum of [HoldAtLeast] stays. The limit of [HoldAtMost] ends with the lease; the
// adopter's manager sets its own.
//
// Detach waits for the store until ctx ends, and no longer than the release timeout
// ([WithReleaseTimeout]). The context may be the lease's own.
//
// After an error [Lease.Err] tells whether the lease is still held:
//
//   - *LostError, ErrReleased: the lease had ended before.
//   - ErrUnsupported: the store cannot detach, and the lease is held. (A file store cannot: the
//     kernel frees the lock of a process that ends.)
//   - ErrInvalid: the lease is of an All, whose [Lease.Leases] can be detached one by one, or its
//     grant has other leases ([Claim.Reentrant]). The lease is held.
//   - The error of a ctx that had ended before the call: the lease is held.
//   - Any other error: the lease has ended. It is released if the store can be reached; otherwise
//     the store frees the resource after the TTL at the latest.
func (l *Lease) Detach(ctx context.Context) (Ticket, error) {
	defer runtime.KeepAlive(l) // the keeper must not take it for dropped before it has the message
	c := l.core()
	if err := l.detachable(ctx); err != nil {
		return "", opErr("detach", l.Name(), err)
	}
	if err := l.Err(); err != nil {
		return "", opErr("detach", l.Name(), err)
	}
	k := c.req.k
	d := &departure{lease: c}
	k.mail.Deliver(detach{d})
	d.answer.await(k.m, nil, nil) // for a turn of the keeper, which waits for nothing
	if d.err != nil {
		return "", opErr("detach", k.name, d.err)
	}
	t := newTicket(&d.grant)
	d.err = k.m.callDetach(ctx, backends.Detachment{
		Grant: d.grant, Token: d.token, TTL: k.m.cfg.ttl, Proof: t.proof(),
	})
	d.answer.reset()
	k.mail.Deliver(departed{d})
	d.answer.await(k.m, nil, nil)
	if d.err != nil {
		return "", opErr("detach", k.name, d.err)
	}
	return t, nil
}

// detachable returns an error unless the lease can be detached.
func (l *Lease) detachable(ctx context.Context) error {
	switch c := l.core(); {
	case c == releasedLease:
		return ErrReleased
	case c.req == nil:
		return &InvalidError{Field: "lease", Value: "on several names", Want: "one of its Leases"}
	case !c.req.k.m.caps.Detach:
		return ErrUnsupported
	}
	return backends.Ended(ctx)
}

// departure is a lease on its way out of this process.
type departure struct {
	lease *lease
	grant backends.Grant
	token uint64
	err   error
	answer
}

type (
	detach   struct{ *departure } // the lease ends here; then its caller calls the store
	departed struct{ *departure } // the store's answer
)

// callDetach calls the store until ctx ends, but no longer than a release may take. A ctx that comes
// from the lease has ended with it, so that end does not count. A panic of the store is an error.
func (m *Manager) callDetach(ctx context.Context, d backends.Detachment) (err error) {
	defer recovered(&err)
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.cfg.releaseTimeout)
	defer cancel()
	if until, ok := ctx.Deadline(); ok {
		inner, cancel = context.WithDeadline(inner, until)
		defer cancel()
	}
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(context.Cause(ctx), ErrDetached) {
			cancel()
		}
	})
	defer stop()
	return m.store.Detach(inner, d)
}

// detach ends a lease in this process. The caller calls the store when this turn is over:
//
//   - Against a Release or a loss, finish decides, once. The second finds that the lease has ended:
//     a Release has nothing to do, and a loss concerns no holder any more.
//   - A renewal on its way reaches the store before the detachment, or finds that the grant is not
//     this client's. Its answer finds no holder, and neither does an event of the store.
//   - The waiters of this process queue at the store at once, as if another process held: there the
//     grant is ahead of them, whoever has it.
//   - Close waits for the answer, as for that of a release.
func (k *keeper) detach(d *departure) {
	defer d.settle()
	l := d.lease
	r := l.req
	switch {
	case l.end.Load() != nil:
		d.err = l.endedBy()
	case r.place != holding:
		d.err = r.gone()
	case r.handles > 1:
		d.err = &InvalidError{Field: "lease", Value: k.name, Want: "the only lease of its grant"}
	case !l.finish(wasDetached):
		d.err = l.endedBy()
	default:
		l.asked.Store(true) // a Release that comes now returns at once, without a message to the keeper
		d.grant, d.token = r.grant.Grant, r.token
		r.removeNested(l)
		k.leave(r, k.m.now())
		k.depart(r.grant)
		k.counters.Releases++
	}
}

// departed handles the store's answer about a lease that has ended here. If the outcome is unknown,
// the grant is released. If it was detached after all, it ends by itself, for nobody has its ticket.
func (k *keeper) departed(d *departure) {
	defer d.settle()
	k.returning--
	switch {
	case d.err == nil:
	case errors.Is(d.err, ErrLost):
		d.err = k.trouble(d.lease, d.err)
		var lost *LostError
		if errors.As(d.err, &lost) {
			d.lease.end.Store(&ending{lost})
		}
	default:
		k.releaseGrant(&grant{Grant: d.grant}, nil)
	}
}
