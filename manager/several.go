package manager

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// several is a request for several names, until the last of its parts is released.
//
// The manager's actor places it: in one turn it sends each part to the keeper of its name. So any
// two requests of a process stand in the same order in every queue that they share. A keeper pins a
// part that is first in its queue while the process has nothing of the whole name: it makes no
// other request for the name before this one is over. The keeper that pins the last part starts one
// operation for all of them. So a process holds nothing of it while it asks for places, and the
// store gives the places in one step. Why this cannot deadlock is argued in
// docs/internals/several-names.md.
//
// A part that is granted is held and renewed while others wait. When all are, the request is
// accepted. If one fails or is lost before, or if the caller's context ends, the request fails as a
// whole: its state leaves pending once. Its caller then has the manager's actor cancel the parts,
// each keeper removing or releasing its own. The actor has placed them before, so no part can come
// later.
type several struct {
	all   lease // of the whole; its signal wakes the caller
	m     *Manager
	ctx   context.Context // of the caller
	outer *lease          // what the caller holds
	parts []request
	names []Claim

	state   atomic.Uint32 // pending, accepted, refused or cancelled, like that of a request
	failure atomic.Pointer[failure]

	placed  int          // parts sent to their keepers; owned by the manager's actor
	missing atomic.Int32 // parts that are not pinned, and one until all are placed; 0: started
	held    atomic.Int32 // parts that were granted
	heard   atomic.Bool  // the lease of a part has a context
	phase   atomic.Uint32

	op *operation // acquires, later releases; its calls: requests, then releases

	unqueued atomic.Int32 // parts that have not come to their keepers
	crowded  atomic.Bool  // requests or holders were there before a part; see waits.go

	undecided  atomic.Int32 // releases that may still join op, and one until all are sent
	unreleased atomic.Int32 // releases not answered, and one until op has started
}

// outOfReach is what missing is set to before the operation has started: no part that is pinned
// after that starts it.
const outOfReach = math.MinInt32 / 2

// The bits of the phase: whichever of starting and cancelling comes second cancels the operation.
const (
	opBegun uint32 = 1 << iota
	opCancelled
)

// failure is why a request for several names failed, and the name that is to blame.
type failure struct {
	name string
	err  error
}

type (
	placeParts  struct{ *several } // to the manager's actor
	cancelParts struct{ *several } // to the manager's actor
	leave       struct{ *request } // to a keeper
)

func newSeveral(ctx context.Context, m *Manager, o *intent) *several {
	s := &several{m: m, ctx: ctx, outer: o.outer}
	s.all.hook, s.all.seen = o.hook, o.seen
	return s
}

// acquire requests the claims, which are of different names in ascending order. The leases belong
// to the caller. An error concerns the name that acquire returns, and leaves nothing behind.
func (s *several) acquire(claims []Claim, leases []Lease, o *intent) (string, error) {
	ctx, began := s.ctx, s.m.now()
	s.init(claims, leases, o)
	if len(claims) > 0 {
		s.m.actor.mail.Deliver(placeParts{s})
		s.all.work.do(s.m)
	} else if s.state.CompareAndSwap(pending, accepted) {
		return "", nil
	}
	err := s.await()
	s.m.unwatch(&s.all)
	if err == nil {
		return "", nil
	}
	name := joined(claims)
	if f := s.failure.Load(); s.state.Load() == refused && f.name != "" {
		name = f.name
	}
	if s.state.Load() == cancelled {
		name, err = s.blame(err)
	}
	s.m.actor.mail.Deliver(cancelParts{s})
	if s.state.Load() == cancelled {
		waited := time.Duration(s.m.now() - began)
		s.m.count(claims[0].name, func(c *Counters) { c.contextEnded(ctx.Err(), waited) })
	}
	return name, err
}

// init makes the parts, and the operation that is going to request them.
func (s *several) init(claims []Claim, leases []Lease, o *intent) {
	n := len(claims)
	s.parts, s.names = make([]request, n), claims
	op := s.m.newOperation(2 * n)
	op.Acquire, op.Wait = slices.Grow(op.Acquire, n)[:n], !o.try
	for i := range claims {
		c, r := &claims[i], &s.parts[i]
		r.outer, r.seen, r.fresh = s.outer, o.seen, &leases[i]
		r.kind, r.cap, r.weight, r.try, r.least = c.kind, c.cap, c.weight, o.try, o.least
		r.handles, r.several, r.index, r.req = 1, s, i, r
		leases[i].lease, leases[i].from = &r.lease, o.from
		op.granted = append(op.granted, &op.calls[i])
	}
	s.op = op
	s.missing.Store(int32(n) + 1)
	s.unqueued.Store(int32(n))
}

// await returns nil when all parts are held, or why they are not. If all were held first, that
// counts, although the context is done.
func (s *several) await() error {
	left := func() bool { return s.state.CompareAndSwap(pending, cancelled) }
	switch {
	case !s.all.answer.await(s.m, s.ctx.Done(), left):
		return backends.Ended(s.ctx)
	case s.state.Load() == accepted:
		return nil
	}
	return s.failure.Load().err
}

// fail fails the request because of a part, unless it is over. It reports whether it did.
func (s *several) fail(r *request, err error) bool {
	name := s.names[r.index].name
	if held := (*HeldError)(nil); errors.As(err, &held) {
		name = held.Name // of a try, of which the store tells each part the same
	}
	s.failure.CompareAndSwap(nil, &failure{name, err})
	if !s.state.CompareAndSwap(pending, refused) {
		return false
	}
	s.all.settle()
	return true
}

