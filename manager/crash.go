package manager

import (
	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// failed answers the sender of the message: the keeper's own code has panicked. The first time it
// ends all waits and leases too.
func (k *keeper) failed(msg message, p *actor.PanicError) {
	cause := &causeError{ErrUnavailable, p}
	late := k.retired
	k.crash(p)
	switch msg := msg.(type) {
	case acquire:
		k.dismiss(msg.request, cause)
	case *nest:
		k.count(func(c *Counters) { c.refused(cause) })
		msg.result = cause
		msg.settle()
	case *cancelWait:
		if late {
			k.cancelWait(msg)
		}
		msg.answer.settle()
	case *whoHolds:
		msg.answer.settle()
	case tally:
		k.count(msg)
	case release:
		if late && msg.end.Load() == wasReleased {
			k.count(func(c *Counters) { c.Releases++ })
		}
		msg.settle()
		if r := msg.req; msg.lease == &r.lease && r.together {
			r.several.decided(nil)
		}
	case detach:
		if msg.err = cause; msg.grant.ID != (backends.GrantID{}) { // it had left
			k.discard(msg.grant)
		}
		msg.settle()
	case departed:
		if msg.err != nil {
			k.discard(msg.grant)
		}
		msg.settle()
	case adopt:
		msg.err = cause
		msg.settle()
	case adopted:
		if msg.err == nil {
			k.discard(msg.grant)
			msg.err = cause
		}
		msg.settle()
	case leave:
		if r := msg.request; r.place == holding || r.place == straying {
			r.finish(wasReleased)
		}
	case *snapshot:
		msg.key, msg.kept, msg.retired = k.key, k.kept, true
		msg.row.Counters = k.counters.clone()
		msg.filled()
	case *call:
		switch {
		case msg.lease != nil:
			msg.lease.settle()
		case msg.request != nil && msg.err == nil:
			msg.grant.AtLeast = 0 // nobody had it
			k.discard(msg.grant)
		}
	case shut:
		if !k.closing {
			k.m.actor.mail.Tell(gone{})
		}
	}
}

// crash ends every wait and every lease, releases the grants as well as it can, and makes room
// for another keeper. The state may be half changed: it relies on the lists alone.
func (k *keeper) crash(p *actor.PanicError) {
	cause := &causeError{ErrUnavailable, p}
	if k.retired {
		return
	}
	k.retire()
	for r := k.queue.head; r != nil; r = r.next {
		k.dismiss(r, cause)
	}
	if k.atStore != nil {
		k.cancel(k.atStore.op)
	}
	for _, q := range []*line{&k.holders, &k.strays} {
		for r := q.head; r != nil; r = r.next {
			lost := r.finishAll(&LostError{Name: k.name, Token: r.token, Reason: Panicked, Cause: cause})
			if q == &k.holders { // strays were counted when they were lost
				k.count(func(c *Counters) { c.lost(Panicked, lost) })
			}
			if r.grant != nil && r.unused() {
				r.grant.AtLeast = 0
			}
			if r.grant != nil && r.grant != &k.own {
				k.discard(r.grant.Grant)
			}
		}
	}
	if k.own.live {
		k.discard(k.own.Grant)
	}
	k.m.log("keeper failed", "name", readable(k.name), "err", p, "stack", string(p.Stack))
	if k.closing {
		k.m.actor.mail.Tell(gone{})
	}
}

// dismiss refuses a request without touching the lists.
func (k *keeper) dismiss(r *request, cause error) {
	if r.refuse(cause) {
		k.count(func(c *Counters) { c.refused(cause) })
	}
}

// discard releases a grant whose keeper has gone.
func (k *keeper) discard(g backends.Grant) {
	k.m.actor.apart(func() {
		ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
		defer cancel()
		// If it fails, the grant expires, or ends with the backend's Close.
		_ = backends.Release(ctx, k.m.store, g)
	})
}
