package manager

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// HoldAtLeast keeps the name taken until d after the grant, by the store's clock, even if the lease
// is released or lost before, or its process ends. So a short job runs at most once in d on all
// machines, however their clocks differ.
//
// Release does not wait for d: the lease ends, and nobody holds the name. Until d is over, waiters
// wait, those of this process included. A try fails with ErrBusy, and its [HeldError] says until
// when the name is kept. [Manager.Break] frees the name sooner.
//
// A failed acquire keeps nothing taken. Each part of an All is kept from its own grant on. A grant
// with this option serves a single lease: it is neither handed on in the process nor kept by
// [WithIdleHold].
//
// Default: the release frees the name. Range: 1 ms to [backends.MaxAtLeast], and no more than the
// limit of the lease ([HoldAtMost], [WithMaxHold]). The acquire fails with an *InvalidError outside
// of the range, and if it re-enters the grant of another lease ([Claim.Reentrant]). It fails with
// ErrUnsupported if the store lacks [backends.Capabilities].AtLeast.
func HoldAtLeast(d time.Duration) AcquireOption {
	return AcquireOption{func(c *acquireConfig) error {
		c.atLeast = d
		return within("time to hold at least", d, time.Millisecond, backends.MaxAtLeast)
	}}
}

// checkAtLeast returns an error unless the limit and the store allow the minimum.
func (c *acquireConfig) checkAtLeast(store *backends.Capabilities) error {
	switch {
	case c.atLeast == 0:
		return nil
	case c.maxHold > 0 && c.atLeast > c.maxHold:
		return invalidLeast(c.atLeast, fmt.Sprintf("no more than the maximum hold of %v", c.maxHold))
	case !store.AtLeast:
		return fmt.Errorf("%w: the %s store cannot keep a name taken after its release", ErrUnsupported, store.Name)
	}
	return nil
}

func invalidLeast(d time.Duration, want string) error {
	return &InvalidError{Field: "time to hold at least", Value: d, Want: want}
}

// A minimum is part of the request, so the store keeps the grant whatever becomes of this process.
// The keeper knows nothing of what is kept: a grant with a minimum goes back to the store with its
// release (mayHandOn), so own is not live after it, and the next request of this process goes to
// the store's queue, or is refused there if it is a try. The store lets the queue move up when the
// time is over, and tells the head, as it does after the release of another process.
//
// The keeper only decides, for each grant that goes back, whether it was used:
//
//   - The caller has the lease, by the compare-and-swap of its request's state: the grant is used,
//     also if the caller's context is done, and is kept after its release or loss.
//   - The caller left first, by the same compare-and-swap: seat gives the grant to nobody, and
//     releaseUnused frees it at once. A request that was cancelled at the store never became a grant.
//   - A part of an All is held before the caller has anything. The state of the whole decides, once:
//     if it was accepted, all parts are used. Otherwise each goes back unused, whether cancelPart, a
//     loss or the end of a stop margin releases it first: by then the state is no longer pending,
//     since a loss changes it too.

// releaseUnused releases a grant that no caller was given: its permits come back at once.
func (k *keeper) releaseUnused(g *grant) {
	g.AtLeast = 0
	k.releaseGrant(g, nil)
}

// releaseHeld releases the grant that r has had.
func (k *keeper) releaseHeld(r *request, g *grant, caller *lease) {
	if r.unused() {
		g.AtLeast = 0
	}
	k.releaseGrant(g, caller)
}

// unused reports whether the caller of a request that had its grant never got the lease: its state
// is no longer pending.
func (r *request) unused() bool { return r.several != nil && r.several.state.Load() != accepted }
