package manager

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// All is a claim to several resources at once: all or none. They are acquired one after the other in the order of their
// names, as by everybody else who uses All, so that such claims cannot block each other; when one fails, those already taken
// are released before Acquire returns. The deadline of ctx is for all together. Parts may themselves be All claims.
//
// The same name twice counts once; as reader and as writer, as writer; permits of one semaphore are added up. The
// lease ends when the lease of any part does. No claims at all are a claim that is always granted.
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

// acquireAll takes the parts in order, or none.
func (c *Claim) acquireAll(ctx context.Context, o order) (*Lease, error) {
	parts, err := c.merged()
	if err != nil {
		return nil, c.refused(err)
	}
	if ctx.Err() != nil {
		return nil, opErr("acquire", "all", c.gaveUp(ctx))
	}
	// The loss of a part already taken ends the wait for the others.
	wait, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	all := &lease{outer: o.outer}
	all.hook = func(err error) {
		stop(err)
		if o.hook != nil {
			o.hook(err)
		}
	}
	end := func(err error) { all.finish(&ending{err}) }
	held := make([]*Lease, 0, len(parts))
	outer := o.outer
	for i := range parts {
		l, err := parts[i].acquire(wait, &order{from: o.from, outer: outer, try: o.try, limit: o.limit, hook: end})
		if err == nil {
			held = append(held, l)
			outer = l.lease
			if err = all.endedBy(); err != nil {
				_ = parts[i].refused(err)
			}
		}
		if err != nil {
			if lost := all.endedBy(); lost != nil {
				err = lost
			}
			all.finish(&ending{err}) // so that the parts have nobody to tell
			_ = releaseParts(held)   // the reason to fail is the one to report
			return nil, opErr("acquire", parts[i].name, err)
		}
	}
	all.outer = outer
	return &Lease{lease: all, from: o.from, parts: &held}, nil
}

// releaseAll releases the parts, the last taken first.
func (l *Lease) releaseAll() error {
	l.finish(wasReleased)
	if err := releaseParts(l.list()); err != nil {
		return err
	}
	return l.outcome()
}

func releaseParts(parts []*Lease) error {
	var errs []error
	for _, p := range slices.Backward(parts) {
		errs = append(errs, p.Release())
	}
	return errors.Join(errs...)
}
