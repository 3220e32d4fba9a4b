package manager

import (
	"context"
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// acquire queues the request and serves the queue, unless it can be refused at once.
func (k *keeper) acquire(r *request) {
	k.uses++
	r.number = k.uses
	switch err := k.admit(r); {
	case err == errRetired: //nolint:errorlint // the very same value
		r.refuse(errRetired) // cancelled: no caller waits for the answer, and it does not count
		return
	case err != nil:
		k.refuse(r, err)
		return
	}
	if r.try && (k.own.live && !k.idling() || k.strays.n > 0 || k.queue.n > 0 && !k.queue.tail.try) {
		k.refuse(r, k.held(ErrBusy))
		return
	}
	crowded := k.holders.n > 0 || k.queue.n > 0
	others := k.own.live && !k.idling() || k.ownBack || k.strays.n > 0 || k.queue.n > 0
	k.queue.push(r, queued)
	k.serve()
	if r.several != nil && !r.try {
		r.several.partQueued(k, r, crowded)
	}
	if r.place != queued {
		return
	}
	r.waited, r.since = true, k.m.now()
	k.watchWait(r.since)
	k.identifyInTime(r)
	if others {
		k.contend(r)
	}
	if !r.try {
		k.refillAhead()
		if r.several == nil && r.outer != nil && crowded { // else it waits for no owner here
			k.register(r)
		}
	}
}

// admit returns why nothing that r wants is possible here.
func (k *keeper) admit(r *request) error {
	switch {
	case k.retired:
		return errRetired
	case k.closing:
		return ErrClosed
	case r.kind == k.kind && r.cap == k.cap:
		return nil
	case !k.idle():
		return &MismatchError{Have: k.resource(), Want: r.resource()}
	}
	k.kind, k.cap = r.kind, r.cap
	return nil
}

// serve puts the head of the queue before the store, and the next as soon as that is granted, until
// something has to be waited for. It is the end of each turn.
func (k *keeper) serve() {
	if k.queue.n == 0 {
		return
	}
	if k.idling() && !k.handOn(k.m.now()) {
		k.releaseGrant(&k.own, nil)
	}
	for k.queue.n > 0 && k.atStore == nil && k.pinned == nil && !k.own.live && !k.ownBack && k.strays.n == 0 {
		if r := k.queue.head; r.several != nil {
			k.pin(r)
		} else {
			k.request(r)
		}
	}
	if k.own.live { // tries that stood behind one that was granted
		for r := k.queue.head; r != nil && r.try; r = k.queue.head {
			k.queue.remove(r)
			k.refuse(r, k.held(ErrBusy))
		}
	}
}

// next returns the head of the queue if it is a request for this name alone.
func (k *keeper) next() *request {
	if r := k.queue.head; r != nil && r.several == nil {
		return r
	}
	return nil
}

// request puts the request before the store.
func (k *keeper) request(r *request) {
	op := k.m.newOperation(1)
	k.atStore = &op.calls[0]
	op.addRequest(k.atStore, k, r, k.storeRequest(r))
	k.start(r.ctx, op, &r.work)
}

func (k *keeper) storeRequest(r *request) backends.Request {
	return backends.Request{
		Resource: k.resource(), Weight: r.weight, Tokens: k.block(r),
		TTL: k.m.cfg.ttl, MinValid: time.Duration(k.spare()), Owner: k.m.owner, Notify: k.notify,
		Quiet:   r.weight != k.cap || r.least > 0 || k.m.cfg.handoffs == 0, // no hand-off to cut short for others
		Tries:   r.weight == k.cap && r.least == 0 && k.m.cfg.idleHold > 0,
		AtLeast: r.least,
	}
}

// replied takes in the answer to the request of this process that stood before the store.
func (k *keeper) replied(c *call) {
	k.atStore = nil
	if ctx := c.op.ctx; c.err != nil && ctx != nil && ctx.Err() != nil {
		k.forgetEarly()
		k.contextEnded(ctx, c.request)
		return
	}
	if c.err == nil {
		k.give(c)
		k.takeEarly()
		return
	}
	k.forgetEarly()
	k.disappoint(c)
}

// contextEnded answers a request whose caller ran the work until ctx, its context, ended. The caller
// has not left yet: without the answer, serve would put the request before the store again.
func (k *keeper) contextEnded(ctx context.Context, r *request) {
	if r.place != queued {
		return
	}
	k.queue.remove(r)
	if r.refuse(k.held(backends.Ended(ctx))) { // else its cancelWait counts it
		k.counters.contextEnded(ctx.Err(), k.waitOf(r, k.m.now()))
	}
}

// takeEarly takes in the events that came before the grant.
func (k *keeper) takeEarly() {
	early := k.early
	k.early = nil
	for _, e := range early {
		k.event(e)
	}
}

// forgetEarly drops the events that came before a grant which is not to come, unless they may be of
// another one.
func (k *keeper) forgetEarly() {
	if k.atStore == nil && k.pinned == nil && k.adopting == 0 {
		k.early = nil
	}
}

// disappoint tells the waiters concerned what the store said instead of a grant.
func (k *keeper) disappoint(c *call) {
	head, err := k.next(), c.err
	switch {
	case c.dropped || head == nil: // its waiter has gone; the next request is made anew
	case errors.Is(err, ErrBusy):
		if head.try {
			k.queue.remove(head)
			k.refuse(head, k.refusal(err))
		} else if head.number <= c.last {
			k.contend(head)
		}
	case errors.Is(err, ErrMismatch), errors.Is(err, ErrTooLarge), errors.Is(err, ErrInvalid), errors.Is(err, ErrPermission):
		if k.suits(head, c) {
			k.queue.remove(head)
			k.refuse(head, err)
		}
	case k.m.life.Err() != nil:
		k.refuseAll(ErrClosed)
	default:
		// It was out of reach for all waiters. A request for each would make the last one wait for
		// all timeouts in turn.
		k.refuseAll(ofContract(err))
	}
}

// suits reports whether the request can take the grant that c has requested. The store keeps it for
// as long as c has said, so only for a request that wants the same. A shared grant is only for
// requests that had come when it was requested: another process may have got a larger token since,
// and even have released it before this request came. With the whole resource that cannot happen.
func (k *keeper) suits(r *request, c *call) bool {
	return r != nil && r.several == nil && r.weight == c.weight && r.least == c.least &&
		(c.weight == k.cap || r.number <= c.last)
}

// give passes the grant of c to the waiters it suits, or releases it.
func (k *keeper) give(c *call) {
	now := k.m.now()
	g := k.newGrant(&c.grant, now)
	if k.expires() && now >= g.valid-k.spare() {
		head := k.queue.head
		switch {
		case !k.suits(head, c):
		case head.late: // for the second time: the store or the machine is too slow for the TTL
			k.queue.remove(head)
			k.refuse(head, &causeError{ErrUnavailable, errTooLate})
		default:
			head.late = true // serve asks for it again
		}
		k.releaseUnused(g)
		return
	}
	for r := k.queue.head; k.suits(r, c); r = k.queue.head {
		if c.grant.Waited && r.number <= c.last {
			k.contend(r)
		}
		k.queue.remove(r)
		if k.seat(r, g, now) {
			return
		}
	}
	k.releaseUnused(g)
}

// seat makes the request a holder with the next token of the grant, unless its caller has gone.
func (k *keeper) seat(r *request, g *grant, now instant) bool {
	r.grant, r.token = g, g.next
	r.setValid(g)
	if r.seen != nil { // before the answer: then its caller may end the lease
		r.seen.granted.Store(now + 1)
	}
	if !r.accept() {
		r.grant = nil
		return false
	}
	g.next++
	g.left--
	g.used++
	k.holders.push(r, holding)
	k.seen = nil
	k.counters.granted(k.waitOf(r, now))
	r.since, r.logged = now, false
	k.watchHold(now)
	if r.until > 0 {
		r.until += now
		k.watch(r.until)
	}
	if k.expires() {
		k.watch(min(g.renewAt, g.valid-instant(k.m.cfg.margin)))
	}
	return true
}

func (r *request) setValid(g *grant) {
	if g.valid != 0 {
		r.wall.Store(g.ValidUntil.UnixNano())
		r.valid.Store(g.valid)
	}
}

// spare is how long before the end of its validity a grant is of no use to a new holder.
func (k *keeper) spare() instant { return instant(k.m.cfg.margin + k.m.cfg.minimum) }
func (k *keeper) expires() bool  { return k.m.caps.Expiry }
