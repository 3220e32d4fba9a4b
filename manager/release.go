package manager

import (
	"context"
	"errors"
	"slices"
	"time"
)

// release ends one lease. When the last lease of a grant is released, the grant goes to the next
// waiter or to the store. The caller is l itself if a Release waits for the store's answer, else
// nil.
func (k *keeper) release(l, caller *lease) {
	r := l.req
	if l != &r.lease && !r.removeNested(l) {
		l.settle() // its limit and its margin are over: the grant has gone on without its release
		return
	}
	r.handles--
	switch released := l.end.Load() == wasReleased; {
	case released && r.loss != nil: // its holder did not know yet, but the loss came first
		l.result = r.loss
		k.count(func(c *Counters) { c.lost(r.loss.Reason, 1) })
	case released:
		k.counters.Releases++
	}
	if r.handles > 0 {
		l.settle()
		return
	}
	switch r.place {
	case holding:
		k.end(r, l, caller)
	case straying:
		l.settle()
		k.endStray(r)
	default: // lost and not waited for any longer
		l.settle()
	}
}

// end ends a hold whose last lease is released. Its grant goes to the next waiter, stays here for a
// while, or goes back to the store.
func (k *keeper) end(r *request, l, caller *lease) {
	now, g := k.m.now(), r.grant
	k.leave(r, now)
	switch {
	case g.whole(k) && !r.leads && (k.handOn(now) || k.keepIdle(now)):
		l.settle()
	case l == &r.lease && r.together:
		k.releaseTogether(g, r)
	default:
		k.releaseHeld(r, g, caller)
	}
}

// released handles the Release of a caller that waits for the answer.
func (k *keeper) released(l *lease) {
	k.release(l, l)
	if r := l.req; l == &r.lease && r.together {
		r.several.decided(k)
	}
}

// removeNested takes a re-entrant lease off the request, and reports whether it was there.
func (r *request) removeNested(l *lease) bool {
	n := r.nestOf(l)
	if n != nil {
		*r.nested = slices.DeleteFunc(*r.nested, func(o *nest) bool { return o == n })
	}
	return n != nil
}

// leave takes a holder out.
func (k *keeper) leave(r *request, now instant) {
	k.holders.remove(r)
	k.counters.Holds.record(time.Duration(now - r.since))
}

func (g *grant) whole(k *keeper) bool { return g == &k.own }

// releaseGrant releases a grant. The lease, unless nil, is that of a caller that waits for the
// answer. If others of this process wait for the name, the operation requests the name again: then
// the turns of several processes with many waiters each cost two requests, not three.
func (k *keeper) releaseGrant(g *grant, l *lease) {
	op := k.m.newOperation(2)
	whole := k.markReleased(g)
	op.addRelease(&op.calls[0], k, g.Grant, l, whole)
	r := k.next()
	if whole && r != nil && !r.try && k.atStore == nil && k.pinned == nil && k.strays.n == 0 && !k.closing {
		k.atStore = &op.calls[1]
		op.addRequest(k.atStore, k, r, k.storeRequest(r))
	}
	if l == nil {
		k.start(noContext, op, nil)
	} else {
		k.start(noContext, op, &l.work)
	}
}

// markReleased notes that a grant is on its way back to the store, and reports whether it is of the
// whole resource that the process has.
func (k *keeper) markReleased(g *grant) (whole bool) {
	k.depart(g)
	whole = g.whole(k)
	k.ownBack = k.ownBack || whole
	return whole
}

// depart notes that a grant is not this process's any more.
func (k *keeper) depart(g *grant) {
	if g.whole(k) {
		k.lastUse, k.rivals = g.used, g.contended != 0
		g.live, g.parked, g.idleUntil = false, false, 0
	}
	k.returning++
}

// returned takes in the answer to a release.
func (k *keeper) returned(c *call) {
	k.returning--
	if c.whole {
		k.ownBack = false
	}
	k.report(c.lease, c.err)
}

// report tells the caller, if one waits, what became of the release.
func (k *keeper) report(l *lease, err error) {
	if err != nil {
		err = k.trouble(l, err)
	}
	if l != nil {
		l.result = err
		l.settle()
	}
}

// trouble is what a release that failed means to its caller.
func (k *keeper) trouble(l *lease, err error) error {
	switch {
	case errors.Is(err, ErrLost):
		if l == nil {
			return nil
		}
		lost := &LostError{Name: k.name, Token: l.req.token, Reason: NotOwner}
		var said *LostError
		if errors.As(err, &said) {
			lost.Reason, lost.Cause = said.Reason, said.Cause
		}
		k.count(func(c *Counters) {
			c.Releases--
			c.lost(lost.Reason, 1)
		})
		return lost
	case !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrPermission):
		err = &causeError{ErrUnavailable, err} // a timeout, say
	}
	k.m.log("release failed", "name", readable(k.name), "err", err)
	return err
}

// timeout is a context for one call of the store that outlives the caller's.
func (m *Manager) timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
