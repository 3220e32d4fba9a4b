package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/lockkeeper/lockkeeper/backends"
)

// ErrDetached is why a lease has ended that was detached. It is an ErrReleased, too.
var ErrDetached = fmt.Errorf("%w: detached", ErrReleased)

var wasDetached = &ending{ErrDetached}

// Detach ends the lease here and returns a ticket with which [Manager.Adopt], most likely in another
// process, goes on with it: under the same token, and without an instant at which the resource is
// free. Of all waiters, those of this process included, none is granted it before the adopter has
// released it.
//
// The lease ends at once: its context is cancelled with [ErrDetached] as its cause, nothing of it is
// renewed any more, and its Release does nothing and returns nil. The ticket is good for one Adopt,
// and for the TTL of this manager, from the call on; if it is not adopted by then, the resource is
// free. [HoldAtMost] ends with the lease: the adopter's manager has limits of its own.
//
// Detach waits for the store, until ctx ends and no longer than the release timeout. The context may
// be the lease's own.
//
// Detach fails with a *LostError, or with ErrReleased, if the lease has ended before. With
// ErrUnsupported if the store cannot do it (files: the kernel frees the lock of a process that ends),
// with ErrInvalid for an All, whose [Lease.Leases] can be detached one by one, and for a lease whose
// grant has other leases ([Claim.Reentrant]) or with an error of ctx if it has ended before the call,
// nothing has happened, and the lease is held. After any other error the lease has ended: it is
// released if the store can be reached, and else ends after the TTL at the latest.
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
	t := newTicket(&d.grant, d.token)
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

// detachable returns why the lease is none that can be detached.
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
	detach   struct{ *departure } // the lease ends here; then its caller asks the store
	departed struct{ *departure } // what the store has said
)

// callDetach asks the store, until ctx ends, or for as long as a release may take: ctx may come from
// the lease, and has ended with it then. A store that panics has told nothing.
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

// detach ends a lease here. The store is asked for the rest when this turn is over, by the caller:
//
//   - Beside a Release or a loss, finish decides, once. What comes second finds that the lease has
//     ended: a Release has nothing to do, and a loss concerns no holder any more.
//   - A renewal that is on its way comes to the store before the detachment, or finds that the grant
//     is not this client's. Its answer finds no holder. So does news of the store.
//   - The waiters of this process are put before the store at once, as if another process held: the
//     grant is in their way there, whose ever it is.
//   - Close waits for the answer, for until then a release is on its way.
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
		l.asked.Store(true) // for a Release that comes now
		d.grant, d.token = r.grant.Grant, r.token
		r.removeNested(l)
		k.leave(r, k.m.now())
		k.depart(r.grant)
		k.counters.Releases++
	}
}

// departed takes in what the store has said of a lease that has ended here. If that is not known,
// the grant is released: if it was detached all the same, it ends by itself, for nobody has its
// ticket.
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
