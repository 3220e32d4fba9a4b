package manager

import (
	"context"
	"errors"
	"sync/atomic"
)

// gather hears of the ends of the parts of an All. It refers to no [Lease], see dropped.go.
//
// Until all parts are held, the end of a part ends the wait for the next one; afterwards it ends
// the All. No end is missed: the acquirer first announces a new wait, or that the All is whole, and
// then looks for parts that have ended; a part first ends and then looks for the announcement.
type gather struct {
	all   lease
	whole atomic.Bool
	stop  atomic.Pointer[context.CancelCauseFunc] // of the wait for the next part
}

// errPartLost ends the wait for the next part. It never reaches a caller.
var errPartLost = errors.New("another part was lost")

var noStop context.CancelCauseFunc = func(error) {}

// partEnded is the hook of the parts.
func (g *gather) partEnded(err error) {
	if g.whole.Load() {
		g.all.finish(&ending{err})
	}
	(*g.stop.Load())(errPartLost)
}

// wait replaces the context for the wait for parts, and returns the new one.
func (g *gather) wait(ctx context.Context) context.Context {
	next, stop := context.WithCancelCause(ctx)
	if old := g.stop.Swap(&stop); old != nil {
		(*old)(nil)
	}
	return next
}

// acquireAll takes the parts in order, or none.
func (c *Claim) acquireAll(ctx context.Context, o order) (*Lease, error) {
	parts, err := c.merged()
	if err != nil {
		return nil, c.refused(err)
	}
	if ctx.Err() != nil {
		return nil, opErr("acquire", "all", c.contextEnded(ctx))
	}
	g := &gather{all: lease{outer: o.outer, hook: o.hook}}
	held, err := g.take(ctx, parts, o)
	(*g.stop.Swap(&noStop))(nil)
	if err != nil {
		name := parts[len(held)].name
		_ = releaseParts(held) // err is the one to report
		return nil, opErr("acquire", name, err)
	}
	if len(held) > 0 {
		g.all.outer = held[len(held)-1].lease
	}
	g.whole.Store(true)
	for _, p := range held {
		if e := p.end.Load(); e != nil { // it ended before whole was set
			g.all.finish(e)
		}
		if o.limit > 0 {
			p.req.k.mail.Deliver(limit{p.lease, instant(o.limit)})
		}
	}
	return &Lease{lease: &g.all, from: o.from, parts: &held}, nil
}

// take acquires the parts in order and returns those that are held: all of them, or an error.
func (g *gather) take(ctx context.Context, parts []Claim, o order) ([]*Lease, error) {
	held := make([]*Lease, 0, len(parts))
	part := order{from: o.from, outer: o.outer, try: o.try, hook: g.partEnded}
	wait := g.wait(ctx)
	for {
		n := intact(held)
		if n < len(held) || context.Cause(wait) == errPartLost { //nolint:errorlint // the very value
			_ = releaseParts(held[n:]) // to take them in order, lest two Alls block each other
			clear(held[n:])
			held = held[:n]
			wait = g.wait(ctx) //nolint:fatcontext // from ctx each time
			continue           // a part may have ended before this wait existed
		}
		if len(held) == len(parts) {
			return held, nil
		}
		next := &parts[len(held)]
		if ctx.Err() != nil {
			return held, next.contextEnded(ctx)
		}
		if part.outer = o.outer; len(held) > 0 {
			part.outer = held[len(held)-1].lease
		}
		l, err := next.acquire(wait, &part)
		switch {
		case err == nil:
			held = append(held, l)
		case !errors.Is(err, errPartLost):
			return held, err
		case ctx.Err() != nil:
			return held, next.contextEnded(ctx)
		}
	}
}

// intact returns how many parts are held before the first that has ended.
func intact(held []*Lease) int {
	for i, p := range held {
		if p.endedBy() != nil {
			return i
		}
	}
	return len(held)
}
