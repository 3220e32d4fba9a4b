package manager

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// ask is the request of this process that stands before the store.
type ask struct {
	last    uint64 // the number of the last request that had come when it was sent
	weight  int64
	try     bool
	cancel  context.CancelFunc
	dropped bool        // no waiter wants it any more
	sent    atomic.Bool // the store has it, probably in its queue
}

// answered is the store's answer to it.
type answered struct {
	ask   *ask
	grant backends.Grant
	err   error
	tried bool     // by a caller; see keeper.try
	gone  *request // whose caller asked until its context ended; it is going to say so
}

// serve asks the store for the head of the queue, and for the next as soon as that is granted, until something has to be
// waited for.
func (k *keeper) serve() {
	for k.queue.n > 0 && k.asking == nil && !k.own.live && !k.ownBack && k.strays.n == 0 {
		k.ask(k.queue.head)
	}
	if k.own.live { // tries that stood behind one that was granted
		for r := k.queue.head; r != nil && r.try; r = k.queue.head {
			k.queue.remove(r)
			k.refuse(r, ErrBusy)
		}
	}
}

// ask puts the request before the store. When it returns, the request is answered or k.asking is set.
func (k *keeper) ask(r *request) {
	q := k.storeRequest(r)
	if k.m.caps.Immediate {
		g, err := k.m.store.TryAcquire(context.Background(), q)
		if err == nil {
			k.give(g, k.uses)
			return
		}
		if r.try || !errors.Is(err, ErrBusy) {
			k.disappoint(&ask{last: k.uses, weight: r.weight, try: r.try}, err)
			return
		}
		k.contend(r)
	}
	if k.m.prompt != nil && !k.rivals { // where others waited last time, they mostly do so now
		if g, ok := k.m.prompt.TryAcquireNow(q); ok {
			k.give(g, k.uses)
			return
		}
	}
	if k.m.poster != nil && !r.try {
		k.post(r, q)
		return
	}
	if k.try(r, q) {
		return
	}
	ctx, cancel := context.WithCancel(k.m.life)
	a := &ask{last: k.uses, weight: r.weight, try: r.try, cancel: cancel}
	k.asking = a
	a.sent.Store(true)
	k.mail.Go(func() message {
		defer cancel()
		method := k.m.store.Acquire
		if a.try {
			method = k.m.store.TryAcquire
		}
		g, err := method(ctx, q)
		return &answered{ask: a, grant: g, err: err}
	})
}

func (k *keeper) storeRequest(r *request) backends.Request {
	return backends.Request{
		Resource: k.resource(), Weight: r.weight, Tokens: k.block(r.weight),
		TTL: k.m.cfg.ttl, MinValid: time.Duration(k.spare()), Owner: k.m.owner, Notify: k.notify,
		Quiet: r.weight != k.cap || k.m.cfg.handoffs == 0, // there is nothing to be shortened for others
	}
}

// answered passes the store's answer on.
func (k *keeper) answered(msg *answered) {
	k.asking = nil
	if msg.tried {
		k.tried(msg.err)
	}
	if msg.gone != nil {
		k.early = nil
		if k.queue.head != msg.gone { // else its cancelWait serves the next
			k.serve()
		}
		return
	}
	if msg.err == nil {
		k.give(msg.grant, msg.ask.last)
		early := k.early
		k.early = nil
		for _, e := range early {
			k.event(e)
		}
	} else {
		k.early = nil
		k.disappoint(msg.ask, msg.err)
	}
	k.serve()
}

// disappoint tells the waiters concerned what the store said instead of a grant.
func (k *keeper) disappoint(a *ask, err error) {
	head := k.queue.head
	switch {
	case a.dropped || head == nil: // nobody was waiting for this answer any more; the next is asked for afresh
	case errors.Is(err, ErrBusy):
		if head.try {
			k.queue.remove(head)
			k.refuse(head, ErrBusy)
		} else if head.number <= a.last {
			k.contend(head)
		}
	case errors.Is(err, ErrMismatch), errors.Is(err, ErrTooLarge), errors.Is(err, ErrInvalid), errors.Is(err, ErrPermission):
		if k.suits(head, a.weight, a.last) {
			k.queue.remove(head)
			k.refuse(head, err)
		}
	case k.m.life.Err() != nil:
		k.refuseAll(ErrClosed)
	case errors.Is(err, ErrUnavailable), errors.Is(err, ErrClosed):
		// It was out of reach for all who wait. To ask again for each would make the last wait for all timeouts in turn.
		k.refuseAll(err)
	default: // not in the contract: a context's error, say, although nobody cancelled
		k.refuseAll(&causeError{ErrUnavailable, err})
	}
}

// suits reports whether the request can take a grant of this weight that was asked for when last was the latest to have come.
// A shared grant is only for those who had come by then: the store may have granted a larger token to somebody else since, who
// may even have released before this request came. Nobody can have done that with the whole resource.
func (k *keeper) suits(r *request, weight int64, last uint64) bool {
	return r != nil && r.weight == weight && (weight == k.cap || r.number <= last)
}

// give passes a grant of the store to the waiters it suits, or back.
func (k *keeper) give(b backends.Grant, last uint64) {
	now := k.m.now()
	g := k.newGrant(b, now)
	if k.expires() && now >= g.valid-k.spare() {
		head := k.queue.head
		switch {
		case !k.suits(head, b.Weight, last):
		case head.late: // and it was once before: this store, or this machine, is too slow for the TTL
			k.queue.remove(head)
			k.refuse(head, &causeError{ErrUnavailable, errTooLate})
		default:
			head.late = true // serve asks for it again
		}
		k.yield(g, nil)
		return
	}
	for r := k.queue.head; k.suits(r, b.Weight, last); r = k.queue.head {
		if b.Waited && r.number <= last {
			k.contend(r)
		}
		k.queue.remove(r)
		if k.seat(r, g, now) {
			return
		}
	}
	k.yield(g, nil)
}

// seat makes the request a holder with the next token of the grant, unless its caller has gone.
func (k *keeper) seat(r *request, g *grant, now instant) bool {
	r.grant, r.token = g, g.next
	r.setValid(g)
	if !r.accept() {
		r.grant = nil
		k.leaving++
		return false
	}
	g.next++
	g.left--
	g.used++
	k.holders.push(r, holding)
	var waited time.Duration
	if r.waited {
		waited = time.Duration(now - r.since)
	}
	k.counters.granted(waited)
	r.since = now
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
