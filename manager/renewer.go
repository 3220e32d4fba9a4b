package manager

import (
	"errors"
	"fmt"
	"time"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends"
)

// Grants that are renewed in one call to the store share its fate. A call takes two for each millisecond
// that an attempt may take, within these bounds.
const (
	leastBatch = 512
	mostBatch  = 4096
)

// batch returns how many grants go in one call.
func (c *config) batch() int {
	return min(max(int(2*c.ttl/attemptPart/time.Millisecond), leastBatch), mostBatch)
}

// renewer keeps the store's grants alive, many at a time.
//
// Owns: the renewals that are due. Takes: *renewal from keepers, *batch from its own tasks, flush,
// halt. Each attempt has its own deadline; what failed is tried again, sooner at first, until the
// holder has to stop. It never decides that a lease is lost because a store is silent: that is the
// keeper's clock. Stops: with the manager.
type renewer struct {
	m       *Manager
	mail    *actor.OnDemand[message]
	due     []*renewal
	timer   *actor.Timer
	flushAt instant
	flying  int
	halted  bool
}

// renewal is one grant to be prolonged.
type renewal struct {
	backends.Renewal
	k       *keeper
	id      backends.GrantID
	holder  *request
	until   instant // not tried after that
	at      instant // not tried before that
	backoff time.Duration
}

// renewed is what a keeper is told of each attempt that failed, and in the end.
type renewed struct {
	backends.Renewed
	id     backends.GrantID
	holder *request // where to look; a whole grant may have another holder by now
	refill bool
	again  bool // it has failed, and the renewer tries again
}

type (
	nothing struct{}
	flush   struct{}
	halt    struct{}
	batch   struct {
		items   []*renewal
		answers []backends.Renewed
	}
)

func newRenewer(m *Manager) *renewer {
	r := &renewer{m: m}
	r.mail = actor.NewOnDemand("lockkeeper/manager.renewer", r.receive, r.failed)
	return r
}

func (r *renewer) receive(msg message) {
	switch msg := msg.(type) {
	case *renewal:
		if !r.halted {
			r.add(msg, r.m.now())
		}
	case flush:
		r.timer = nil
		r.flush()
	case *batch:
		r.flying--
		r.sort(msg)
	case halt:
		r.halted = true
		r.due = nil
		if r.timer != nil {
			r.timer.Stop()
		}
	}
	if r.halted && r.flying == 0 {
		r.m.actor.mail.Tell(renewerDone{})
	}
}

// failed says that renewals have ended for good. Holders are safe: every lease ends by its own
// clock.
func (r *renewer) failed(msg message, p *actor.PanicError) {
	switch msg.(type) {
	case halt:
		r.m.actor.mail.Tell(renewerDone{})
	default:
		r.m.log("renewer failed", "err", p)
	}
}

// add waits a little for company: renewals that come due together go in one request.
func (r *renewer) add(n *renewal, at instant) {
	n.at = at
	r.due = append(r.due, n)
	r.schedule(at + instant(r.m.cfg.ttl/jitterPart))
}

func (r *renewer) schedule(at instant) {
	if r.timer != nil {
		if r.flushAt <= at {
			return
		}
		r.timer.Stop()
	}
	r.flushAt = at
	r.timer = r.mail.After(time.Duration(at-r.m.now()), flush{})
}

func (r *renewer) flush() {
	now := r.m.now()
	window := instant(r.m.cfg.ttl / jitterPart)
	later := r.due[:0]
	var ready []*renewal
	for _, n := range r.due {
		if n.at <= now {
			ready = append(ready, n)
		} else {
			later = append(later, n)
		}
	}
	clear(r.due[len(later):])
	r.due = later
	for len(ready) > 0 {
		n := min(len(ready), r.m.cfg.batch())
		r.attempt(ready[:n:n])
		ready = ready[n:]
	}
	for _, n := range r.due {
		r.schedule(n.at + window)
	}
}

func (r *renewer) attempt(items []*renewal) {
	rs := make([]backends.Renewal, len(items))
	for i, n := range items {
		rs[i] = n.Renewal
	}
	r.flying++
	m := r.m
	r.mail.Go(func() message { return &batch{items, m.callRenew(rs)} })
}

// callRenew asks the store, within the time for one attempt. A store that panics has told nothing.
func (m *Manager) callRenew(rs []backends.Renewal) (answers []backends.Renewed) {
	ctx, cancel := m.timeout(m.cfg.ttl / attemptPart)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			answers = nil
			m.log("store panicked", "value", fmt.Sprint(v))
		}
	}()
	return m.store.Renew(ctx, rs)
}

// sort passes final answers to the keepers and keeps the others for another attempt.
func (r *renewer) sort(b *batch) {
	now := r.m.now()
	var trouble error
	for i, n := range b.items {
		a := backends.Renewed{Err: ErrUnavailable}
		if i < len(b.answers) {
			a = b.answers[i]
		}
		if a.Err != nil && !errors.Is(a.Err, ErrLost) {
			trouble = a.Err
			n.backoff = min(max(2*n.backoff, r.m.cfg.ttl/retryPart), r.m.cfg.ttl/attemptPart)
			if next := now + instant(n.backoff); !r.halted && next < n.until {
				n.at = next
				r.due = append(r.due, n)
				r.schedule(next)
				n.k.tell(&renewed{Renewed: a, id: n.id, holder: n.holder, again: true})
				continue
			}
		}
		n.k.mail.Tell(&renewed{Renewed: a, id: n.id, holder: n.holder})
	}
	if trouble != nil {
		r.m.log("renewal failed", "leases", len(b.items), "err", trouble)
	}
}

// renewed takes in the answer to a renewal or to an order of tokens. An answer for a grant that is
// not held any more is late, and changes nothing.
func (k *keeper) renewed(msg *renewed) {
	failed := msg.Err != nil && !errors.Is(msg.Err, ErrLost)
	if failed {
		k.count(func(c *Counters) { c.RenewalsFailed++ })
		k.renewErr.Store(&msg.Err)
	}
	g, r := k.grantOf(msg)
	if failed {
		k.traceRenewal(r, msg.Err)
	}
	if g == nil || msg.again {
		return
	}
	if msg.refill {
		g.refilling = false
	} else {
		g.renewing = false
	}
	switch {
	case msg.Err == nil:
		k.renewErr.Store(nil)
		k.refilled(g, msg.Renewed)
		if k.idling() && g.contended != 0 { // the event was lost
			k.releaseGrant(g, nil)
			return
		}
		if r != nil {
			r.setValid(g)
			if k.expires() {
				k.watch(k.nextLook(g))
			}
		}
	case errors.Is(msg.Err, ErrLost) && r != nil:
		k.loseBy(r, msg.Err)
		return
	}
	if g.parked && msg.refill {
		g.parked = false
		// Without new tokens the grant is of no use here. Ordering again might go on without
		// end.
		if g.left+g.spareTokens == 0 || !k.handOn(k.m.now()) {
			k.releaseGrant(g, nil)
		}
	}
}

// grantOf finds the grant that a renewal was for, and its holder, if any.
func (k *keeper) grantOf(msg *renewed) (*grant, *request) {
	if k.own.live && k.own.ID == msg.id {
		switch {
		case k.own.parked, k.idling():
			return &k.own, nil
		case k.holders.n > 0:
			return &k.own, k.holders.head
		}
		return nil, nil // its holder has lost it
	}
	if r := msg.holder; r != nil && r.place == holding && r.grant.ID == msg.id {
		return r.grant, r
	}
	return nil, nil
}
