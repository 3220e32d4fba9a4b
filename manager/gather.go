package manager

import (
	"context"
	"errors"
	"sync/atomic"
)

// gather is what the parts of an All tell of their ends. It refers to no [Lease], see dropped.go.
//
// Until all parts are held, the end of one ends the wait for the next; afterwards it ends the All.
// The acquirer announces a new wait, or that it is whole, before it looks for parts that have
// ended; a part ends before it looks for the announcement: so one of them sees the other.
type gather struct {
	all   lease
	whole atomic.Bool
	stop  atomic.Pointer[context.CancelCauseFunc] // of the wait for the next part
}

// errPartLost ends the wait for the next part. No caller sees it.
var errPartLost = errors.New("another part was lost")

var noStop context.CancelCauseFunc = func(error) {}

// partEnded is the hook of the parts.
func (g *gather) partEnded(err error) {
	if g.whole.Load() {
		g.all.finish(&ending{err})
	}
	(*g.stop.Load())(errPartLost)
}

// wait returns a context to wait for parts with, in place of the one before.
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
		return nil, opErr("acquire", "all", c.gaveUp(ctx))
	}
	g := &gather{all: lease{outer: o.outer, hook: o.hook}}
	held, err := g.take(ctx, parts, o)
	(*g.stop.Swap(&noStop))(nil)
	if err != nil {
		name := parts[len(held)].name
		_ = releaseParts(held) // the reason to fail is the one to report
		return nil, opErr("acquire", name, err)
	}
	if len(held) > 0 {
		g.all.outer = held[len(held)-1].lease
	}
	g.whole.Store(true)
	for _, p := range held {
		if e := p.end.Load(); e != nil { // it ended a moment ago: as if after the return
			g.all.finish(e)
		}
		if o.limit > 0 {
			p.req.k.mail.Deliver(limit{p.lease, instant(o.limit)})
		}
	}
	return &Lease{lease: &g.all, from: o.from, parts: &held}, nil
}

// take returns the parts that are held, which are all unless there is an error.
func (g *gather) take(ctx context.Context, parts []Claim, o order) ([]*Lease, error) {
	held := make([]*Lease, 0, len(parts))
	part := order{from: o.from, outer: o.outer, try: o.try, hook: g.partEnded}
	wait := g.wait(ctx)
	for {
		if n := intact(held); n < len(held) || context.Cause(wait) == errPartLost { //nolint:errorlint // the very value
			_ = releaseParts(held[n:]) // in the order of names again, so that no other All is blocked
			clear(held[n:])
			held = held[:n]
			wait = g.wait(ctx) //nolint:fatcontext // from ctx each time
			continue           // a part may have ended before there was this wait to end
		}
		if len(held) == len(parts) {
			return held, nil
		}
		next := &parts[len(held)]
		if ctx.Err() != nil {
			return held, next.gaveUp(ctx)
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
			return held, next.gaveUp(ctx)
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
