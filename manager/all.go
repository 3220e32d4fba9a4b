package manager

import (
	"cmp"
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/backends"
)

// All is a claim to several resources at once: all or none. They are acquired one after the other in the order of their
// names, as by everybody else who uses All, so that such claims cannot block each other; when one fails, those already taken
// are released before Acquire returns. The deadline of ctx is for all together. Parts may themselves be All claims.
//
// A part may be lost while Acquire waits for the others. Acquire then releases that part and those
// after it and takes them again in order, at the end of their queues, until ctx ends. It never
// fails with a LostError; it fails with ErrClosed or ErrUnavailable if those prevent it from taking
// a part again. The limits of [HoldAtMost] and [WithMaxHold] count from the grant of the last part.
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
