package manager

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// observer is what the options say of watching acquires. A manager that nobody watches has none: so
// each acquire pays a comparison.
type observer struct {
	on       bool
	sites    bool // each acquire has its site recorded
	tracer   Tracer
	lease    LeaseTracer
	handoff  HandoffTracer
	renewal  RenewalTracer
	deadlock DeadlockTracer
	slowWait time.Duration // 0: not logged
	slowHold time.Duration
	profiles *profiles // nil: none
}

// sighting is what the observer knows of an acquire, and of the lease that it gets. All parts of an
// All share that of the whole. Keepers refer to it, so beside own it must not refer to the caller's
// Lease, see dropped.go.
type sighting struct {
	own  request // room for the request of an acquire of one name: it saves an allocation
	m    *Manager
	name string
	ctx  context.Context // of TraceAcquireStart, for the tracer's calls to come; nil if there are none

	site    atomic.Uintptr // of the Site; 0: not recorded
	granted atomic.Int64   // one after the instant; 0: not yet
	waits   atomic.Int64   // one after the instant of its begin, if the slow log has told of it

	// Owned by the caller until its request goes to the keeper, and from the answer on.
	asking bool // a tracer's call that may ask for the site is under way
	used   bool // own is in use
}

// watched reports whether somebody watches the acquires of the claim.
func (c *Claim) watched() bool { return c.m != nil && c.m.observer != nil }

// observe is begin for a manager with an observer.
func (c *Claim) observe(ctx context.Context, try bool, at Site, opts []AcquireOption) (*Lease, error) {
	if err := c.usable(ctx); err != nil {
		return nil, err
	}
	ctx, s := c.sight(ctx, try, at)
	l, err := c.begin(ctx, try, nil, s, opts)
	s.end(ctx, l, err)
	return l, err
}

// sight begins to watch an acquire. The acquire uses the context that it returns.
func (c *Claim) sight(ctx context.Context, try bool, at Site) (context.Context, *sighting) {
	o := c.m.observer
	s := &sighting{m: c.m, name: c.name}
	if at != (Site{}) {
		s.site.Store(at.pc[0])
	}
	if c.all != nil {
		s.name = joined(c.all)
	}
	if o.tracer != nil {
		start := TraceAcquireStart{
			Name: s.name, Kind: c.kind, Capacity: c.cap, Weight: c.weight, Try: try, seen: s,
		}
		s.asking = true
		if traced := o.tracer.TraceAcquireStart(ctx, start); traced != nil {
			ctx = traced
		}
		s.asking = false
		if o.lease != nil || o.handoff != nil || o.renewal != nil {
			s.ctx = ctx
		}
	}
	if o.profiles != nil {
		o.profiles.waiters.Add(s, profileSkip)
	}
	return ctx, s
}

// end tells how the acquire ended. If the tracer panics, the lease is released before the panic
// goes on.
func (s *sighting) end(ctx context.Context, l *Lease, err error) {
	o := s.m.observer
	if o.lease != nil && err == nil && s.granted.Load() == 0 { // a lease that was entered again
		s.granted.Store(s.m.now() + 1)
	}
	if o.profiles != nil {
		o.profiles.waiters.Remove(s)
		if err == nil {
			o.profiles.holders.Add(s, profileSkip)
			if l.core().end.Load() != nil { // it ended before, or ended sees the entry
				o.profiles.holders.Remove(s)
			}
		}
	}
	if since := s.waits.Load(); since != 0 {
		s.slowWaitEnded(since, err)
	}
	if o.tracer == nil {
		return
	}
	s.asking = true
	defer func() {
		if s.asking && l != nil {
			_ = l.Release()
		}
	}()
	if o.deadlock != nil && err != nil {
		var dead *DeadlockError
		if errors.As(err, &dead) {
			o.deadlock.TraceDeadlock(ctx, TraceDeadlock{Cycle: dead.Cycle, Site: s.at()})
		}
	}
	o.tracer.TraceAcquireEnd(ctx, TraceAcquireEnd{Lease: l, Err: err, seen: s})
	s.asking = false
}

// ended is told when the lease ends, by the goroutine that ends it.
func (s *sighting) ended(l *lease, why error) {
	o := s.m.observer
	if o.profiles != nil {
		o.profiles.holders.Remove(s)
	}
	if o.lease == nil {
		return
	}
	end := TraceLeaseEnd{Name: s.name, Site: s.at(), Err: why}
	if at := s.granted.Load(); at != 0 {
		end.Held = time.Duration(s.m.now() + 1 - at)
	}
	if l.req != nil {
		end.Token = l.req.token
	}
	s.m.guard(func() { o.lease.TraceLeaseEnd(s.ctx, end) })
}

// newRequest returns the room for a request that came with the sighting, if there is one and it is
// free, else a new request.
func (s *sighting) newRequest() *request {
	if s == nil || s.used {
		return new(request)
	}
	s.used = true
	return &s.own
}

// at returns the site of the acquire, if it was recorded.
func (s *sighting) at() Site {
	if s == nil {
		return Site{}
	}
	return Site{[1]uintptr{s.site.Load()}}
}

// look is at for a call of the tracer on the goroutine of the caller: it records the site.
func (s *sighting) look() Site {
	at := s.at()
	if at == (Site{}) && s != nil && s.asking {
		at = siteOfCaller()
		s.site.Store(at.pc[0])
	}
	return at
}
