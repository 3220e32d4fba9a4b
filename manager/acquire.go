package manager

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"
)

// intent is how a claim is to be acquired.
type intent struct {
	from  context.Context // whose values the lease's context gets
	outer *lease          // what the caller holds already
	try   bool
	limit time.Duration // 0: none
	least time.Duration // that the name stays taken; 0: until the release
	hook  func(error)
	seen  *sighting // nil if nobody watches

	several *several // of which the lease will be a part; nil: it is one of its own
}

// acquire asks the keeper of the name. Its errors do not name the resource yet.
func (c *Claim) acquire(ctx context.Context, o *intent) (*Lease, error) {
	if o.outer != nil {
		if l, err := c.nested(o, o.outer.on(c)); l != nil || err != nil {
			return l, err
		}
	}
	for {
		k := c.m.keeper(c.name)
		if k == nil {
			return nil, c.refused(ErrClosed)
		}
		r := o.seen.newRequest()
		r.outer, r.hook, r.seen = o.outer, o.hook, o.seen
		r.k, r.kind, r.cap, r.weight = k, c.kind, c.cap, c.weight
		r.try, r.leads, r.least, r.until, r.handles, r.ctx = o.try, c.leads, o.least, instant(o.limit), 1, ctx
		r.req = r
		l := &Lease{lease: &r.lease, from: o.from}
		r.fresh = l
		k.mail.Deliver(acquire{r})
		r.work.do(c.m)
		err := r.await(ctx)
		c.m.unwatch(&r.lease)
		if err == nil {
			r.dropContext()
			return l, nil
		}
		// A keeper may retire between the look-up and the message. The next look-up finds its successor.
		if !errors.Is(err, errRetired) {
			return nil, err
		}
	}
}

// on returns the leases on the name of the claim among what the caller holds, the youngest first.
func (l *lease) on(c *Claim) (list []*lease) {
	for ; l != nil; l = l.outer {
		if r := l.req; r != nil && r.k.m == c.m && r.k.name == c.name {
			list = append(list, l)
		}
	}
	return list
}

// onEach is on for several claims, which stand in the order of their names; nil if the caller holds
// nothing. It looks at what the caller holds once for all of them.
func (l *lease) onEach(claims []Claim) [][]*lease {
	if l == nil {
		return nil
	}
	lists := make([][]*lease, len(claims))
	for ; l != nil; l = l.outer {
		r := l.req
		if r == nil {
			continue
		}
		i, found := slices.BinarySearchFunc(claims, r.k.name, func(c Claim, name string) int {
			return cmp.Compare(c.name, name)
		})
		if found && r.k.m == claims[i].m {
			lists[i] = append(lists[i], l)
		}
	}
	return lists
}

// nested looks at the leases on the name of c that the caller has, the youngest first. It returns a
// further lease on the same grant if the claim asks for that, ErrDeadlock if the caller would wait
// for itself, and nothing if this is an ordinary acquire: of a name that it does not hold, or of
// permits that are there beside those held.
func (c *Claim) nested(o *intent, has []*lease) (*Lease, error) {
	var held int64
	var counted []*request // grants in held: one that is re-entered counts once
	for _, l := range has {
		if l.err() != nil {
			continue
		}
		r := l.req
		if c.reentrant && r.kind == c.kind && r.cap == c.cap && r.weight >= c.weight {
			if o.least > 0 { // the grant has been made, without it or with a time of its own
				return nil, c.refused(invalidLeast(o.least, "none for a lease that is entered again"))
			}
			l, err := c.reenter(r, o)
			if errors.Is(err, ErrLost) || errors.Is(err, ErrReleased) {
				continue // the grant ended a moment ago, with all its leases
			}
			return l, err
		}
		if !slices.Contains(counted, r) {
			counted = append(counted, r)
			held += r.weight
		}
	}
	if held > 0 && held+c.weight > c.cap {
		return nil, c.refused(&DeadlockError{Cycle: []string{c.name}})
	}
	return nil, nil
}

// refused counts an acquire that never reaches a keeper, and returns the error.
func (c *Claim) refused(err error) error {
	c.m.count(c.name, func(n *Counters) { n.refused(err) })
	return err
}

func (c *Claim) reenter(r *request, o *intent) (*Lease, error) {
	n := &nest{lease: lease{req: r, several: o.several, outer: o.outer, hook: o.hook, seen: o.seen}, until: instant(o.limit)}
	l := &Lease{lease: &n.lease, from: o.from}
	n.fresh = l
	r.k.mail.Deliver(n)
	n.answer.await(c.m, nil, nil)
	if n.result != nil {
		return nil, n.result
	}
	return l, nil
}
