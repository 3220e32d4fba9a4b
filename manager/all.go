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
// A part that is lost while Acquire waits for others is no loss of the caller's, who has no lease
// yet: Acquire releases it and those after it, and takes them again in order, for as long as ctx
// lasts. It then waits at the end of their queues. So it fails with ErrClosed or ErrUnavailable
// where the loss came from there, but not with a LostError for a part. The limits of [HoldAtMost] and
// [WithMaxHold] count from when the last part is granted.
//
// The same name twice counts once; as reader and as writer, as writer; permits of one semaphore are
// added up. A name that the caller holds already, as ctx says, is re-entered if the claim is
// [Claim.Reentrant], else ErrDeadlock, as for a single claim. The lease ends when the lease of any
// part does. No claims at all are a claim that is always granted.
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
