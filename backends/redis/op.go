package redis

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// Start begins an operation. See [backends.Backend] and [backends.Op].
//
// The work sends one command, and returns with its answer. A request that is queued survives the
// server's absence: it waits until it is cancelled, and if it has lost its place meanwhile, it
// queues again (Requeued). A new request does not: it fails with ErrUnavailable, for nobody knows
// yet whether it will ever be possible.
//
// In a cluster, an operation over several slots is one command for each: all releases and the
// requests of the first slot in the work, each further slot when the one before is granted in full.
// A try over several slots is not atomic: it takes what it can get in that order, and releases that
// when a later slot is busy.
//
// A release that the server does not confirm is repeated in the background until it is confirmed
// or the grant has expired. What a cancelled request has or may still get is released; that is told
// after at most 50 ms, even if the server has not confirmed it.
func (b *Backend) Start(op *backends.Op) backends.Work {
	b.made()
	o := &operation{op: op, b: b, wait: op.Wait}
	op.State = o
	if err := op.Check(capabilities); err != nil {
		op.Fail(wrap("acquire", "", err))
	} else {
		o.expect(op.Acquire)
	}
	o.releases = o.release[:0]
	for i, g := range op.Release {
		err := backends.CheckName(g.Resource.Name)
		if err != nil {
			op.Released(i, wrap("release", "", err))
		}
		o.releases = append(o.releases, release{g, err != nil})
	}
	if o.split(); len(o.parts) == 0 {
		return nil
	}
	b.tell(begin{o})
	return o.work
}

// Cancel takes back the requests of an operation that have no answer yet. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	b.made()
	if o, _ := op.State.(*operation); o != nil && o.op == op { // else op is a copy
		b.tell(cancelOp{o, context.Canceled, false})
	}
	return nil
}

// tell gives the client a message. It never waits, and may be called in another actor's turn: the
// client's turn waits for nothing, and calls nobody that waits.
func (b *Backend) tell(m message) {
	if !b.client.actor.TryDeliver(m) {
		b.client.actor.Tell(m)
	}
}

// operation is what the backend keeps of an op.
//
//	┌───────┐ work      ┌─────────┐ answer  ┌────────────────────────────┐
//	│ fresh │ ────────▶ │ sending │ ──────▶ │ each request: see redis.md │
//	└───────┘           └─────────┘         └────────────────────────────┘
//	    │ cancelled or closed before
//	    ▼ anything was sent
//	┌───────┐
//	│ void  │ its work does nothing
//	└───────┘
//
// The client owns it, but for its phase. An op is its caller's again after its last answer, so only
// the callbacks are used of it.
type operation struct {
	op       *backends.Op
	b        *Backend
	wait     bool
	releases []release
	requests []request
	release  [1]release // room for one, as the next
	request  [1]request
	part     [1]part
	parts    []part // by slot
	slot     int    // whose requests were sent last
	phase    atomic.Int32

	asked    int   // requests in the slots up to now
	granted  int   // so many of them
	open     int   // requests that have no answer yet
	busy     error // why a try cannot have all
	cause    error // why the others are not granted: the operation has failed
	patience *actor.Timer
}

// release is one of an operation.
type release struct {
	backends.Grant
	told bool
}

// fail answers what has no answer yet, after a panic.
func (o *operation) fail(err error) {
	for i := range o.releases {
		if r := &o.releases[i]; !r.told {
			r.told = true
			o.op.Released(i, wrap("release", r.Resource.Name, err))
		}
	}
	for i := range o.requests {
		if q := &o.requests[i]; !q.told {
			q.told = true
			o.op.Granted(i, backends.Grant{}, q.wrap(err))
		}
	}
}

// The phases of an operation.
const (
	fresh = iota
	sending
	void
)

// part is what an operation has to do with one name.
type part struct {
	at       *address
	releases []int // indexes
	request  int   // index, or -1
}