// partHeld notes that a keeper has granted a part.
func (s *several) partHeld() {
	if int(s.held.Add(1)) == len(s.parts) && s.state.CompareAndSwap(pending, accepted) {
		s.all.settle()
	}
}

// partEnded is told when the lease of a part ends. Before the request is accepted, the end of one
// fails it; afterwards it ends the lease of all. The state decides which.
func (s *several) partEnded(e *ending) {
	if s.state.Load() == pending {
		s.failure.CompareAndSwap(nil, partLost)
		if s.state.CompareAndSwap(pending, refused) {
			s.all.settle()
			return
		}
	}
	if s.state.Load() == accepted {
		s.all.finish(e)
	}
}

var partLost = &failure{"", errPartLost}

// place sends the parts to their keepers.
func (c *managerActor) place(s *several) {
	for i := range s.parts {
		r := &s.parts[i]
		if s.state.Load() != pending {
			break // a part was refused at once
		}
		if r.k = c.m.keeper(s.names[i].name); r.k == nil {
			if s.fail(r, ErrClosed) {
				c.m.dir.refuse(s.names[i].name)
			}
			break
		}
		s.placed++
		r.k.tell(acquire{r})
	}
	if s.placed == len(s.parts) {
		s.pinned(nil)
	}
}

// pinned notes that a part is pinned, by a keeper in its turn, or that all are placed. The last of
// these starts the operation.
func (s *several) pinned(by *keeper) {
	if s.missing.Add(-1) != 0 {
		return
	}
	s.start(s.ctx, by)
	if s.phase.Or(opBegun)&opCancelled != 0 {
		s.cancel()
	}
}

// cancel takes back what the operation still waits for.
func (s *several) cancel() { s.parts[0].k.cancel(s.op) }

// cancelParts removes the parts that are not granted from their queues and releases the others.
func (c *managerActor) cancelParts(s *several) {
	for n := s.missing.Load(); ; n = s.missing.Load() {
		if n == 0 { // started, or about to be
			if s.phase.Or(opCancelled)&opBegun != 0 {
				s.cancel()
			}
			break
		}
		if s.missing.CompareAndSwap(n, outOfReach) {
			break
		}
	}
	for i := range s.placed {
		r := &s.parts[i]
		r.k.tell(leave{r})
	}
}

// releaseAll releases the parts that have not been released one by one, in one operation as far as
// their grants go back to the store.
func (s *several) releaseAll() error {
	s.all.reset()
	s.all.work.slot.Store(nil)
	s.reuse()
	mine := make([]bool, len(s.parts))
	n := int32(1) // for the caller, and for the start of the operation
	for i := range s.parts {
		r := &s.parts[i]
		if mine[i] = !r.asked.Swap(true); mine[i] {
			r.together = true
			n++
		}
	}
	s.undecided.Store(n)
	s.unreleased.Store(n)
	for i := range s.parts {
		if r := &s.parts[i]; mine[i] {
			r.confirm = r.finish(wasReleased)
			r.k.tell(release{&r.lease})
		}
	}
	s.decided(nil)
	s.all.work.do(s.m)
	answered := s.all.answered(s.m)
	if answered {
		s.m.free(s.op)
	}
	return s.outcome(mine, answered)
}

// reuse makes the operation ready for the releases, unless the store may still use it.
func (s *several) reuse() {
	if s.op.work {
		s.op = s.m.newOperation(2 * len(s.parts))
	} else {
		s.op.reset()
	}
}

// outcome joins what the releases of the parts return, as that of a single lease would.
func (s *several) outcome(mine []bool, answered bool) error {
	var errs []error
	for i := range s.parts {
		r := &s.parts[i]
		switch {
		case !mine[i] || !r.confirm:
			errs = append(errs, r.lease.outcome())
		case !answered:
			errs = append(errs, opErr("release", r.k.name, errNoAnswer))
		case r.result != nil:
			errs = append(errs, r.troubled())
		}
	}
	return errors.Join(errs...)
}

// decided notes that a keeper has decided what becomes of the grant of a part that is released. The
// last one starts the operation, if any grant goes back to the store.
func (s *several) decided(by *keeper) {
	if s.undecided.Add(-1) != 0 {
		return
	}
	s.start(noContext, by)
	s.partReleased()
}

// start starts the operation, with the releases that keepers have put into it. The caller may run
// the work, with ctx.
func (s *several) start(ctx context.Context, by *keeper) {
	op, n := s.op, len(s.parts)
	for i := range n {
		if c := &op.calls[n+i]; c.k != nil {
			op.Release, op.released = append(op.Release, c.grant), append(op.released, c)
		}
	}
	if len(op.Release)+len(op.Acquire) == 0 {
		return
	}
	if work := s.m.startStore(op); work != nil {
		s.parts[0].k.run(ctx, op, work, &s.all.work)
	}
	op.collect(by)
}

// release returns the call that takes the answer to the release of a part.
func (s *several) release(r *request) *call { return &s.op.calls[len(s.parts)+r.index] }

// partReleased notes that the release of a part is over.
func (s *several) partReleased() {
	if s.unreleased.Add(-1) == 0 {
		s.all.settle()
	}
}
