package manager

import (
	"context"
	"errors"
	"slices"
	"time"
)

// returned is the store's answer to a release.
type returned struct {
	lease *lease // of the caller that waits for it; nil if none does
	whole bool
	err   error
}

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
		k.count(func(c *Counters) { c.Lost++ })
	case released:
		k.counters.Releases++
	}
	if r.handles > 0 {
		l.settle()
		return
	}
	switch r.place {
	case holding:
		now := k.m.now()
		k.leave(r, now)
		if r.grant.whole(k) && k.handOn(now) {
			l.settle()
		} else {
			k.yield(r.grant, caller)
		}
	case straying:
		l.settle()
		k.endStray(r)
	default: // lost and not waited for any longer
		l.settle()
	}
	k.serve()
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

// yield gives a grant back to the store. The lease, unless nil, is that of a caller that waits for the answer.
func (k *keeper) yield(g *grant, l *lease) {
	b, whole := g.Grant, g.whole(k)
	if k.wary > 0 && g.contended == 0 {
		k.wary--
	}
	if whole {
		k.lastUse, k.rivals = g.used, g.contended != 0
		g.live, g.parked = false, false
	}
	if k.m.caps.Immediate {
		k.report(l, k.m.store.Release(context.Background(), b))
		return
	}
	if k.m.prompt != nil {
		if ok, err := k.m.prompt.ReleaseNow(b); ok {
			k.report(l, err)
			return
		}
	}
	if whole && k.relay(b, l) {
		return
	}
	k.returning++
	k.ownBack = k.ownBack || whole
	call := func() message {
		ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
		defer cancel()
		return &returned{l, whole, k.m.store.Release(ctx, b)}
	}
	if l == nil || !k.lend(&l.chore, call) {
		k.mail.Go(call)
	}
}

// returned goes on with the queue once the store has answered, or failed to.
func (k *keeper) returned(msg *returned) {
	k.returning--
	if msg.whole {
		k.ownBack = false
	}
	k.report(msg.lease, msg.err)
	k.serve()
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
		k.count(func(c *Counters) {
			c.Releases--
			c.Lost++
		})
		lost := &LostError{Name: k.name, Token: l.req.token, Reason: NotOwner}
		var said *LostError
		if errors.As(err, &said) {
			lost.Reason, lost.Cause = said.Reason, said.Cause
		}
		return lost
	case !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrPermission):
		err = &causeError{ErrUnavailable, err} // a timeout, say
	}
	k.m.log("release failed", "name", k.name, "err", err)
	return err
}

// timeout is a context for one call of the store that outlives the caller's.
func (m *Manager) timeout(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), d)
}
