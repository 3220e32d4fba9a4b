package postgres

import (
	"context"
	"sync/atomic"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// Start begins an operation. See [backends.Backend] and [backends.Op].
//
// The work sends one statement, and returns with its answer. A request that is queued survives the
// server's absence: it waits until it is cancelled, and if it has lost its place meanwhile, it
// queues again (Requeued). So does a request for one name that may be queued, since the connection
// of its statement broke before the answer. A new request does not: it fails with ErrUnavailable,
// for nobody knows yet whether it will ever be possible. A try is sent four times at most.
//
// A release that the server does not confirm is repeated in the background until it is confirmed or
// the grant has expired. What a cancelled request has or may still get is released; that is told
// after at most 50 ms, even if the server has not confirmed it.
func (b *Backend) Start(op *backends.Op) backends.Work {
	o := &operation{op: op, b: b, wait: op.Wait, answered: make(chan struct{})}
	op.State = o
	if err := op.Check(capabilities); err != nil {
		op.Fail(wrap("acquire", "", err))
	} else {
		o.expect(op.Acquire)
	}
	o.open = len(o.requests)
	valid := 0
	o.releases = make([]release, len(op.Release))
	for i, g := range op.Release {
		err := backends.CheckName(g.Resource.Name)
		o.releases[i] = release{g, err != nil}
		if err != nil {
			op.Released(i, wrap("release", "", err))
		} else {
			valid++
		}
	}
	if valid == 0 && len(o.requests) == 0 {
		return nil
	}
	b.tell(begin{o})
	return o.work
}

// Cancel takes back the requests of an operation that have no answer yet. See [backends.Backend].
func (b *Backend) Cancel(op *backends.Op) backends.Work {
	if o, _ := op.State.(*operation); o != nil && o.op == op { // else op is a copy
		b.tell(cancelOp{o, context.Canceled, false})
	}
	return nil
}

// operation is what the backend keeps of an op.
//
//	┌───────┐ work      ┌─────────┐ answer  ┌───────────────────────────────────┐
//	│ fresh │ ────────▶ │ sending │ ──────▶ │ each request: see postgres.md     │
//	└───────┘           └─────────┘         └───────────────────────────────────┘
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
	phase    atomic.Int32
	answered chan struct{} // closed when the answer to its first statement was taken in

	open     int   // requests that have no answer yet
	cause    error // why the others are not granted: the operation has failed
	patience *actor.Timer
}

// release is one of an operation.
type release struct {
	backends.Grant
	told bool
}

// The phases of an operation.
const (
	fresh = iota
	sending
	void
)

// may reports whether the operation may be sent, with a connection at hand. It is asked again for
// each repetition.
func (o *operation) may() bool {
	return o.phase.CompareAndSwap(fresh, sending) || o.phase.Load() == sending
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
	o.finish()
}

// finish lets the work return.
func (o *operation) finish() {
	select {
	case <-o.answered:
	default:
		close(o.answered)
	}
}

// expect makes the requests.
func (o *operation) expect(rs []backends.Request) {
	o.requests = make([]request, len(rs))
	n := uint64(len(rs))
	first := o.b.seq.Add(n) - n + 1
	for i := range rs {
		q := &o.requests[i]
		q.Request, q.op, q.index = rs[i], o, i
		q.id = backends.GrantID{Client: o.b.id, Seq: first + uint64(i)}
		q.brief, q.keep = o.b.terms(rs[i])
	}
}

// work has the operation sent, and waits for the answer.
func (o *operation) work(ctx context.Context) {
	err := backends.Ended(ctx)
	if err == nil {
		o.b.tell(run{o})
		select { // a tie does not matter: what has its answer is not cancelled
		case <-o.answered:
			return
		case <-ctx.Done():
			err = backends.Ended(ctx)
		}
	}
	o.b.tell(cancelOp{o, err, true})
}

// begin takes up an operation.
type begin struct{ *operation }

func (m begin) on(cl *client) {
	for i := range m.releases {
		if h := cl.heldBy(m.releases[i].ID); h != nil {
			h.leaving, h.free = true, m.releases[i].AtLeast == 0
		}
	}
	for i := range m.requests {
		q := &m.requests[i]
		q.asking = true
		cl.waiting[q.id.Seq] = q
	}
	if cl.closing {
		m.revoke()
		cl.fail(m.operation, nil, backends.ErrClosed, false)
	} else {
		cl.sweepSoon()
	}
}

// run sends the operation.
type run struct{ *operation }

func (m run) on(cl *client) {
	switch {
	case cl.closing:
		cancelOp{m.operation, backends.ErrClosed, true}.on(cl)
		m.finish()
	case m.phase.Load() == void:
		m.finish()
	default:
		cl.send(m.first())
	}
}
