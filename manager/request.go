package manager

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// The states of a request. It leaves pending once, by a compare-and-swap: either its keeper has
// answered it, or its caller has gone. So a grant is never lost, and never goes to a caller that
// has left.
const (
	pending uint32 = iota
	accepted
	refused
	cancelled
)

// place says in which of its keeper's lists a request stands.
type place uint8

const (
	nowhere  place = iota
	queued         // waits
	holding        // has the resource
	straying       // has lost it, but has not said that it has stopped
)

// request is one acquire from its beginning to its release: one allocation holds the place in the
// queue, the grant and the caller's lease.
type request struct {
	lease // the caller's; what is said there of fields holds

	// Set before the keeper gets it.
	k        *keeper
	ctx      context.Context // of the caller, if it may run the store's work
	index    int             // in that
	least    time.Duration   // that the name stays taken; 0: until the release
	cap      int64
	weight   int64
	kind     backends.Kind
	try      bool
	together bool // its release joins that of the others; only that may read it, not one of a re-entrant lease
	confirm  bool // the caller waits for the answer to that
	leads    bool // it is a term of Lead

	// Owned by the keeper.
	place      place
	contended  bool   // others kept it waiting
	waited     bool   // it had to queue
	owes       bool   // straying: its grant is still to be given back
	logged     bool   // the slow log has told of its wait, later of its hold
	late       bool   // it was granted once, too late to be of use
	handles    int32  // leases not released: itself and nested ones
	number     uint64 // of those that came to the keeper
	next, prev *request
	grant      *grant
	since      instant    // it came; later: it was granted
	until      instant    // queued: how long it may hold; holding: until when; straying: end of its stop margin; 0: none
	loss       *LostError // straying: how it was lost
	nested     *[]*nest   // re-entrant leases; nil if there have been none

	keptBy int32 // of a grant: leases on it whose owners wait; owned by waits
	state  atomic.Uint32
	valid  atomic.Int64 // instant from which the store may give it to others; 0: no expiry
	wall   atomic.Int64 // the same on the wall clock, in ns since 1970
	token  uint64       // written by the keeper before the state, as is the result if it is refused
}

// instant is nanoseconds since the manager was made, on the monotonic clock.
type instant = int64

// expired reports whether a holder must not rely on the grant at now. A machine that was suspended
// has a monotonic clock that stood still, one whose wall clock was set back has that: the earlier
// of the two counts.
func (r *request) expired(now time.Time) bool {
	valid := r.valid.Load()
	if valid == 0 {
		return false
	}
	margin := int64(r.k.m.cfg.margin)
	return int64(now.Sub(r.k.m.epoch)) >= valid-margin || now.UnixNano() >= r.wall.Load()-margin
}

func (r *request) validUntil() time.Time {
	valid := r.valid.Load()
	if valid == 0 {
		return time.Time{}
	}
	return r.k.m.epoch.Add(time.Duration(valid))
}

// settle says that the answer is there. That to the release of a part is one of several.
func (l *lease) settle() {
	if r := l.req; r != nil && l == &r.lease && r.together {
		r.several.partReleased()
		return
	}
	l.answer.settle()
}

// refuse answers with an error and reports whether the caller was still there.
func (r *request) refuse(err error) bool {
	r.result = err
	if !r.state.CompareAndSwap(pending, refused) {
		return false
	}
	if r.several != nil {
		return r.several.fail(r, err)
	}
	r.settle()
	return true
}

// dropContext removes the caller's context, which has no use after the grant. It may come from
// another lease, which the grant must not keep reachable.
func (r *request) dropContext() { r.ctx = nil }

// accept answers with the grant that stands in r, and says whether the caller was still there.
func (r *request) accept() bool {
	if !r.state.CompareAndSwap(pending, accepted) {
		return false
	}
	if r.several != nil {
		r.several.partHeld()
	} else {
		r.settle()
	}
	return true
}

// await returns when the keeper has answered or ctx has ended. If the answer was there first, it
// counts, although ctx is done; if the end of ctx was first, the keeper sees that the request was
// cancelled and gives the grant to the next.
func (r *request) await(ctx context.Context) error {
	left := func() bool { return r.state.CompareAndSwap(pending, cancelled) }
	if r.answer.await(r.k.m, ctx.Done(), left) {
		return r.result
	}
	c := &cancelWait{r: r, why: ctx.Err(), err: backends.Ended(ctx)}
	r.k.mail.Deliver(c)
	c.answer.await(r.k.m, nil, nil) // for a turn of the keeper, which waits for nothing
	return c.err
}

// causeError is err because of cause.
type causeError struct{ err, cause error }

func (e *causeError) Error() string   { return e.err.Error() + ": " + e.cause.Error() }
func (e *causeError) Unwrap() []error { return []error{e.err, e.cause} }

// line is a list of requests.
type line struct {
	head, tail *request
	n          int
}

func (q *line) push(r *request, p place) {
	r.place, r.prev, r.next = p, q.tail, nil
	if q.tail == nil {
		q.head = r
	} else {
		q.tail.next = r
	}
	q.tail = r
	q.n++
}

func (q *line) remove(r *request) {
	if r.prev == nil {
		q.head = r.next
	} else {
		r.prev.next = r.next
	}
	if r.next == nil {
		q.tail = r.prev
	} else {
		r.next.prev = r.prev
	}
	r.place, r.prev, r.next = nowhere, nil, nil
	q.n--
}
