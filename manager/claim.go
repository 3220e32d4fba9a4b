package manager

import (
	"context"
	"errors"
	"runtime"

	"github.com/lockkeeper/lockkeeper/backends"
)

// A Claim says what is wanted: a resource and how much of it, or several. It holds nothing and may
// be kept, copied and used by any number of goroutines. The zero Claim is refused with ErrInvalid.
type Claim struct {
	m         *Manager
	name      string
	kind      backends.Kind
	cap       int64
	weight    int64
	reentrant bool
	leads     bool    // of Lead
	all       []Claim // of All
}

// Lock is a claim to be the only holder of the name.
func (m *Manager) Lock(name string) Claim {
	return Claim{m: m, name: name, kind: backends.Mutex, cap: 1, weight: 1}
}

// RWLock is a reader-writer lock: see [Manager.RWLock].
type RWLock struct {
	m    *Manager
	name string
}

// RWLock returns the reader-writer lock called name: any number of readers, or one writer.
func (m *Manager) RWLock(name string) RWLock { return RWLock{m, name} }

// Read is a claim to be one of the readers.
func (l RWLock) Read() Claim { return l.claim(1) }

// Write is a claim to be the only holder.
func (l RWLock) Write() Claim { return l.claim(backends.ReadWriteCapacity) }

func (l RWLock) claim(weight int64) Claim {
	return Claim{m: l.m, name: l.name, kind: backends.ReadWrite, cap: backends.ReadWriteCapacity, weight: weight}
}

// Semaphore is a weighted semaphore: see [Manager.Semaphore].
type Semaphore struct {
	m    *Manager
	name string
	cap  int64
}

// Semaphore returns the semaphore called name. All users of the name at a time must agree on the
// capacity, else ErrMismatch.
func (m *Manager) Semaphore(name string, capacity int64) Semaphore {
	return Semaphore{m, name, capacity}
}

// Permits is a claim to n of the permits at once. More than the capacity is ErrTooLarge.
func (s Semaphore) Permits(n int64) Claim {
	return Claim{m: s.m, name: s.name, kind: backends.Semaphore, cap: s.cap, weight: n}
}

// Reentrant returns a claim that its own holder may acquire again. An Acquire whose context comes
// from a live lease on the same name, of at least this weight, returns at once another lease on the
// same grant, with the same token. The resource is released with the last of these leases. A loss
// ends them all, but a re-entrant lease that reaches its own limit ([HoldAtMost]) ends alone.
// Reentrant of an All claim applies to each part.
func (c Claim) Reentrant() Claim {
	c.reentrant = true
	if c.all != nil {
		parts := make([]Claim, len(c.all))
		for i, p := range c.all {
			parts[i] = p.Reentrant()
		}
		c.all = parts
	}
	return c
}

// Acquire waits until the claim is granted or ctx ends, first come first served.
//
// On success the lease is held until its Release, or until it is lost: work under it should use
// [Lease.Context]. The end of ctx afterwards does not touch it. On failure nothing is held and
// nothing is left in a queue; a ctx that is already done loses even to a free resource. The error
// wraps that of ctx, or ErrUnavailable, ErrMismatch, ErrTooLarge, ErrInvalid, ErrDeadlock,
// ErrPermission or ErrClosed.
func (c Claim) Acquire(ctx context.Context, opts ...AcquireOption) (*Lease, error) {
	if c.watched() {
		var at Site
		if c.m.observer.sites {
			runtime.Callers(callersCaller, at.pc[:])
		}
		return c.observe(ctx, false, at, opts)
	}
	return c.begin(ctx, false, nil, nil, opts)
}

// TryAcquire is Acquire for a caller that does not want to wait for other holders or waiters: it
// fails with ErrBusy, and never overtakes a waiter. It still takes a store's answer to know, for
// which ctx sets the limit. If only leases of the caller's own owner are in the way, it fails with
// ErrDeadlock, as Acquire does: a try could never succeed.
func (c Claim) TryAcquire(ctx context.Context, opts ...AcquireOption) (*Lease, error) {
	if c.watched() {
		var at Site
		if c.m.observer.sites {
			runtime.Callers(callersCaller, at.pc[:])
		}
		return c.observe(ctx, true, at, opts)
	}
	return c.begin(ctx, true, nil, nil, opts)
}

