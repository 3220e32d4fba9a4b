package manager

import (
	"errors"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// event is news of the store about a request or a grant.
type event struct{ backends.Event }

// mostEarly bounds the events kept for a grant still on its way: a grant has but a few.
const mostEarly = 64

// event takes in what the store said of a grant. It may come before the answer that brings the
// grant: then it is kept until that.
func (k *keeper) event(e backends.Event) {
	g := &k.own
	mine := g.live && g.ID == e.Grant
	switch {
	case e.Type == backends.Requeued:
		k.counters.Requeued++
	case (e.Type == backends.Contended || e.Type == backends.Tried) && mine:
		g.rival(k.m.now())
		if k.idling() {
			k.releaseGrant(g, nil)
		}
	case e.Type == backends.Lost && mine && (g.parked || k.idling()):
		k.releaseGrant(g, nil)
	case e.Type == backends.Lost && k.find(e.Grant) != nil:
		k.loseBy(k.find(e.Grant), e.Err)
	case (k.atStore != nil || k.pinned != nil || k.adopting > 0) && !mine && k.find(e.Grant) == nil && len(k.early) < mostEarly:
		k.early = append(k.early, e)
	}
}

// find returns the holder of a grant.
func (k *keeper) find(id backends.GrantID) *request {
	for r := k.holders.head; r != nil; r = r.next {
		if r.grant.ID == id {
			return r
		}
	}
	return nil
}

// loseBy ends a holder's lease because the store says that it has ended.
func (k *keeper) loseBy(r *request, err error) {
	reason, cause := NotOwner, err
	var lost *LostError
	if errors.As(err, &lost) {
		reason, cause = lost.Reason, lost.Cause
	}
	g := r.grant
	k.lose(r, reason, cause, k.m.now()+instant(k.m.cfg.margin))
	if r.owes { // tell the store that we know: it may have something to clear away
		r.owes, r.grant = false, nil
		k.releaseHeld(r, g, nil)
	}
}

// expire loses a lease whose caller has seen by the clock that it is lost.
func (k *keeper) expire(r *request) {
	if r.place == holding {
		k.lose(r, Expired, k.unrenewed(), r.grant.valid)
	}
}

// unrenewed returns why the last renewal of the name failed; nil if it did not. It is the cause of
// a lease that expires.
func (k *keeper) unrenewed() error {
	if err := k.renewErr.Load(); err != nil {
		return *err
	}
	return nil
}

// lose ends the leases of a holder. It is a stray from then on, until it has released or the
// instant until has come. Only then the grant goes back: a holder has the stop margin to stop in.
func (k *keeper) lose(r *request, reason LostReason, cause error, until instant) {
	k.leave(r, k.m.now())
	r.until, r.owes = until, true
	k.strays.push(r, straying)
	lost := &LostError{Name: k.name, Token: r.token, Reason: reason, Cause: cause}
	r.loss = lost
	k.counters.lost(reason, r.finishAll(lost))
	k.m.logLost(lost)
	k.watch(until)
}

func (m *Manager) logLost(e *LostError) {
	m.log("lease lost", "name", readable(e.Name), "token", e.Token, "reason", string(e.Reason), "cause", e.Cause)
}

// finishAll ends what leases of the grant are still held and says how many of its leases were lost.
func (r *request) finishAll(lost *LostError) (n uint64) {
	e := &ending{lost}
	end := func(l *lease) {
		if l.finish(e) || errors.Is(l.end.Load().err, ErrLost) {
			n++
		}
	}
	end(&r.lease)
	for _, n := range r.reentered() {
		if !n.over {
			end(&n.lease)
		}
	}
	return n
}

// endStray forgets a stray: it has stopped, or had time enough to.
func (k *keeper) endStray(r *request) {
	k.strays.remove(r)
	if r.owes {
		k.releaseHeld(r, r.grant, nil)
	}
	r.grant = nil
}

// watch makes tick come at the instant, or earlier.
func (k *keeper) watch(at instant) {
	if k.timer != nil {
		if k.wakeAt <= at {
			return
		}
		k.timer.Stop()
	}
	k.wakeAt = at
	k.timer = k.mail.After(time.Duration(at-k.m.now()), tick{})
}

// tick does what is due, and sets the timer for what comes next. The timer is not
// moved when a lease is released or renewed: it finds out here that there is nothing to do yet.
func (k *keeper) tick() {
	k.timer = nil
	now, wall := k.m.now(), time.Now()
	next := instant(0)
	soonest := func(at instant) {
		if next == 0 || at < next {
			next = at
		}
	}
	k.sweepDropped(now)
	k.endNested(now)
	for r := k.holders.head; r != nil; {
		this := r
		r = r.next
		if this.end.Load() == wasReleased {
			this.until = 0 // the limit of a lease is not that of leases that re-entered its grant
		}
		switch g := this.grant; {
		case this.expired(wall):
			k.lose(this, Expired, k.unrenewed(), g.valid)
		case this.until != 0 && now >= this.until:
			k.lose(this, MaxHold, nil, now+instant(k.m.cfg.margin))
		default:
			if this.until != 0 {
				soonest(this.until)
			}
			if k.expires() {
				k.renewInTime(this, g, now)
				soonest(k.nextLook(g))
			}
		}
	}
	for r := k.strays.head; r != nil; {
		this := r
		r = r.next
		if now >= this.until {
			k.endStray(this)
		} else {
			soonest(this.until)
		}
	}
	if at := k.logSlow(now); at != 0 {
		soonest(at)
	}
	if at := k.endIdle(now); at != 0 {
		soonest(at)
	}
	if at := k.identify(now); at != 0 {
		soonest(at)
	}
	if next != 0 {
		k.watch(next)
	}
}

// nextLook is when a held grant needs attention.
func (k *keeper) nextLook(g *grant) instant {
	end := g.valid - instant(k.m.cfg.margin)
	if g.renewing {
		return end
	}
	return min(g.renewAt, end)
}

// renewInTime has the grant renewed, if that is due and not under way.
func (k *keeper) renewInTime(r *request, g *grant, now instant) {
	if g.renewing || now < g.renewAt {
		return
	}
	g.sending(now)
	g.renewing = true
	k.m.renewer.mail.Tell(&renewal{
		k: k, holder: r, id: g.ID, until: g.valid - instant(k.m.cfg.margin),
		Renewal: backends.Renewal{Grant: g.Grant, TTL: k.m.cfg.ttl},
	})
}
