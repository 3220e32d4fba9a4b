package file

import (
	"maps"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// reconcile makes our lines and our books agree, after others have changed the table or we could not write it.
func (r *resource) reconcile() {
	kept := 0
	keep := func(es []entry, state callState) []entry {
		return slices.DeleteFunc(es, func(e entry) bool {
			if e.id.Client != r.b.id {
				return false
			}
			c := r.calls[e.id.Seq]
			if c != nil && c.state == state && !e.broken {
				kept++
				return false
			}
			if c != nil && c.state == granted && e.broken {
				r.end(c)
				r.tell(c, backends.Lost, &backends.LostError{Name: r.name, Token: c.grant.Token, Reason: backends.Broken})
			}
			r.turn.dirty, r.turn.moved = true, true
			return true
		})
	}
	r.tab.holders = keep(r.tab.holders, granted)
	r.tab.waiters = keep(r.tab.waiters, waiting)
	if kept != len(r.calls) {
		r.restore()
	}
}

// restore gives lines to our calls that have none: the table was removed or damaged. Grants that rest on the kernel's lock
// have excluded others all the time. Permits of a semaphore may have been given to others; then ours are lost.
func (r *resource) restore() {
	t := r.tab
	r.clean() // a line left behind must not keep out a holder that has the kernel's lock
	for _, seq := range slices.Sorted(maps.Keys(r.calls)) {
		c := r.calls[seq]
		if find(t.holders, c.id) >= 0 || find(t.waiters, c.id) >= 0 {
			continue
		}
		if !t.used() {
			t.kind, t.capacity = c.request.Kind, c.request.Capacity
		}
		same := t.kind == c.request.Kind && t.capacity == c.request.Capacity
		e := entry{id: c.id, weight: c.request.Weight}
		if c.state == granted {
			e.token = c.grant.Token
		}
		e.write(&r.stamp, time.Now(), r.ownerWords(c.request.Owner), r.fileOf(c))
		r.turn.dirty = true
		switch {
		case c.state == granted && same && e.weight <= t.free():
			t.token = max(t.token, c.last)
			t.holders = append(t.holders, e)
		case c.state == granted:
			r.loseOne(c, backends.BackendLost, errReplaced)
		case same:
			t.waiters = append(t.waiters, e)
			r.tell(c, backends.Requeued, nil)
		default:
			r.end(c)
			have := backends.Resource{Name: r.name, Kind: t.kind, Capacity: t.capacity}
			r.refuseCall(c, &backends.MismatchError{Have: have, Want: c.request.Resource})
		}
	}
}

// undo takes back what the turn has promised: the table could not be written.
func (r *resource) undo(err error) {
	for _, c := range r.turn.minted {
		if c.state == granted { // and not lost meanwhile
			r.end(c)
		}
		c.grant, c.err = backends.Grant{}, err
	}
	for _, c := range r.turn.queued {
		if c.state == waiting {
			r.end(c)
			r.refuseCall(c, err)
		}
	}
	for _, c := range r.turn.undone {
		c.err = err
	}
	r.unsaved = true
	r.turn.targets = nil
}

// bury removes the lines of a client that has ended, and reports whether there were any.
func (r *resource) bury(client uint64) bool {
	if client == r.b.id || !r.b.dir.dead(client) || !r.tab.dropClient(client) {
		return false
	}
	r.b.dir.sweepInbox(client)
	r.turn.dirty, r.turn.moved = true, true
	return true
}

// clean removes the lines of all who have ended or let go, and reports whether there were any.
func (r *resource) clean() bool {
	found := r.buryDead()
	switch {
	case r.tab.sole(r.b.id) < 0:
		return found
	case r.kernel.holds > 0: // this client has the kernel's lock: the other's line is stale
		return r.dropSole() || found
	}
	// Any lock will do to see whether it is free. Under the table's lock no other process of ours can be in its way.
	ok, err := r.tryKernel(shared)
	if ok && r.dropSole() {
		found = true
	}
	if err == nil {
		r.dropKernel()
	}
	return found
}

// buryWatched does so for the clients in our way, in case the watcher could not watch them.
func (r *resource) buryWatched() {
	for _, client := range r.watched {
		r.bury(client)
	}
}

// buryDead does so for all clients that have ended.
func (r *resource) buryDead() bool {
	found := false
	for _, client := range r.tab.clients(r.b.id) {
		found = r.bury(client) || found
	}
	return found
}
