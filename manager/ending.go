package manager

import (
	"context"
	"sync/atomic"
	"time"
	"weak"
)

// lease is what its keeper and its caller share of a lease. The caller has it through a [Lease],
// which nothing here refers to for long: so the garbage collector tells when nobody has the lease
// any more. See dropped.go.
type lease struct {
	req   *request    // the grant behind it; nil for an All lease
	outer *lease      // what the acquirer held already, as its context said
	hook  func(error) // told at the end, by whoever ended the lease; must be quick

	end        atomic.Pointer[ending] // nil while held
	inner      atomic.Pointer[inner]  // nil until somebody asks for the context
	asked      atomic.Bool            // Release was called
	registered atomic.Bool            // its request is, with waits
	chore      chore                  // of the acquire, then of the release
	signal     atomic.Pointer[signal] // wakes the goroutine that waits for the keeper's answer
	result     error                  // that answer; written by the keeper before the signal

	// Owned by the keeper.
	fresh   *Lease // the caller's, until the keeper first looks whether it still has it
	watched weak.Pointer[Lease]
}

// ending is how a lease ended.
type ending struct{ err error }

var wasReleased = &ending{ErrReleased}

// inner is the context of a lease without its owner. The lease must be able to end it, and so
// refers to all contexts made from it that have not ended. They refer to the caller's Lease, which
// is kept by this as long as anybody waits for the end of one.
type inner struct {
	context.Context
	cancel context.CancelCauseFunc
}

// finish ends the lease unless it has ended, and says whether it did.
func (l *lease) finish(e *ending) bool {
	if !l.end.CompareAndSwap(nil, e) {
		return false
	}
	// Whoever makes the context afterwards sees the end; whoever made it before is seen here.
	if c := l.inner.Load(); c != nil {
		c.cancel(e.err)
	}
	if l.hook != nil {
		l.hook(e.err)
	}
	return true
}

// look makes a loss final that the clocks show and no timer has reported yet.
func (l *lease) look() {
	r := l.req
	if r == nil || l.end.Load() != nil || r.valid.Load() == 0 || !r.expired(time.Now()) {
		return
	}
	if l.finish(&ending{&LostError{Name: r.k.name, Token: r.token, Reason: Expired}}) {
		r.k.mail.Tell(expired{r})
	}
}

// err returns why the lease has ended, nil if it has not, by the clocks.
func (l *lease) err() error {
	l.look()
	return l.endedBy()
}

// endedBy returns why the lease has ended, nil if it has not.
func (l *lease) endedBy() error {
	if e := l.end.Load(); e != nil {
		return e.err
	}
	return nil
}
