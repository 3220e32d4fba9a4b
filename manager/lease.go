package manager

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Lease is a resource held. It is safe for concurrent use and must not be copied. The zero Lease
// and a nil *Lease are released ones.
//
// Keep the Lease, its context or a context derived from it for as long as the resource is needed.
// If the program keeps none of them and has not called Release, the lease is dropped: the manager
// releases it and logs its name, its token and the start of the hold. This happens at the first
// renewal after a run of the garbage collector, or within a TTL where nothing is renewed. The Done
// channel of the context alone does not keep the lease. It is closed when the lease is dropped, a
// stop margin before the next grant, and the cause is a *LostError (reason Dropped). A goroutine
// that refers to the lease and waits for ever keeps it. So does a derived context that is never
// cancelled, and a [context.AfterFunc] that is never stopped.
//
// A lease ends once: by Release, by Detach, or by loss, and then stays what it is. No late answer of a store
// revives it. What the last holder did before its Release happens before the next holder's Acquire
// returns.
type Lease struct {
	*lease                              // shared with its keeper; nil in the zero Lease
	from   context.Context              // of the acquire, for its values
	parts  *parts                       // of an All lease; nil for others
	ctx    atomic.Pointer[leaseContext] // nil until the first call of Context
}

// releasedLease is the core of the zero Lease and of a nil one: a released lease.
var releasedLease = func() *lease {
	l := &lease{}
	l.end.Store(wasReleased)
	l.asked.Store(true)
	return l
}()

// core returns the part of l that the keeper shares; releasedLease for the zero Lease and nil.
func (l *Lease) core() *lease {
	if l == nil || l.lease == nil {
		return releasedLease
	}
	return l.lease
}

// Name returns the name of the resource; for an All lease, the names of its parts joined by "+".
func (l *Lease) Name() string {
	if r := l.core().req; r != nil {
		return r.k.name
	}
	parts := l.list()
	names := make([]string, len(parts))
	for i, p := range parts {
		names[i] = p.Name()
	}
	return strings.Join(names, "+")
}

// Token returns the fencing token: every grant of the name gets a larger one than all before it,
// whichever process it goes to and whatever restarts. A resource that refuses a smaller token than
// it has seen is safe from holders that do not know that they have lost. The token of a released
// lease stays what it was; that of the zero Lease is 0.
//
// An All lease has no token, for each name counts its own: Token panics. Use the tokens of the
// parts, see [Lease.Leases].
func (l *Lease) Token() uint64 {
	c := l.core()
	switch {
	case c.req != nil:
		return c.req.token
	case c != releasedLease:
		panic("manager: Token of a lease on several names: use the tokens of its Leases")
	}
	return 0
}

// Leases returns the parts of an All lease, in the order of their names, or the lease itself.
func (l *Lease) Leases() []*Lease {
	if l.core().req != nil {
		return []*Lease{l}
	}
	return slices.Clone(l.list())
}

func (l *Lease) list() []*Lease {
	if l == nil || l.parts == nil {
		return nil
	}
	return l.parts.list
}

// Valid reports whether the lease is still held, by the clocks: it is right even when no timer
// could run, as after a pause of the process or a suspend of the machine. False is final.
func (l *Lease) Valid() bool { return l.Err() == nil }

// ValidUntil returns the instant until which the resource cannot be granted to another holder. Each
// renewal of the manager moves it. The context of the lease ends a stop margin before it. It is zero
// where leases do not expire. For an All lease it is the earliest of its parts'.
func (l *Lease) ValidUntil() time.Time {
	if r := l.core().req; r != nil {
		return r.validUntil()
	}
	var first time.Time
	for _, p := range l.list() {
		if t := p.ValidUntil(); first.IsZero() || !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	return first
}

// Err returns nil while the lease is held, ErrReleased after its release, ErrDetached after its
// Detach, and a *LostError if it was lost before.
func (l *Lease) Err() error {
	for _, p := range l.list() {
		_ = p.Err() // its hook ends l
	}
	return l.core().err()
}

// lost returns how this lease was lost, nil if it was not. Losses of other leases do not count.
func (l *Lease) lost() (lost *LostError) {
	errors.As(l.Err(), &lost)
	return lost
}

// Release releases the lease. It is idempotent and does not depend on any context; it waits for
// the store no longer than the release timeout.
//
// It returns nil if the lease was held until now, a *LostError if it was lost before, and an error
// that wraps ErrUnavailable if the store did not answer: then the lease has ended all the same, and
// the store frees the resource by itself when the lease would have expired. Waiters of this process
// go on at once.
func (l *Lease) Release() error {
	defer runtime.KeepAlive(l) // the keeper must not take it for dropped before it has the release
	c := l.core()
	switch err := l.Err(); {
	case c == releasedLease:
		return err
	case c.asked.Swap(true):
		return c.outcome()
	case c.req == nil:
		return l.releaseAll()
	}
	return c.release()
}

// release tells the keeper, and waits for its answer.
func (l *lease) release() error {
	held := l.finish(wasReleased)
	k := l.req.k
	l.reset()
	l.work.slot.Store(nil)
	k.mail.Deliver(release{l})
	l.work.do(k.m)
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
func (l *lease) troubled() error {
	var lost *LostError
	if errors.As(l.result, &lost) {
		l.end.Store(&ending{lost})
		return lost
	}
	return opErr("release", l.req.k.name, l.result)
}

// outcome is what a Release says of a lease that has ended.
func (l *lease) outcome() error {
	if err := l.endedBy(); !errors.Is(err, ErrReleased) {
		return err
	}
	return nil
}

// answered waits for the keeper's answer to a release, for as long as a release may take.
func (l *lease) answered(m *Manager) bool {
	if l.signal.Load() == settled { // saves the timer
		return true
	}
	ctx, cancel := m.timeout(m.cfg.releaseTimeout)
	defer cancel()
	return l.answer.await(m, ctx.Done(), nil)
}
