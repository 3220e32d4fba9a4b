package manager

import (
	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// failed answers whoever the message came from: the keeper's own code has panicked. The first time, everybody else too.
func (k *keeper) failed(msg message, p *actor.PanicError) {
	cause := &causeError{ErrUnavailable, p}
	late := k.retired
	k.crash(cause)
	switch msg := msg.(type) {
	case acquire:
		k.dismiss(msg.request, cause)
	case *nest:
		k.count(func(c *Counters) { c.refused(cause) })
		msg.result = cause
		msg.settle()
	case cancelWait:
		if late {
			k.cancelWait(msg.request, msg.why)
		}
	case tally:
		k.count(msg)
	case release:
		if late && msg.end.Load() == wasReleased {
			k.count(func(c *Counters) { c.Releases++ })
		}
		msg.settle()
	case *snapshot:
		msg.retired = true
		msg.settle()
	case *returned:
		if msg.lease != nil {
			msg.lease.settle()
		}
	case *answered:
		if msg.err == nil {
			k.discard(msg.grant)
		}
	case shut:
		if !k.closing {
			k.m.caretaker.mail.Tell(gone{})
		}
	}
}

// crash ends every wait and every lease, gives the grants back as well as it can, and makes room for another keeper.
// The state may be half changed: it relies on the lists alone.
func (k *keeper) crash(cause error) {
	if k.retired {
		return
	}
	k.retire()
	for r := k.queue.head; r != nil; r = r.next {
		k.dismiss(r, cause)
	}
	if k.asking != nil {
		k.asking.cancel()
	}
	for _, q := range []*line{&k.holders, &k.strays} {
		for r := q.head; r != nil; r = r.next {
			lost := r.finishAll(&LostError{Name: k.name, Token: r.token, Reason: Panicked, Cause: cause})
			if q == &k.holders { // strays were counted when they were lost
				k.count(func(c *Counters) { c.Lost += lost })
			}
			if r.grant != nil && r.grant != &k.own {
				k.discard(r.grant.Grant)
			}
		}
	}
	if k.own.live {
		k.discard(k.own.Grant)
	}
	k.m.log("keeper failed", "name", k.name, "err", cause)
	if k.closing {
		k.m.caretaker.mail.Tell(gone{})
	}
}

// dismiss refuses a request without touching the lists.
func (k *keeper) dismiss(r *request, cause error) {
	if r.refuse(cause) {
		k.count(func(c *Counters) { c.refused(cause) })
	}
}

// discard gives a grant back for which there is no keeper any more.
func (k *keeper) discard(g backends.Grant) {
	k.m.caretaker.errand(func() {
		ctx, cancel := k.m.timeout(k.m.cfg.releaseTimeout)
		defer cancel()
		_ = k.m.store.Release(ctx, g) // if it fails, the grant expires, or ends with the backend's Close
	})
}
