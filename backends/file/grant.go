package file

import (
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// admit puts a new request at the end of the queue. A try is decided at once.
func (r *resource) admit(c *call, v verb) {
	if err := r.turn.abandoned; err != nil {
		c.err, c.state = r.unavailable(err), over
		r.reply(c)
		return
	}
	t, want := r.tab, c.request.Resource
	if t.used() && (t.kind != want.Kind || t.capacity != want.Capacity) {
		r.clean()
	}
	if !t.used() {
		t.kind, t.capacity = want.Kind, want.Capacity
	}
	if t.kind != want.Kind || t.capacity != want.Capacity {
		have := backends.Resource{Name: r.name, Kind: t.kind, Capacity: t.capacity}
		c.err, c.state = &backends.MismatchError{Have: have, Want: want}, over
		r.reply(c)
		return
	}
	c.id = backends.GrantID{Client: r.b.id, Seq: r.b.seq.Add(1)}
	c.state = waiting
	r.calls[c.id.Seq] = c
	r.waiters++
	t.waiters = append(t.waiters, entry{id: c.id, weight: c.request.Weight})
	if v != acquire {
		r.decide(c, v)
		return
	}
	r.turn.dirty = true
	r.turn.queued = append(r.turn.queued, c)
}

// decide grants a try or refuses it. A refused one changes nothing. Whether those in its way have ended is found out only
// for one whose refusal would count.
func (r *resource) decide(c *call, v verb) {
	r.settle()
	if c.state == waiting && v == try && r.clean() {
		r.settle()
	}
	if c.state == waiting {
		drop(&r.tab.waiters, c.id)
		r.end(c)
		c.err = backends.ErrBusy
		r.reply(c)
	}
}

// settle lets our requests move up that are due: those at the head of the queue, as long as they fit. Behind another
// process's request that fits, ours wait until that process has taken its grant, so that tokens increase in the order
// of the queue; it then wakes the next. Settle stops as well where somebody who is not in the table has
// the kernel's lock.
func (r *resource) settle() {
	t := r.tab
	r.blocked = false
	for len(t.waiters) > 0 {
		c := r.calls[t.waiters[0].id.Seq]
		if t.waiters[0].id.Client != r.b.id || c == nil {
			return
		}
		fits := c.request.Weight <= t.free()
		if !fits && t.sole(r.b.id) < 0 {
			return
		}
		switch ok, err := r.lockKernel(c); {
		case err != nil:
			r.leave(c)
			r.refuseCall(c, unusable("lock", r.stem+lockEnding+" in "+r.b.dir.path, err))
		case !ok:
			r.blocked = fits
			return
		default:
			if !fits && !r.dropSole() {
				r.kernel.holds--
				return
			}
			r.grant(c)
		}
	}
}

// dropSole removes the line of a sole holder of another process, whose lock we have now: it has let go, see letGo. False: its lock
// is on a file that was removed or replaced. Then its process has not noticed yet, and the line stays until it has;
// it is told to look.
func (r *resource) dropSole() bool {
	i := r.tab.sole(r.b.id)
	if i < 0 {
		return true
	}
	if e := &r.tab.holders[i]; e.file() != r.kernel.id.number() && !r.b.dir.dead(e.id.Client) {
		r.wake(e.id.Client)
		return false
	}
	r.tab.holders = slices.Delete(r.tab.holders, i, i+1)
	r.turn.dirty, r.turn.moved = true, true
	return true
}

// fileOf returns the number of the lock file that a call's grant rests on, for its line; 0: none.
func (r *resource) fileOf(c *call) uint64 {
	if c.state != granted || !onKernel(c.request.Kind) {
		return 0
	}
	return r.kernel.id.number()
}

// grant makes the first waiter, who is ours, a holder. The kernel's lock is taken. Nobody hears of it before the table is written.
func (r *resource) grant(c *call) {
	t, now := r.tab, time.Now()
	e := t.waiters[0]
	t.waiters = slices.Delete(t.waiters, 0, 1)
	e.token = r.mint(c.request.Tokens, now)
	c.state = granted
	r.waiters--
	e.write(&r.stamp, now, r.ownerWords(c.request.Owner), r.fileOf(c))
	t.holders = append(t.holders, e)
	c.grant = backends.Grant{
		ID: c.id, Resource: c.request.Resource, Weight: c.request.Weight, Token: e.token, Tokens: c.request.Tokens,
		Waited: c.waited,
	}
	c.last = e.token + uint64(c.request.Tokens) - 1
	r.turn.minted = append(r.turn.minted, c)
	r.turn.dirty = true
	if e.weight < t.capacity {
		// The next may fit too. If not, it watched only us so far, and as the first it must watch all holders.
		r.wakeAt(0)
	}
}

// mint returns the first of n new tokens.
func (r *resource) mint(n int, now time.Time) uint64 {
	first := backends.NextToken(r.tab.token, now)
	r.tab.token = first + uint64(n) - 1
	return first
}

func (r *resource) ownerWords(o backends.Owner) string {
	if r.words == "" || r.owner != o {
		r.owner, r.words = o, ownerWords(o, r.b.started)
	}
	return r.words
}

// leave takes one of our waiters out of the queue. Whoever was behind it is woken, to watch another than us.
func (r *resource) leave(c *call) {
	r.end(c)
	if i := drop(&r.tab.waiters, c.id); i >= 0 {
		r.turn.dirty, r.turn.moved = true, true
		r.wakeAt(i)
	}
}

// wakeAt has waiter i woken at the end of the turn, if there is one and it is not ours.
func (r *resource) wakeAt(i int) {
	if i < len(r.tab.waiters) {
		r.wake(r.tab.waiters[i].id.Client)
	}
}

func (r *resource) wake(client uint64) {
	if client != r.b.id && !slices.Contains(r.turn.targets, client) {
		r.turn.targets = append(r.turn.targets, client)
	}
}

// spread decides who else is to hear of this turn: a waiter who is due, and holders for whom somebody waits.
func (r *resource) spread() {
	t := r.tab
	if r.turn.moved && len(t.waiters) > 0 && t.waiters[0].weight <= t.free() {
		r.wakeAt(0)
	}
	if r.turn.everyone {
		for _, client := range r.b.dir.everyone() {
			r.wake(client)
		}
	}
	r.describeQueued()
	r.noteContention()
}

// describeQueued completes the lines of those who came in this turn and have to wait, and has holders woken who did not
// know before that somebody waits.
func (r *resource) describeQueued() {
	t := r.tab
	for _, c := range r.turn.queued {
		i := find(t.waiters, c.id)
		if i < 0 {
			continue
		}
		c.waited = true
		t.waiters[i].write(&r.stamp, time.Now(), r.ownerWords(c.request.Owner), 0)
		for _, h := range t.holders {
			other := func(e entry) bool { return e.id.Client != h.id.Client }
			if !slices.ContainsFunc(t.waiters[:i], other) {
				r.wake(h.id.Client)
			}
		}
	}
}

// noteContention tells our holders, once each time, that another client has begun to wait.
func (r *resource) noteContention() {
	contended := r.tab.contended(r.b.id)
	for _, c := range r.turn.minted {
		c.grant.Contended, c.told = contended, contended
	}
	if !contended && !r.told {
		return
	}
	r.told = contended
	for _, c := range r.calls {
		if c.state == granted && c.told != contended {
			c.told = contended
			if contended {
				r.tell(c, backends.Contended, nil)
			}
		}
	}
}
