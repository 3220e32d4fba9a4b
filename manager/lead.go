package manager

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// Lead runs fn while this process is the leader: the holder of the lock of that name. It waits to
// become the leader and calls fn with the fencing token of its term. If the leadership is lost
// while fn runs, Lead waits for fn to return, whatever it returns, stands for leader again, and
// calls fn anew in its next term; meanwhile another process that leads under the same name runs its
// own. The lock is released as soon as fn returns.
//
// The context of fn is ctx, ended also when the leadership is lost, with a *LostError as its cause.
// Fn must return soon after that: the stop margin is all the time that it has before another
// process may lead. Whatever it writes should carry the token, so that what it writes to can refuse
// a leader that was deposed without knowing.
//
// Lead returns fn's result if the leadership was not lost before fn returned. The loss of another
// lease, even of a re-entrant one on the same name, is no loss of the leadership. When ctx ends,
// Lead returns the error of ctx, joined with fn's result. If fn cannot be called, Lead returns the
// error of [Claim.Acquire] at once: ErrClosed, ErrUnavailable and so on. After a loss, which a
// store out of reach may have caused, Lead instead asks an unavailable store again every sixth of a
// TTL. When Lead has returned, fn does not run, and nothing is held.
func (m *Manager) Lead(ctx context.Context, name string, fn func(ctx context.Context, term uint64) error) error {
	if err := m.usable(ctx); err != nil {
		return err
	}
	if fn == nil {
		return &InvalidError{Field: "function", Value: nil, Want: "not nil"}
	}
	c, at := m.Lock(name), Site{}
	if c.watched() {
		runtime.Callers(callersCaller, at.pc[:])
	}
	c.leads = true
	deposed := false
	for {
		var term *Lease
		err := c.do(ctx, at, func(ctx context.Context) error {
			term = LeaseFrom(ctx)
			return fn(ctx, term.Token()) // also when it is lost already
		})
		led := term != nil
		switch lost := term.lost(); { // not by err: fn may return the loss of another lease
		case ctx.Err() != nil && led:
			return errors.Join(opErr("lead", name, backends.Ended(ctx)), err)
		case ctx.Err() != nil:
			return err
		case led && lost != nil && lost.Reason != ByClose:
			deposed = true
		case !led && deposed && errors.Is(err, ErrUnavailable):
			m.pause(ctx) // the next Do sees whether ctx has ended
		default:
			return err
		}
	}
}

// pause waits for a sixth of a TTL, or for the end of ctx or of the manager.
func (m *Manager) pause(ctx context.Context) {
	t := time.NewTimer(m.cfg.ttl / attemptPart)
	defer t.Stop()
	select { // a tie does not matter: the caller looks again
	case <-t.C:
	case <-ctx.Done():
	case <-m.life.Done():
	}
}
