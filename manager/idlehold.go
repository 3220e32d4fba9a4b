package manager

import (
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// keepIdle keeps a grant of the whole name that no holder has any more, if the manager does so and
// no other process is known to want the name, and reports whether it did. The next acquire of this
// process is a hand-off. The grant goes back when its time is over, when another process comes to
// wait or tries, or when it could not be handed on any more. Nothing renews it for that long.
func (k *keeper) keepIdle(now instant) bool {
	g := &k.own
	if k.m.cfg.idleHold == 0 || k.queue.n > 0 || !k.mayHandOn(g, now) || g.contended != 0 {
		return false
	}
	g.idleUntil = now + instant(k.m.cfg.idleHold)
	if k.expires() {
		g.idleUntil = min(g.idleUntil, g.valid-k.spare())
	}
	k.watch(g.idleUntil)
	return true
}

// idling reports whether the process keeps a grant without a holder.
func (k *keeper) idling() bool { return k.own.live && k.own.idleUntil != 0 }

// endIdle releases a grant that was kept for long enough.
func (k *keeper) endIdle(now instant) (next instant) {
	switch {
	case !k.idling():
		return 0
	case now < k.own.idleUntil:
		return k.own.idleUntil
	}
	k.releaseGrant(&k.own, nil)
	return 0
}

// WithIdleHold has the manager keep a name for up to d after its last holder in this process has
// released it, while no other process wants it. An acquire in that time gets the lease with a new
// token and without a request to the store. The name goes back to the store at once when another
// process comes to wait for it. A try of another process finds it busy, and the store then gets it
// back, so the next try succeeds.
//
// Default 0: names go back at once. Range 0 to half of the TTL. A process that dies while it keeps
// a name blocks others as a holder that dies does. Names are kept that were held whole: locks,
// writers, and semaphores of which all permits were held. [WithLocalHandoffs] of 0 keeps none.
func WithIdleHold(d time.Duration) Option {
	return Option{func(c *config) error {
		c.idleHold = d
		return within("idle hold", d, 0, backends.MaxTTL/2)
	}}
}