// expect makes the requests.
func (o *operation) expect(rs []backends.Request) {
	if o.requests = o.request[:]; len(rs) != 1 {
		o.requests = make([]request, len(rs))
	}
	n := uint64(len(rs))
	first := o.b.seq.Add(n) - n + 1
	for i := range rs {
		q := &o.requests[i]
		q.Request, q.op, q.index = rs[i], o, i
		q.id = backends.GrantID{Client: o.b.id, Seq: first + uint64(i)}
		q.terms = o.b.newTerms(rs[i])
	}
}

// work sends the operation's first commands.
func (o *operation) work(ctx context.Context) {
	err := backends.Ended(ctx)
	if err != nil {
		o.phase.CompareAndSwap(fresh, void)
	} else if o.phase.CompareAndSwap(fresh, sending) {
		err = o.b.do(ctx, o.b.conns.lane, o.first().perform)
	}
	if err != nil {
		o.b.tell(cancelOp{o, err, true})
	}
}

// first makes the commands for all releases, and for the requests of the first slot.
func (o *operation) first() *exchange {
	parts := o.parts
	if n := len(parts); n > 1 && parts[0].at.slot != parts[n-1].at.slot {
		parts = slices.Clone(parts)
		for i, p := range parts {
			if p.at.slot != o.slot {
				parts[i].request = -1
			}
		}
		parts = slices.DeleteFunc(parts, func(p part) bool { return p.request < 0 && p.releases == nil })
	}
	return o.exchange(parts)
}

// proceed asks for the requests of the next slot when those before are granted; when all are, a try
// has its grants.
func (cl *client) proceed(o *operation) {
	if o.cause != nil || o.granted < o.asked {
		return
	}
	if o.slot = slotAfter(o.parts, o.slot); o.slot < 0 {
		for i := range o.requests {
			cl.answer(&o.requests[i], o.requests[i].grant, nil)
		}
		return
	}
	var parts []part
	for _, p := range o.parts {
		if p.request >= 0 && p.at.slot == o.slot {
			parts = append(parts, part{at: p.at, request: p.request})
			o.requests[p.request].asking = true
			o.asked++
		}
	}
	cl.send(o.exchange(parts))
}

// split makes the parts, and finds the first slot.
func (o *operation) split() {
	o.parts = o.part[:0]
	index := make(map[string]int) // of the part of each name
	partOf := func(name string) *part {
		i, found := index[name]
		if !found {
			i = len(o.parts)
			index[name] = i
			o.parts = append(o.parts, part{at: o.b.address(name), request: -1})
		}
		return &o.parts[i]
	}
	for i := range o.requests {
		partOf(o.requests[i].Name).request = i
	}
	for i := range o.releases {
		if r := &o.releases[i]; !r.told {
			p := partOf(r.Resource.Name)
			p.releases = append(p.releases, i)
		}
	}
	slices.SortStableFunc(o.parts, func(a, b part) int { return a.at.slot - b.at.slot })
	o.slot = slotAfter(o.parts, -1)
}

// slotAfter returns the first slot after one that has requests, or -1.
func slotAfter(parts []part, slot int) int {
	for _, p := range parts {
		if p.request >= 0 && p.at.slot > slot {
			return p.at.slot
		}
	}
	return -1
}

// begin takes up an operation, whose first command is on its way from now on.
type begin struct{ *operation }

func (m begin) on(cl *client) {
	o := m.operation
	o.open = len(o.requests)
	for i := range o.releases {
		if h := cl.heldBy(o.releases[i].ID); h != nil {
			h.leaving = true
		}
	}
	for _, p := range o.parts {
		if p.request >= 0 {
			q := &o.requests[p.request]
			if q.asking = p.at.slot == o.slot; q.asking {
				o.asked++
			}
			q.place = cl.place(q.Name)
			q.place.asked++
			cl.waiting[q.id.Seq] = q
		}
	}
	if cl.closing {
		o.revoke()
		cl.fail(o, nil, backends.ErrClosed, false)
	}
}
