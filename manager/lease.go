package manager

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Lease is a resource held. It is safe for concurrent use and must not be copied. The zero Lease is a released one.
//
// A lease ends once: by Release, or by loss, and then stays what it is. No late answer of a store revives it.
// What the last holder did before its Release happens before the next holder's Acquire returns.
type Lease struct {
	req   *request        // the grant behind it; nil for an All lease
	parts *[]*Lease       // of an All lease; nil for others
	from  context.Context // of the acquire, for its values
	outer *Lease          // what the acquirer held already, as its context said
	hook  func(error)     // told at the end, by whoever ended the lease; must be quick

	end    atomic.Pointer[ending]       // nil while held
	ctx    atomic.Pointer[leaseContext] // nil until somebody asks
	asked  atomic.Bool                  // Release was called
	chore  chore                        // of the acquire, then of the release
	signal atomic.Pointer[signal]       // wakes the goroutine that waits for the keeper's answer
	result error                        // that answer; written by the keeper before the signal
}

// ending is how a lease ended.
type ending struct{ err error }

var wasReleased = &ending{ErrReleased}

// Name returns the name of the resource; for an All lease, the names of its parts joined by "+".
func (l *Lease) Name() string {
	switch {
	case l.req != nil:
		return l.req.k.name
	case l.parts == nil:
		return ""
	}
	names := make([]string, len(*l.parts))
	for i, p := range l.list() {
		names[i] = p.Name()
	}
	return strings.Join(names, "+")
}

// Token returns the fencing token: every grant of the name gets a larger one than all before it, whichever process it
// goes to and whatever restarts. A resource that refuses a smaller token than it has seen is safe from
// holders that do not know that they have lost. An All lease has no token of its own, so 0: use those of its parts.
func (l *Lease) Token() uint64 {
	if l.req == nil {
		return 0
	}
	return l.req.token
}

// Leases returns the parts of an All lease, in the order of their names, or the lease itself.
func (l *Lease) Leases() []*Lease {
	if l.req != nil {
		return []*Lease{l}
	}
	return slices.Clone(l.list())
}

func (l *Lease) list() []*Lease {
	if l.parts == nil {
		return nil
	}
	return *l.parts
}

// Valid reports whether the lease is still held, by the clocks: it is right even when no timer could run, as after a
// pause of the process or a suspend of the machine. False is final.
func (l *Lease) Valid() bool { return l.Err() == nil }

// ValidUntil returns the instant until which nobody else can be granted the resource, unless the lease is renewed, which
// happens by itself. Its context ends a stop margin earlier. It is zero where leases do not expire.
// For an All lease it is the earliest of its parts'.
func (l *Lease) ValidUntil() time.Time {
	if l.req != nil {
		return l.req.validUntil()
	}
	var first time.Time
	for _, p := range l.list() {
		if t := p.ValidUntil(); first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// Err returns nil while the lease is held, ErrReleased after its release, and a *LostError if it was lost before.
func (l *Lease) Err() error {
	l.check()
	if e := l.end.Load(); e != nil {
		return e.err
	}
	if l.req == nil && l.parts == nil {
		return ErrReleased
	}
	return nil
}

// check makes a loss final that the clocks show and no timer has reported yet.
func (l *Lease) check() {
	if l.end.Load() != nil {
		return
	}
	for _, p := range l.list() {
		p.check() // its hook ends l
	}
	r := l.req
	if r == nil || r.valid.Load() == 0 || !r.expired(time.Now()) {
		return
	}
	if l.finish(&ending{&LostError{Name: r.k.name, Token: r.token, Reason: Expired}}) {
		r.k.mail.Tell(expired{r})
	}
}

// finish ends the lease unless it has ended, and says whether it did.
func (l *Lease) finish(e *ending) bool {
	if !l.end.CompareAndSwap(nil, e) {
		return false
	}
	// Whoever makes the context afterwards sees the end; whoever made it before is seen here.
	if c := l.ctx.Load(); c != nil {
		c.cancel(e.err)
	}
	if l.hook != nil {
		l.hook(e.err)
	}
	return true
}

// Release gives the lease back. It is idempotent and does not depend on any context; it waits for the store
// no longer than the release timeout.
//
// It returns nil if the lease was held until now, a *LostError if it was lost before, and an error that wraps
// ErrUnavailable if the store did not answer: then the lease has ended all the same, and the store frees the resource by
// itself when the lease would have expired. Waiters of this process go on at once.
func (l *Lease) Release() error {
	if l.req == nil {
		return l.releaseAll()
	}
	l.check()
	if l.asked.Swap(true) {
		return l.outcome()
	}
	held := l.finish(wasReleased)
	k := l.req.k
	l.signal.Store(nil)
	l.chore.slot.Store(nil)
	k.mail.Deliver(release{l})
	l.chore.do()
	if !held {
		return l.outcome() // the keeper has been told that the holder has stopped
	}
	if !l.answered(k.m) {
		return opErr("release", k.name, errNoAnswer)
	}
	if l.result == nil {
		return nil
	}
	return l.troubled()
}

// troubled is what a Release returns that the store did not confirm.
func (l *Lease) troubled() error {
	var lost *LostError
	if errors.As(l.result, &lost) {
		l.end.Store(&ending{lost})
		return lost
	}
	return opErr("release", l.req.k.name, l.result)
}

// outcome is what a Release says of a lease that has ended.
func (l *Lease) outcome() error {
	if err := l.Err(); !errors.Is(err, ErrReleased) || l.req == nil && l.parts == nil {
		return err
	}
	return nil
}

// answered waits for the keeper's answer to a release. A keeper that talks to a store over a network may keep it waiting.
func (l *Lease) answered(m *Manager) bool {
	if l.signal.Load() == settled {
		return true
	}
	s := m.borrow()
	if !l.signal.CompareAndSwap(nil, s) {
		m.giveBack(s)
		return true
	}
	if m.caps.Immediate {
		<-s.wake
		m.giveBack(s)
		return true
	}
	t := time.NewTimer(m.cfg.releaseTimeout)
	defer t.Stop()
	select { // both ready: either is right, for the lease has ended; s is not used again unless it is known to be idle
	case <-s.wake:
		m.giveBack(s)
		return true
	case <-t.C:
		return false
	}
}