// Do acquires the claim, runs fn, and releases. The context of fn is ctx, ended also when the lease
// is lost (its cause is then the *LostError), and it carries the owner, see [Lease.Context], and
// the lease, see [LeaseFrom]. If fn panics or calls runtime.Goexit, the lease is released and the
// panic goes on.
//
// If the claim cannot be acquired, Do returns the error of the acquire and does not call fn.
// Otherwise it returns the error of fn, joined with the *LostError if the lease was lost before fn
// returned. A release that the store did not answer is only logged: the work was done under a valid
// lease.
func (c Claim) Do(
	ctx context.Context, fn func(ctx context.Context) error, opts ...AcquireOption,
) error {
	var at Site
	if c.watched() && c.m.observer.sites {
		runtime.Callers(callersCaller, at.pc[:])
	}
	return c.do(ctx, at, fn, opts)
}

func (c *Claim) do(
	ctx context.Context, at Site, fn func(ctx context.Context) error, opts []AcquireOption,
) (err error) {
	if err := c.usable(ctx); err != nil {
		return err
	}
	if fn == nil {
		return c.refused(&InvalidError{Field: "function", Value: nil, Want: "not nil"})
	}
	var s *sighting
	if c.watched() {
		ctx, s = c.sight(ctx, false, at.orOf(fn))
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l, err := c.begin(ctx, false, cancel, s, opts)
	if s != nil {
		s.end(ctx, l, err)
	}
	if err != nil {
		return err
	}
	// Deferred, so that a panic or Goexit in fn releases as well, and goes on.
	defer func() {
		e := l.Release()
		lost := l.lost()
		if lost == nil {
			errors.As(e, &lost) // of a part that its release found lost
		}
		switch {
		case lost != nil && !errors.Is(err, lost): // else fn returned it
			err = errors.Join(err, lost)
		case lost == nil && e != nil:
			c.m.log("release failed", "name", readable(l.Name()), "err", e)
		}
	}()
	return fn(&leaseContext{inner, l})
}

// begin acquires one claim or all of its parts. The hook is told when the lease ends.
func (c *Claim) begin(
	ctx context.Context, try bool, hook func(error), seen *sighting, opts []AcquireOption,
) (*Lease, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	a := acquireConfig{maxHold: c.m.cfg.maxHold}
	if len(opts) > 0 {
		var err error
		if a, err = c.m.configure(opts); err != nil {
			return nil, c.refused(err)
		}
	}
	o := intent{
		from: ctx, outer: holder(ctx), try: try, limit: a.maxHold, least: a.atLeast, hook: hook, seen: seen,
	}
	if c.all != nil {
		return c.acquireAll(ctx, o)
	}
	if err := c.check(); err != nil {
		return nil, c.refused(err)
	}
	if ctx.Err() != nil {
		return nil, opErr("acquire", c.name, c.contextEnded(ctx))
	}
	l, err := c.acquire(ctx, &o)
	if err != nil {
		return nil, opErr("acquire", c.name, err)
	}
	return l, nil
}

// usable returns an error if the claim has no manager or ctx is nil.
func (c *Claim) usable(ctx context.Context) error {
	if !c.m.made() {
		return &InvalidError{Field: "claim", Value: "zero", Want: "one made by a Manager"}
	}
	if err := c.m.usable(ctx); err != nil {
		return c.refused(err)
	}
	return nil
}

// contextEnded counts an acquire whose context was done before it began, and returns the context's
// error.
func (c *Claim) contextEnded(ctx context.Context) error {
	c.m.count(c.name, func(n *Counters) { n.contextEnded(ctx.Err(), 0) })
	return backends.Ended(ctx)
}

// check refuses what could never be granted.
func (c *Claim) check() error {
	r := backends.Request{
		Resource: backends.Resource{Name: c.name, Kind: c.kind, Capacity: c.cap}, Weight: c.weight, Tokens: 1,
	}
	return r.Check(backends.Capabilities{})
}
