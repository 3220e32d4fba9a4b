package manager

import (
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// HoldAtLeast has the name stay taken until d after the grant, by the store's clock, though the
// lease is released before, or lost, or its process ends. Release returns at once all the same: the
// lease has ended, and nobody holds the name. Who waits for it, in this process too, waits until d
// is over; a try is busy, and its [HeldError] says until when the name is kept. So a job that takes
// no time runs once in d on all machines, however their clocks differ. [Manager.Break] frees the
// name sooner.
//
// An acquire that fails leaves nothing taken. Of an All each name is kept from its own grant on.
// Such a grant serves a single lease: it is neither handed on in the process nor kept by
// [WithIdleHold].
//
// The range is 1 ms to [backends.MaxAtLeast], and no more than the limit of the lease ([HoldAtMost],
// [WithMaxHold]). A lease that re-enters the grant of another cannot have it. Else the acquire fails
// with an *InvalidError; over a store that lacks [backends.Capabilities].AtLeast, with
// ErrUnsupported.
func HoldAtLeast(d time.Duration) AcquireOption {
	return AcquireOption{func(c *acquireConfig) error {
		c.atLeast = d
		return within("time to hold at least", d, time.Millisecond, backends.MaxAtLeast)
	}}
}

// checkAtLeast returns an error unless the minimum goes with the limit and with the store.
func (c *acquireConfig) checkAtLeast(store *backends.Capabilities) error {
	switch {
	case c.atLeast == 0:
		return nil
	case c.maxHold > 0 && c.atLeast > c.maxHold:
		return invalidLeast(c.atLeast, fmt.Sprintf("no more than the maximum hold of %v", c.maxHold))
	case !store.AtLeast:
		return fmt.Errorf("%w: the %s store frees a name with its release", ErrUnsupported, store.Name)
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
// What is left to the keeper is to say of each grant that goes back whether it was used:
//
//   - The caller has the lease, by the compare-and-swap of its request's state: the grant is used,
//     also if the caller's context is done, and is kept after its release or loss.
//   - The caller left first, by the same word: seat gives the grant to nobody, and releaseUnused
//     frees it at once. A request that was cancelled at the store never became a grant.
//   - A part of an All is held before the caller has anything. The state of the whole decides, once:
//     if it was accepted, all parts are used. Else none is, and each goes back unused, whether
//     cancelPart, a loss or the end of a stop margin is first to release it: by then the state is no
//     longer pending, since a loss moves it too.

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
