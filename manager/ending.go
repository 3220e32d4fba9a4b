package manager

import (
	"context"
	"sync/atomic"
	"time"
	"weak"
)

// lease is the part of a lease that the keeper and the caller share. The caller reaches it through
// a [Lease], to which nothing here refers for long: so the garbage collector tells when the program
// has dropped it. See dropped.go.
type lease struct {
	req     *request    // the grant behind it; nil for an All lease
	several *several    // of which it is a part; nil for a lease of its own
	outer   *lease      // what the acquirer held already, as its context said
	hook    func(error) // called when the lease ends, by the goroutine that ends it; must be quick
	seen    *sighting   // of the acquire; nil if nobody watches

	end    atomic.Pointer[ending] // nil while held
	inner  atomic.Pointer[inner]  // nil until the first call of Context
	asked  atomic.Bool            // Release was called, or the lease was dropped
	wait   atomic.Pointer[wait]   // known to waits
	work   workSlot               // of the acquire, then of the release
	answer                        // of the keeper
	result error                  // what it says; written before it is there

	// Owned by the keeper.
	fresh   *Lease              // the caller's, until the keeper first looks for dropped leases
	watched weak.Pointer[Lease] // the same from then on
}

// ending is how a lease ended.
type ending struct{ err error }

var wasReleased = &ending{ErrReleased}

// inner is the context of a lease without the value that names its owner. The lease can cancel it,
// and so refers to all contexts derived from it that have not ended. These refer to the caller's
// Lease and keep it reachable.
type inner struct {
	context.Context
	cancel context.CancelCauseFunc
}

// finish ends the lease unless it has ended, and says whether it did.
func (l *lease) finish(e *ending) bool {
	if !l.end.CompareAndSwap(nil, e) {
		return false
	}
	// A context made later finds the end; one made before is found here.
	if c := l.inner.Load(); c != nil {
		c.cancel(e.err)
	}
	if l.hook != nil {
		l.hook(e.err)
	}
	switch {
	case l.several != nil: // the end of the whole is told
		l.several.partEnded(e)
	case l.seen != nil:
		l.seen.ended(l, e.err)
	}
	return true
}

// checkClock ends a lease that has expired by the clocks, if no timer has reported it yet.
func (l *lease) checkClock() {
	r := l.req
	if r == nil || l.end.Load() != nil || r.valid.Load() == 0 || !r.expired(time.Now()) {
		return
	}
	if l.finish(&ending{&LostError{Name: r.k.name, Token: r.token, Reason: Expired, Cause: r.k.unrenewed()}}) {
		r.k.mail.Tell(expired{r})
	}
}

// err is endedBy after a look at the clocks.
func (l *lease) err() error {
	l.checkClock()
	return l.endedBy()
}

// endedBy returns why the lease has ended, nil if it has not.
func (l *lease) endedBy() error {
	if e := l.end.Load(); e != nil {
		return e.err
	}
	return nil
}
