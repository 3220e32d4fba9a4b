package file

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lockkeeper/lockkeeper/backends"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// reconcile makes our lines and our books agree, after others have changed the table or we could not write it.
func (r *resource) reconcile() {
	r.hearTried()
	r.leaveUnwritten()
	kept := 0
	keep := func(es []lockdir.Entry, state partState) []lockdir.Entry {
		return slices.DeleteFunc(es, func(e lockdir.Entry) bool {
			if e.ID.Client != r.b.id || e.Kept {
				return false
			}
			p := r.parts[e.ID.Seq]
			if p != nil && p.state == state && !e.Broken {
				kept++
				return false
			}
			if p != nil && p.state == granted && e.Broken {
				r.end(p)
				r.tell(p, backends.Lost, &backends.LostError{Name: r.name, Token: p.token, Reason: backends.Broken})
			}
			r.turn.dirty, r.turn.moved = true, true
			return true
		})
	}
	r.tab.Holders = keep(r.tab.Holders, granted)
	r.tab.Waiters = keep(r.tab.Waiters, waiting)
	if kept != len(r.parts) {
		r.restore()
	}
}

// leaveUnwritten marks as kept what has been released, or taken back, by a turn whose table could
// not be written. Which of the two is not known any more: the permits may have been used.
func (r *resource) leaveUnwritten() {
	if !r.tab.Keeps() {
		return
	}
	for i := range r.tab.Holders {
		e := &r.tab.Holders[i]
		if e.ID.Client == r.b.id && !e.Kept && r.parts[e.ID.Seq] == nil && e.Leave(lockdir.Now()) {
			r.turn.dirty = true
		}
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
		if lockdir.Find(t.Holders, p.id) >= 0 || lockdir.Find(t.Waiters, p.id) >= 0 {
			continue
		}
		if !t.Used() {
			t.Kind, t.Capacity = p.request.Kind, p.request.Capacity
		}
		same := t.Kind == p.request.Kind && t.Capacity == p.request.Capacity
		e := lockdir.Entry{ID: p.id, Weight: p.request.Weight}
		if p.state == granted {
			e.Token = p.token
		}
		r.describe(&e, p, time.Now())
		r.turn.dirty = true
		switch {
		case p.state == granted && same && e.Weight <= t.Free():
			t.Token = max(t.Token, p.last)
			t.Holders = append(t.Holders, e)
		case p.state == granted:
			r.loseOne(p, backends.BackendLost, lockdir.ErrReplaced)
		case same && len(p.op.parts) > 1: // its other requests keep their places: the order would break
			r.end(p)
			r.refusePart(p, r.unavailable(errRequeued))
		case same:
			t.Waiters = append(t.Waiters, e)
			r.tell(p, backends.Requeued, nil)
		default:
			r.end(p)
			have := backends.Resource{Name: r.name, Kind: t.Kind, Capacity: t.Capacity}
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
	if client == r.b.id || !r.b.dir.Dead(client) || !r.tab.DropClient(client) {
		return false
	}
	r.b.dir.SweepInbox(client)
	r.turn.dirty, r.turn.moved = true, true
	return true
}

// clean removes the lines of all who have ended or let go, and reports whether there were any.
func (r *resource) clean() bool {
	found := r.buryDead()
	switch {
	case r.tab.Sole(r.b.id) < 0:
		return found
	case r.kernel.holds > 0: // this client has the kernel's lock: the other's line is stale
		return r.dropStale() || found
	}
	// Any lock will do to see whether it is free. Under the table's lock no other process of ours can be in its way.
	ok, err := r.tryKernel(lockdir.Shared)
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
	for _, client := range r.tab.Clients(r.b.id) {
		found = r.bury(client) || found
	}
	return found
}
