package manager

import (
	"context"
	"errors"
	"time"
)

// returned is the store's answer to a release.
type returned struct {
	lease *Lease // of the caller that waits for it; nil if none does
	token uint64
	whole bool
	err   error
}

// release ends one lease. The grant goes on, to the next waiter or to the store, when its last lease is released.
func (k *keeper) release(l *Lease) {
	r := l.req
	r.handles--
	if errors.Is(l.end.Load().err, ErrReleased) {
		k.counters.Releases++
	}
	if r.handles > 0 {
		r.drop(l)
		l.settle()
		return
	}
	switch r.place {
	case holding:
		k.leave(r)
		if r.grant.whole(k) && k.handOn() {
			l.settle()
		} else {
			k.yield(r.grant, l)
		}
	case straying:
		l.settle()
		k.endStray(r)
	default: // lost and not waited for any longer
		l.settle()
	}
	k.serve()
}

// drop forgets a re-entrant lease.
func (r *request) drop(l *Lease) {
	for i, n := range r.nested {
		if n == l {
			last := len(r.nested) - 1
			r.nested[i], r.nested[last] = r.nested[last], nil
			r.nested = r.nested[:last]
			return
		}
	}
}

// leave takes a holder out.
func (k *keeper) leave(r *request) {
	k.holders.remove(r)
	k.counters.Holds.record(time.Duration(k.m.now() - r.since))
}

func (g *grant) whole(k *keeper) bool { return g == &k.own }

// yield gives a grant back to the store. The lease, unless nil, is that of a caller that waits for the answer.
func (k *keeper) yield(g *grant, l *Lease) {
	b := g.Grant
	msg := &returned{lease: l, whole: g.whole(k)}
	if l != nil {
		msg.token = l.req.token
	}
	if msg.whole {
		k.lastUse, k.rivals = g.used, g.contended != 0
		k.own = grant{}
	}
	k.returning++
	if k.m.caps.Immediate {
		msg.err = k.m.store.Release(context.Background(), b)
		k.settleReturn(msg)
		return
	}
	k.ownBack = k.ownBack || msg.whole
	k.mail.Go(func() message {
		ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
		defer cancel()
		msg.err = k.m.store.Release(ctx, b)
		return msg
	})
}

// returned goes on with the queue once the store has answered, or failed to.
func (k *keeper) returned(msg *returned) {
	if msg.whole {
		k.ownBack = false
	}
	k.settleReturn(msg)
	k.serve()
}

// settleReturn tells the caller what became of the release.
func (k *keeper) settleReturn(msg *returned) {
	k.returning--
	l, err := msg.lease, msg.err
	var lost *LostError
	switch {
	case l == nil:
		if err != nil && !errors.Is(err, ErrLost) {
			k.m.log("release failed", "name", k.name, "err", err)
		}
		return
	case errors.As(err, &lost):
		k.counters.Releases--
		k.counters.Lost++
		l.result = &LostError{Name: k.name, Token: msg.token, Reason: lost.Reason, Cause: lost.Cause}
	case errors.Is(err, ErrLost):
		k.counters.Releases--
		k.counters.Lost++
		l.result = &LostError{Name: k.name, Token: msg.token, Reason: NotOwner, Cause: err}
	case err != nil && !errors.Is(err, ErrUnavailable):
		l.result = &causeError{ErrUnavailable, err} // a timeout, say
	default:
		l.result = err
	}
	l.settle()
}

// timeout is a context for one call of the store that outlives the caller's.
func (m *Manager) timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
