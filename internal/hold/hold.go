package hold

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/manager"
)

// Forever is the wait of a caller that waits as long as its context lasts.
const Forever time.Duration = -1

// How says how a claim is acquired. The zero value tries.
type How struct {
	Wait    time.Duration // at most; 0: not at all; Forever
	Options []manager.AcquireOption
}

// Acquire acquires the claim. A wait that reaches its limit is ErrBusy, besides the
// context.DeadlineExceeded that it is. So an adapter can tell it from the end of the caller's own
// context.
//
// It is no option of package manager, on purpose: there ErrBusy means that the store has said so. A
// short wait ends before any store has answered, and the error of a wait that the store did not
// answer must not look like that of a busy name.
func (h How) Acquire(ctx context.Context, c manager.Claim) (*manager.Lease, error) {
	switch {
	case ctx == nil || h.Wait < 0:
		return c.Acquire(ctx, h.Options...)
	case h.Wait == 0:
		return c.TryAcquire(ctx, h.Options...)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, h.Wait, manager.ErrBusy)
	defer cancel()
	return c.Acquire(ctx, h.Options...)
}

// Do acquires the claim, runs fn, and releases, also if fn panics. The context of fn is ctx, ended
// also when the lease is lost; its cause is then the *LostError. If ran is false, fn was not called,
// and err says why. Else err is what fn returned, joined with the *LostError if the lease was lost
// before fn had returned. A release that the store did not answer is no error: the work was done
// under a valid lease, and the grant expires.
func (h How) Do(ctx context.Context, c manager.Claim, fn func(context.Context) error) (ran bool, err error) {
	l, err := h.Acquire(ctx, c)
	if err != nil {
		return false, err
	}
	defer func() {
		if e := l.Release(); errors.Is(e, manager.ErrLost) && !errors.Is(err, e) {
			err = errors.Join(err, e)
		}
	}()
	inner, cancel := Context(ctx, l)
	defer cancel()
	return true, fn(inner)
}

// Context returns ctx, ended also when the lease is, with the cause that the lease has. Values are
// those of the lease's context, so manager.LeaseFrom finds the lease. The end of ctx reaches the
// context soon, not at once.
func Context(ctx context.Context, l *manager.Lease) (context.Context, context.CancelFunc) {
	inner, cancel := context.WithCancelCause(l.Context())
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	return &leaseContext{inner, ctx, l}, func() {
		stop()
		cancel(nil)
	}
}

// leaseContext is a context whose Err looks at the clocks: after a pause longer than the lease, the
// first look says that it is lost.
type leaseContext struct {
	context.Context
	outer context.Context
	lease *manager.Lease
}

func (c *leaseContext) Err() error {
	_ = c.lease.Err() // ends the context of a lease that only the clocks show to be lost
	return c.Context.Err()
}

// Deadline is that of the outer context: a lease's own has none.
func (c *leaseContext) Deadline() (time.Time, bool) { return c.outer.Deadline() }

// Temporary reports whether err says that a claim could not be had now, and may be had later. Else
// trying again is in vain: the name or an option is bad, for instance.
func Temporary(err error) bool {
	for _, e := range []error{
		manager.ErrBusy, manager.ErrUnavailable, manager.ErrClosed, context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
