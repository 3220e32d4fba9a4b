package file

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
)

// reconcile makes our lines and our books agree, after others have changed the table or we could not write it.
func (r *resource) reconcile() {
	r.hearTried()
	kept := 0
	keep := func(es []entry, state partState) []entry {
		return slices.DeleteFunc(es, func(e entry) bool {
			if e.id.Client != r.b.id {
				return false
			}
			p := r.parts[e.id.Seq]
			if p != nil && p.state == state && !e.broken {
				kept++
				return false
			}
			if p != nil && p.state == granted && e.broken {
				r.end(p)
				r.tell(p, backends.Lost, &backends.LostError{Name: r.name, Token: p.token, Reason: backends.Broken})
			}
			r.turn.dirty, r.turn.moved = true, true
			return true
		})
	}
	r.tab.holders = keep(r.tab.holders, granted)
	r.tab.waiters = keep(r.tab.waiters, waiting)
	if kept != len(r.parts) {
		r.restore()
	}
}

var errRequeued = fmt.Errorf("the table was removed or damaged: %w", backends.ErrRequeued)

// restore gives lines to our requests that have none: the table was removed or damaged. Grants that rest on the kernel's lock
// have excluded others all the time. Permits of a semaphore may have been given to others; then ours are lost.
func (r *resource) restore() {
	t := r.tab
	r.clean() // a line left behind must not keep out a holder that has the kernel's lock
	for _, seq := range slices.Sorted(maps.Keys(r.parts)) {
		p := r.parts[seq]
		if find(t.holders, p.id) >= 0 || find(t.waiters, p.id) >= 0 {
			continue
		}
		if !t.used() {
			t.kind, t.capacity = p.request.Kind, p.request.Capacity
		}
		same := t.kind == p.request.Kind && t.capacity == p.request.Capacity
		e := entry{id: p.id, weight: p.request.Weight}
		if p.state == granted {
			e.token = p.token
		}
		r.describe(&e, p, time.Now())
		r.turn.dirty = true
		switch {
		case p.state == granted && same && e.weight <= t.free():
			t.token = max(t.token, p.last)
			t.holders = append(t.holders, e)
		case p.state == granted:
			r.loseOne(p, backends.BackendLost, errReplaced)
		case same && len(p.op.parts) > 1: // its other requests keep their places: the order would break
			r.end(p)
			r.refusePart(p, r.unavailable(errRequeued))
		case same:
			t.waiters = append(t.waiters, e)
			r.tell(p, backends.Requeued, nil)
		default:
			r.end(p)
			have := backends.Resource{Name: r.name, Kind: t.kind, Capacity: t.capacity}
			r.refusePart(p, &backends.MismatchError{Have: have, Want: p.request.Resource})
		}
	}
}

// undo takes back what the turn has promised: a table could not be written.
func (r *resource) undo(err error) {
	for _, p := range r.turn.minted {
		if p.state == granted { // and not lost meanwhile
			r.end(p)
			r.refusePart(p, err)
		}
	}
	for _, p := range r.turn.queued {
		if p.state == waiting {
			r.end(p)
			r.refusePart(p, err)
		}
	}
	for _, l := range r.turn.released {
		l.err = cmp.Or(l.err, err)
	}
	for _, q := range r.turn.queries {
		if q.writes {
			q.err = cmp.Or(q.err, err)
		}
	}
	r.unsaved = true
	r.turn.targets = r.turn.targets[:0]
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
		return r.dropStale() || found
	}
	// Any lock will do to see whether it is free. Under the table's lock no other process of ours can be in its way.
	ok, err := r.tryKernel(shared)
	if ok && r.dropStale() {
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
