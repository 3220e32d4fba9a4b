package manager

import (
	"context"
	"errors"
	"runtime"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// Adopt continues a lease that [Lease.Detach] has ended, most likely in another process. Both
// managers use the same store. The lease keeps its token, and this manager renews it like any other.
// Its context has the values of ctx, but not its end, as with [Claim.Acquire]. Adopt waits for
// nothing but the store. It counts as an acquire.
//
// Errors:
//
//   - ErrTicket: the ticket was used before, the lease has ended since, or t is no ticket of Detach.
//     Nothing has changed. There is no lease to continue: another process has it, or the work begins
//     again with an Acquire.
//   - ErrUnsupported, ErrMismatch (this process uses the name in another way, so this is most likely
//     another store), or the error of a ctx that had ended before the call: the ticket is still good.
//   - Any other error: nothing is held, and the ticket may be used up. The lease is released if the
//     store can be reached; otherwise the store frees the resource after the TTL at the latest.
func (m *Manager) Adopt(ctx context.Context, t Ticket) (*Lease, error) {
	if err := m.usable(ctx); err != nil {
		return nil, err
	}
	c, f, err := t.claim(m)
	if err != nil {
		return nil, opErr("adopt", "", err)
	}
	if m.observer == nil {
		l, err := c.adopt(ctx, t, f, nil)
		return l, opErr("adopt", c.name, err)
	}
	var at Site
	if m.observer.sites {
		runtime.Callers(callersCaller, at.pc[:])
	}
	ctx, seen := c.sight(ctx, false, at)
	l, err := c.adopt(ctx, t, f, seen)
	err = opErr("adopt", c.name, err)
	seen.end(ctx, l, err)
	return l, err
}

// arrival is a lease on its way into this process.
type arrival struct {
	request *request
	grant   backends.Grant // of the store
	err     error
	answer
}

type (
	adopt   struct{ *arrival } // the keeper makes room; then the caller calls the store
	adopted struct{ *arrival } // the store's answer
)

// adopt asks the keeper of the name and the store. Its errors do not name the resource yet.
func (c *Claim) adopt(ctx context.Context, t Ticket, f ticketFields, seen *sighting) (*Lease, error) {
	m := c.m
	switch {
	case !m.caps.Detach:
		return nil, c.refused(ErrUnsupported)
	case ctx.Err() != nil:
		return nil, c.contextEnded(ctx)
	}
	for {
		k := m.keeper(c.name)
		if k == nil {
			return nil, c.refused(ErrClosed)
		}
		r := &request{
			lease: lease{outer: holder(ctx), seen: seen},
			k:     k, kind: c.kind, cap: c.cap, weight: c.weight,
			until: instant(m.cfg.maxHold), handles: 1,
		}
		r.req = r
		l := &Lease{lease: &r.lease, from: ctx}
		r.fresh = l
		switch err := r.arrive(ctx, t, f); {
		case errors.Is(err, errRetired): // the next look-up finds the keeper's successor
		case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			m.count(c.name, func(n *Counters) { n.contextEnded(ctx.Err(), 0) })
			return nil, err
		case err != nil:
			return nil, c.refused(err)
		default:
			return l, nil
		}
	}
}

func (r *request) arrive(ctx context.Context, t Ticket, f ticketFields) error {
	k := r.k
	a := &arrival{request: r}
	k.mail.Deliver(adopt{a})
	a.answer.await(k.m, nil, nil) // for a turn of the keeper, which waits for nothing
	if a.err != nil {
		return a.err
	}
	a.grant, a.err = k.m.callAdopt(ctx, backends.Adoption{
		ID: backends.GrantID{Client: f.Client, Seq: f.Seq}, Proof: t.proof(),
		Request: backends.Request{
			Resource: r.resource(), Weight: r.weight, Tokens: 1, TTL: k.m.cfg.ttl,
			Owner: k.m.owner, Notify: k.notify, AtLeast: f.AtLeast,
			Quiet: true, // it is not handed on
		},
	})
	a.answer.reset()
	k.mail.Deliver(adopted{a})
	a.answer.await(k.m, nil, nil)
	return a.err
}

// callAdopt calls the store. A panic of the store is an error.
func (m *Manager) callAdopt(ctx context.Context, a backends.Adoption) (g backends.Grant, err error) {
	defer recovered(&err)
	return m.store.Adopt(ctx, a)
}

// recovered makes a panic of the store an error.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &causeError{ErrUnavailable, &actor.PanicError{Value: v}}
	}
}

// adopt makes room for a lease that comes from another process.
func (k *keeper) adopt(a *arrival) {
	defer a.settle()
	k.uses++
	if a.err = k.admit(a.request); a.err == nil {
		k.adopting++
	}
}

// adopted makes the lease a holder. Its grant goes back with the lease and is not handed on in this
// process, even if it is of the whole resource: a request of this process may be in the store's
// queue already, and must not be overtaken.
func (k *keeper) adopted(a *arrival) {
	defer a.settle()
	k.adopting--
	if a.err != nil {
		k.forgetEarly()
		return
	}
	now, g := k.m.now(), new(grant)
	k.take(g, &a.grant, now)
	switch {
	case k.closing:
		a.err = ErrClosed
	case k.expires() && now >= g.valid-k.spare():
		a.err = &causeError{ErrUnavailable, errTooLate}
	default:
		k.seat(a.request, g, now)
		k.takeEarly()
		return
	}
	k.releaseGrant(g, nil)
	k.forgetEarly()
}
