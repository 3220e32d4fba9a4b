package manager

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/backends"
)

// All is a claim to several resources at once: all or none. Parts may themselves be All claims, and
// of different kinds.
//
// Acquire takes a place in the queues of all names in one step, and returns when all are granted.
// It waits for the longest of its queues, and holds what is granted meanwhile. A Redis cluster is
// asked slot by slot, for the next when all of one slot is granted: there the waits add up. All
// claims cannot block each other, nor claims to single names that their holders release. When
// Acquire fails, nothing is held. TryAcquire takes all that it wants at once, or nothing: a try that
// fails has touched nothing, or in a cluster has given back what it had of the slots before.
//
// A part may be lost while Acquire waits for the others. Acquire then releases what it has and
// begins again, at the end of the queues, until ctx ends. It never fails with a LostError. The
// limits of [HoldAtMost] and [WithMaxHold] count from the grant of the last part.
//
// The same name twice counts once: a reader and a writer as a writer, permits of one semaphore as
// their sum. A name that the caller already holds, by ctx, is re-entered if the claim is
// [Claim.Reentrant]; otherwise Acquire fails with ErrDeadlock, as for a single claim. The lease
// ends when the lease of any part does. A claim of no parts is always granted.
func (m *Manager) All(claims ...Claim) Claim {
	c := Claim{m: m, all: make([]Claim, 0, len(claims))}
	for _, p := range claims {
		if p.all != nil && p.m == m {
			c.all = append(c.all, p.all...)
		} else {
			c.all = append(c.all, p)
		}
	}
	return c
}

// merged returns the parts sorted by name, each name once.
func (c *Claim) merged() ([]Claim, error) {
	parts := slices.Clone(c.all)
	slices.SortStableFunc(parts, func(a, b Claim) int { return cmp.Compare(a.name, b.name) })
	out := parts[:0]
	for _, p := range parts {
		if p.m != c.m {
			return nil, &InvalidError{Field: "claim", Value: p.name, Want: "claims of the same manager"}
		}
		if err := p.check(); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].name != p.name {
			out = append(out, p)
			continue
		}
		if err := out[len(out)-1].join(p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// join makes c a claim to what both want.
func (c *Claim) join(p Claim) error {
	if c.kind != p.kind || c.cap != p.cap {
		return &MismatchError{
			Have: backends.Resource{Name: c.name, Kind: c.kind, Capacity: c.cap},
			Want: backends.Resource{Name: p.name, Kind: p.kind, Capacity: p.cap},
		}
	}
	if c.kind == backends.Semaphore {
		c.weight += p.weight
	} else {
		c.weight = max(c.weight, p.weight)
	}
	c.reentrant = c.reentrant || p.reentrant
	return c.check()
}

// parts are the leases of an All lease. No keeper refers to them, see dropped.go.
type parts struct {
	lease   Lease    // of all
	list    []*Lease // in the order of their names
	nested  []*Lease // of these, the re-entrant ones
	several *several // of the others
}

// errPartLost fails a request for several names because it lost a part before it had all. It never
// reaches a caller.
var errPartLost = errors.New("a part was lost")

// acquireAll takes all parts, or none.
func (c *Claim) acquireAll(ctx context.Context, o intent) (*Lease, error) {
	for late := false; ; {
		claims, err := c.merged()
		if err != nil {
			return nil, c.refused(err)
		}
		if ctx.Err() != nil {
			return nil, opErr("acquire", joined(claims), c.contextEnded(ctx))
		}
		l, name, err := c.gather(ctx, claims, &o)
		if err == nil {
			return l, nil
		}
		switch {
		case errors.Is(err, errRetired): // the keeper has a successor by now
		case errors.Is(err, errPartLost): // all are requested again
		case errors.Is(err, errTooLate) && !late:
			late = true
		case errors.Is(err, errTooLate): // this store, or this machine, is too slow for the TTL
			return nil, opErr("acquire", name, c.refused(&causeError{ErrUnavailable, err}))
		default:
			return nil, opErr("acquire", name, err)
		}
	}
}

// gather enters again what the caller holds and may, and requests the rest. Its error concerns the
// name that it returns.
func (c *Claim) gather(ctx context.Context, claims []Claim, o *intent) (*Lease, string, error) {
	s := newSeveral(ctx, c.m, o)
	all := &parts{list: make([]*Lease, 0, len(claims)), several: s}
	rest, has := claims[:0], o.outer.onEach(claims)
	for i, p := range claims {
		var l *Lease
		var err error
		if o.outer != nil && len(has[i]) > 0 {
			part := *o
			part.limit, part.outer, part.several, part.hook, part.seen = 0, s.outer, s, nil, nil
			l, err = p.nested(&part, has[i])
		}
		if err != nil {
			_ = releaseParts(all.nested)
			return nil, p.name, err
		}
		if l != nil {
			all.nested = append(all.nested, l)
			s.outer = l.lease // held while the caller waits for the rest
		} else {
			rest = append(rest, p)
		}
	}
	s.all.outer = s.outer
	leases := make([]Lease, len(rest))
	if name, err := s.acquire(rest, leases, o); err != nil {
		_ = releaseParts(all.nested)
		return nil, name, err
	}
	for i := range leases {
		all.list = append(all.list, &leases[i])
	}
	all.become(o)
	return &all.lease, "", nil
}

// become makes the lease of all from those of the parts.
func (all *parts) become(o *intent) {
	s := all.several
	all.lease.lease, all.lease.from, all.lease.parts = &s.all, o.from, all
	for i := range s.parts { // what the caller holds from now on, for acquires under this lease
		s.parts[i].outer, s.all.outer = s.all.outer, &s.parts[i].lease
	}
	if len(all.nested) > 0 {
		all.list = append(all.list, all.nested...)
		slices.SortFunc(all.list, func(a, b *Lease) int { return cmp.Compare(a.Name(), b.Name()) })
	}
	if o.limit > 0 {
		for _, p := range all.list {
			p.req.k.mail.Deliver(limit{p.lease, instant(o.limit)})
		}
	}
}

// releaseAll releases the parts.
func (l *Lease) releaseAll() error {
	l.finish(wasReleased)
	err := errors.Join(releaseParts(l.parts.nested), l.parts.several.releaseAll())
	if err != nil {
		return err
	}
	return l.outcome()
}

func releaseParts(list []*Lease) error {
	var errs []error
	for _, p := range slices.Backward(list) {
		errs = append(errs, p.Release())
	}
	return errors.Join(errs...)
}

// joined returns the names of the claims, as [Lease.Name] does.
func joined(claims []Claim) string {
	names := make([]string, len(claims))
	for i, c := range claims {
		names[i] = c.name
	}
	return strings.Join(names, "+")
}
