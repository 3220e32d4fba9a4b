package manager

import (
	"sync/atomic"
	"time"
	"weak"

	"github.com/lockkeeper/lockkeeper/actor"
)

// sweepDropped releases the leases that nobody has any more: whose Lease is garbage, and so every
// context that says that it is held. A Release cannot come any more, for it would keep the Lease.
func (k *keeper) sweepDropped(now instant) {
	var gone []*lease
	for r := k.holders.head; r != nil; r = r.next {
		if r.lease.isDropped() {
			gone = append(gone, &r.lease)
		}
		for _, n := range r.reentered() {
			if n.isDropped() {
				gone = append(gone, &n.lease)
			}
		}
	}
	for _, l := range gone {
		k.drop(l, now)
	}
}

// isDropped reports whether nobody has the lease any more. The first time it only lets go of it:
// short holds, which nobody looks at, cost nothing.
func (l *lease) isDropped() bool {
	switch {
	case l.asked.Load():
		return false
	case l.fresh != nil:
		l.watched, l.fresh = weak.Make(l.fresh), nil
		return false
	}
	return l.watched.Value() == nil
}

// drop does what Release would have done. If the end of the lease's context may be waited for, over
// the channel alone, its holder has the stop margin to stop in, as after any loss.
func (k *keeper) drop(l *lease, now instant) {
	r := l.req
	k.m.log("lease dropped without a Release", "name", k.name, "token", r.token, "since", k.m.epoch.Add(time.Duration(r.since)))
	l.asked.Store(true)
	if r.handles == 1 && l.inner.Load() != nil {
		k.lose(r, Dropped, nil, now+instant(k.m.cfg.margin))
		return
	}
	l.finish(wasReleased)
	k.release(l, nil)
}

// patrol has the keepers look at what they hold where there are no renewals, at which they do it:
// once in a TTL, while there are keepers. One timer for all of them is no burden to a name that is
// used once.
//
// There is none for a bubble of testing/synctest: its timer would keep the bubble from noticing
// that all its goroutines wait for each other.
type patrol struct {
	on    atomic.Bool  // a walk is to come
	timer *actor.Timer // owned by the caretaker
}

type (
	walk     struct{ begin bool }
	lookHeld struct{}
)

// patrolled sees to it that a keeper that was just made is looked after.
func (m *Manager) patrolled() {
	if m.caps.Expiry || m.bubbled || m.caretaker.patrol.on.Load() || m.away() {
		return
	}
	if m.caretaker.patrol.on.CompareAndSwap(false, true) {
		m.caretaker.mail.Tell(walk{begin: true})
	}
}

// walk is one round, and sets the time of the next.
func (c *caretaker) walk(begin bool) {
	if c.stage != open {
		return
	}
	if !begin {
		c.patrol.on.Store(false) // whoever makes a keeper from now on begins anew, if there are none
		ks, _ := c.m.dir.all(false)
		c.mail.Go(func() errand {
			for _, k := range ks {
				if !k.away {
					k.mail.Deliver(lookHeld{})
				}
			}
			return nothing{}
		})
		if len(ks) == 0 || !c.patrol.on.CompareAndSwap(false, true) {
			return
		}
	}
	c.patrol.timer = c.mail.After(c.m.cfg.ttl, walk{})
}
