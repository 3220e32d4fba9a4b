package file

import (
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// admit puts a new request at the end of the queue.
func (r *resource) admit(p *part) {
	if err := p.op.cancelled.Load(); err != nil {
		r.refusePart(p, *err)
		return
	}
	if err := r.turn.gone; err != nil {
		r.refusePart(p, r.unavailable(err))
		return
	}
	t, want := r.tab, p.request.Resource
	if t.Used() && (t.Kind != want.Kind || t.Capacity != want.Capacity) {
		r.clean()
	}
	if !t.Used() {
		t.Kind, t.Capacity = want.Kind, want.Capacity
	}
	if t.Kind != want.Kind || t.Capacity != want.Capacity {
		have := backends.Resource{Name: r.name, Kind: t.Kind, Capacity: t.Capacity}
		r.refusePart(p, &backends.MismatchError{Have: have, Want: want})
		return
	}
	p.id = backends.GrantID{Client: r.b.id, Seq: r.b.seq.Add(1)}
	p.state = waiting
	r.parts[p.id.Seq] = p
	r.waiters++
	t.Waiters = append(t.Waiters, lockdir.Entry{ID: p.id, Weight: p.request.Weight})
	if p.op.wait {
		r.turn.dirty = true
		r.turn.queued = append(r.turn.queued, p)
	}
}

// decide grants a try, or refuses all of it. A refused one changes nothing, but holders who want to
// hear of it are told. Whether those in its way have ended is found out only for one whose refusal
// would count.
func (o *operation) decide(rs []*resource) {
	var busy []*resource
	for i := range o.parts {
		p := &o.parts[i]
		r := rs[p.step]
		r.settle()
		if p.state == waiting && r.clean() {
			r.settle()
		}
		if p.state == waiting {
			busy = append(busy, r)
		}
	}
	// A cancel may come at any time from another goroutine. Whether this turn sees it or not, a try
	// that has not got all must not keep a place: it has no line of its own to be written.
	var err error
	switch why := o.cancelled.Load(); {
	case why != nil:
		err, busy = *why, nil
	case busy == nil:
		return
	default:
		err = busyError(busy)
	}
	for i := range o.parts {
		rs[o.parts[i].step].revoke(&o.parts[i], err)
	}
	for _, r := range busy {
		r.markTried()
	}
}

// busyError names a holder of one of the resources that refuse a try. A lock that another program has
// locked by flock(1) has none in its table: to find that program, all locks of the kernel would have
// to be read.
func busyError(busy []*resource) error {
	for _, r := range busy {
		if h, ok := r.tab.Oldest(); ok {
			return &backends.BusyError{Name: r.name, Holder: h}
		}
	}
	return backends.ErrBusy
}

// markTried tells holders of other clients, as far as they want to hear of it, that this one has
// tried: by a mark in their lines, and a wake-up.
func (r *resource) markTried() {
	for i := range r.tab.Holders {
		if e := &r.tab.Holders[i]; e.ID.Client != r.b.id && e.Wants() {
			r.turn.dirty = e.Mark(lockdir.Tried) || r.turn.dirty
			r.wake(e.ID.Client)
		}
	}
}

// hearTried tells our holders of marks in their lines, and takes them out.
func (r *resource) hearTried() {
	for i := range r.tab.Holders {
		if e := &r.tab.Holders[i]; e.ID.Client == r.b.id && e.Mark(lockdir.Tries) {
			r.turn.dirty = true
			if p := r.parts[e.ID.Seq]; p != nil {
				r.tell(p, backends.Tried, nil)
			}
		}
	}
}

// settle lets our requests move up that are due: those at the head of the queue, as long as they fit. Behind another
// process's request that fits, ours wait until that process has taken its grant, so that tokens increase in the order
// of the queue; it then wakes the next. Settle stops as well where somebody who is not in the table has
// the kernel's lock.
func (r *resource) settle() {
	t := r.tab
	r.blocked = false
	for len(t.Waiters) > 0 {
		p := r.parts[t.Waiters[0].ID.Seq]
		if t.Waiters[0].ID.Client != r.b.id || p == nil {
			return
		}
		if p.answered.Load() { // its cancel has not waited for the table
			r.leave(p, nil)
			continue
		}
		fits := p.request.Weight <= t.Free()
		if !fits && t.Sole(r.b.id) < 0 || p.waited && r.moved() {
			return
		}
		switch ok, err := r.lockKernel(p); {
		case err != nil:
			r.leave(p, lockdir.Unusable("lock", r.stem+lockdir.LockEnding+" in "+r.b.dir.Path, err))
		case !ok:
			r.blocked = fits
			return
		default:
			if !fits && !r.dropStale() {
				r.kernel.holds--
				return
			}
			r.grant(p)
		}
	}
}

// moved reports whether the directory has gone, which ends everything of ours. Its holder may have let
// go because it was told of that, before we were: who waited must not be granted what others do not
// see any more.
func (r *resource) moved() bool {
	if r.turn.intact {
		return false
	}
	if err := r.b.dir.Intact(); lockdir.Gone(err) {
		r.loseDirectory(err)
		return true
	}
	r.turn.intact = true
	return false
}

// dropStale removes the line of a sole holder of another process, whose lock we have now: it has let go, see releaseSole. False: its lock
// is on a file that was removed or replaced. Then its process has not noticed yet, and the line stays until it has;
// it is told to look. False as well if its permits stay taken all the same.
func (r *resource) dropStale() bool {
	i := r.tab.Sole(r.b.id)
	if i < 0 {
		return true
	}
	if e := &r.tab.Holders[i]; e.File() != r.kernel.id.Number() && !r.b.dir.Dead(e.ID.Client) {
		r.wake(e.ID.Client)
		return false
	}
	if r.tab.Holders[i].Leave(lockdir.Now()) {
		r.turn.dirty = true
		return false
	}
	r.tab.Holders = slices.Delete(r.tab.Holders, i, i+1)
	r.turn.dirty, r.turn.moved = true, true
	return true
}

// describe writes a request's line.
func (r *resource) describe(e *lockdir.Entry, p *part, since time.Time) {
	held, file := p.state == granted, uint64(0)
	if held && lockdir.OnKernel(p.request.Kind) {
		file = r.kernel.id.Number()
	}
	if e.Keep = nil; held {
		e.Keep = p.keep
	}
	e.Write(since, r.ownerWords(p.request.Owner), held && p.request.Tries, file)
}

// grant makes the first waiter, who is ours, a holder. The kernel's lock is taken. Nobody hears of it before the table is written.
func (r *resource) grant(p *part) {
	t, now := r.tab, time.Now()
	e := t.Waiters[0]
	t.Waiters = slices.Delete(t.Waiters, 0, 1)
	p.clean, p.before = !r.turn.dirty, t.Token
	e.Token = r.mint(p.request.Tokens, now)
	p.state = granted
	if p.request.AtLeast > 0 {
		p.keep = lockdir.Now().Keep(p.request.AtLeast)
	}
	r.waiters--
	r.describe(&e, p, now)
	t.Holders = append(t.Holders, e)
	p.token = e.Token
	p.last = e.Token + uint64(p.request.Tokens) - 1
	r.turn.minted = append(r.turn.minted, p)
	r.turn.dirty = true
	if e.Weight < t.Capacity {
		// The next may fit too. If not, it watched only us so far, and as the first it must watch all holders.
		r.wakeAt(0)
	}
}

// mint returns the first of n new tokens.
func (r *resource) mint(n int, now time.Time) uint64 {
	first := backends.NextToken(r.tab.Token, now)
	r.tab.Token = first + uint64(n) - 1
	return first
}

func (r *resource) ownerWords(o backends.Owner) string {
	if r.words == "" || r.owner != o {
		r.owner, r.words = o, lockdir.OwnerWords(o, r.b.started)
	}
	return r.words
}

// wakeAt has waiter i woken at the end of the turn, if there is one and it is not ours.
func (r *resource) wakeAt(i int) {
	if i < len(r.tab.Waiters) {
		r.wake(r.tab.Waiters[i].ID.Client)
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
	if r.turn.moved && len(t.Waiters) > 0 && t.Waiters[0].Weight <= t.Free() {
		r.wakeAt(0)
	}
	if r.turn.everyone {
		for _, client := range r.b.dir.Everyone() {
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
	for _, p := range r.turn.queued {
		i := lockdir.Find(t.Waiters, p.id)
		if i < 0 {
			continue
		}
		p.waited = true
		r.describe(&t.Waiters[i], p, time.Now())
		for _, h := range t.Holders {
			other := func(e lockdir.Entry) bool { return e.ID.Client != h.ID.Client }
			if !h.Kept && !slices.ContainsFunc(t.Waiters[:i], other) {
				r.wake(h.ID.Client)
			}
		}
	}
}

// noteContention tells our holders, once each time, that another client has begun to wait.
func (r *resource) noteContention() {
	contended := r.tab.Contended(r.b.id)
	for _, p := range r.turn.minted {
		p.others, p.told = contended, contended
	}
	if !contended && !r.told {
		return
	}
	r.told = contended
	for _, p := range r.parts {
		if p.state == granted && p.told != contended {
			p.told = contended
			if contended {
				r.tell(p, backends.Contended, nil)
			}
		}
	}
}
