package manager

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Lead calls [Election.Lead] of the election called name.
func (m *Manager) Lead(
	ctx context.Context, name string, fn func(ctx context.Context, term uint64) error,
	opts ...AcquireOption,
) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	var at Site
	if o := m.observer; o != nil && o.sites {
		runtime.Callers(callersCaller, at.pc[:])
	}
	return m.Election(name).lead(ctx, at, fn, opts)
}

// Lead runs fn while this process is the leader: the holder of the lock of that name. It waits to
// become the leader and calls fn with the fencing token of its term. If the leadership is lost
// while fn runs, or given up by [Election.Resign], Lead waits for fn to return and drops its result.
// Then it stands for leader again, behind all waiters, and calls fn anew in its next term. Meanwhile
// another process may lead. The lock is released as soon as fn has returned, and not before. If fn
// panics, the lock is released and the panic goes on.
//
// The context of fn is ctx, ended also when the leadership is lost, with a *LostError as its cause,
// or given up, with [ErrResigned]. After a loss fn must return soon: another process may lead when
// the stop margin is over ([WithStopMargin]). fn should send the token with each write, so that the
// resource it writes to can refuse a leader that does not know yet that it was deposed.
//
// Lead returns fn's result if the leadership was neither lost nor given up before fn returned. The
// loss of another lease, even of a re-entrant one on the same name, is no loss of the leadership.
// When ctx ends, Lead returns the error of ctx, joined with fn's result. While the store is out of
// reach, Lead logs it ([WithLogger]) and tries again: first after a twentieth of the TTL, then at
// growing intervals of up to a sixth of it. Any other error of an acquire ends Lead at once:
// ErrPermission, ErrClosed, ErrMismatch and so on. When Lead has returned, fn does not run, and
// nothing is held.
//
// Each term has a grant of its own from the store. It is neither handed on in the process nor kept
// after its end, whatever the options of the manager say. opts apply to each term: [HoldAtMost] ends
// a term as a loss does, and [HoldAtLeast] delays the next term, of any process, until its time is
// over.
func (e *Election) Lead(
	ctx context.Context, fn func(ctx context.Context, term uint64) error, opts ...AcquireOption,
) error {
	if err := e.usable(ctx); err != nil {
		return err
	}
	var at Site
	if o := e.m.observer; o != nil && o.sites {
		runtime.Callers(callersCaller, at.pc[:])
	}
	return e.lead(ctx, at, fn, opts)
}

func (e *Election) lead(
	ctx context.Context, at Site, fn func(context.Context, uint64) error, opts []AcquireOption,
) error {
	if fn == nil {
		return &InvalidError{Field: "function", Value: nil, Want: "not nil"}
	}
	at = at.orOf(fn)
	c, ttl := e.m.Lock(e.name), e.m.cfg.ttl
	c.leads = true
	absent := time.Duration(0) // the next pause, while the store is out of reach
	for {
		t, err := e.stand(ctx, &c, at, fn, opts)
		switch {
		case ctx.Err() != nil && t != nil:
			return errors.Join(opErr("lead", e.name, backends.Ended(ctx)), err)
		case ctx.Err() != nil:
			return err
		case t != nil && t.again():
			absent = 0
		case t == nil && passes(err):
			if absent == 0 {
				e.m.log("store unavailable: no leader until it is back", "name", readable(e.name), "err", err)
			}
			absent = min(max(2*absent, ttl/retryPart), ttl/attemptPart)
			e.m.pause(ctx, absent) // the next stand sees whether ctx has ended
		default:
			return err
		}
	}
}

// stand waits to become the leader, and runs fn for one term: t, nil if it came to none.
func (e *Election) stand(
	ctx context.Context, c *Claim, at Site, fn func(context.Context, uint64) error, opts []AcquireOption,
) (t *term, err error) {
	ctx, resign := context.WithCancelCause(ctx) // around the lease: the release does not depend on it
	defer resign(nil)
	err = c.do(ctx, at, func(ctx context.Context) error {
		t = &term{lease: LeaseFrom(ctx), resign: resign}
		e.term.Store(t)
		defer func() { // also when fn panics
			t.ending.CompareAndSwap(0, returned)
			e.term.CompareAndSwap(t, nil) // after a loss, the term of another Lead may have begun
		}()
		return fn(ctx, t.lease.Token()) // also when it is lost already
	}, opts)
	return t, err
}

// again reports whether the candidate stands again after the term: it was given up or lost. The
// error of fn does not tell: it may be the loss of another lease.
func (t *term) again() bool {
	lost := t.lease.lost()
	return t.ending.Load() == resigned || lost != nil && lost.Reason != ByClose
}

// pause waits for d, or for the end of ctx or of the manager. In a bubble of a test, the clock stands
// still while a goroutine waits for a channel from outside. So where the manager is from outside,
// its end is seen when d is over.
func (m *Manager) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	end := m.life.Done()
	if m.away() {
		end = nil
	}
	select { // a tie does not matter: the caller looks again
	case <-t.C:
	case <-ctx.Done():
	case <-end:
	}
}
