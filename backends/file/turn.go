package file

import (
	"cmp"
	"errors"
	"slices"

	"github.com/lockkeeper/lockkeeper/actor"
	"github.com/lockkeeper/lockkeeper/backends/file/internal/lockdir"
)

// turn is what happens under one lock of the table. Answers and messages go out when the table is unlocked.
type turn struct {
	dirty    bool         // the table is to be written
	moved    bool         // permits were freed or the queue changed its head: others may be due
	minted   []*part      // granted
	queued   []*part      // new, and neither granted nor refused
	refused  []*part      // to be answered
	released []*release   // to be answered
	queries  []*query     // to be answered
	broken   []*operation // of which a request has failed
	events   []event      // to be told
	targets  []uint64     // clients to be woken
	acks     int          // shuts to be acknowledged
	everyone bool         // all clients are to look: the table was damaged
	intact   bool         // the directory was there in this turn

	gone error // why the resource is of no use any more: the directory has gone
}

// reset makes room for the next turn.
func (t *turn) reset() {
	clear(t.minted) // parts are large, and not ours any more
	clear(t.queued)
	clear(t.refused)
	clear(t.released)
	clear(t.queries)
	clear(t.broken)
	clear(t.events)
	*t = turn{
		minted: t.minted[:0], queued: t.queued[:0], refused: t.refused[:0], released: t.released[:0],
		queries: t.queries[:0], broken: t.broken[:0], events: t.events[:0], targets: t.targets[:0],
	}
}

// resume goes on when the table is locked, or never will be.
func (r *resource) resume(err error) {
	if err == nil {
		err = r.load()
		if errors.Is(err, lockdir.ErrReplaced) { // locked a file that has lost its name: again, with the new one
			r.unlockTable()
			r.table.Close()
			if r.pending[0].now { // to open and lock the new one may take a while
				r.pending = r.pending[:0]
				r.conclude()
				return
			}
			r.work()
			return
		}
	}
	if r.fault = err; err != nil {
		r.fault = r.unavailable(err)
	}
	m, linked := r.next()
	if !linked {
		change(r.alone[:])
		r.conclude()
		return
	}
	m.op.steps[m.step].resource = r
	if last := len(m.op.steps) - 1; m.step < last {
		r.locking, r.taken = true, true
		if !m.now { // else its caller goes on at once
			m.op.send(m.step+1, (*actor.OnDemand[message]).Tell)
		}
		return
	}
	change(m.op.resources())
	m.op.free(m.step)
	r.conclude()
}

// next takes what is to be handled in this turn out of pending: a linked operation, which it returns,
// or all that comes before one.
func (r *resource) next() (m message, linked bool) {
	n := slices.IndexFunc(r.pending, func(m message) bool { return m.op != nil && m.op.linked() })
	if n < 0 {
		n = len(r.pending)
	}
	r.batch = append(r.batch[:0], r.pending[:max(n, 1)]...)
	r.pending = slices.Delete(r.pending, 0, len(r.batch))
	return r.batch[0], n == 0
}

// change does what is to be done to the tables of some resources, which are locked. They are written
// when all is decided, one after the other, and unlocked when all are written. A process that dies in
// between leaves requests of its operation in some of the tables: they are lines of a dead process,
// which everybody skips and removes, and the requests of others that wait behind them in one table
// wait for nothing in another.
func change(rs []*resource) {
	for _, r := range rs {
		r.prepare()
	}
	for _, r := range rs {
		for i := 0; r.fault == nil && i < len(r.batch); i++ {
			r.apply(&r.batch[i])
		}
	}
	last := rs[len(rs)-1]
	for i := range last.batch {
		if o := last.batch[i].op; o != nil && !o.wait {
			o.decide(rs)
		}
	}
	for _, r := range rs {
		r.settle()
	}
	if len(rs) > 1 {
		last.batch[0].op.revoke(rs)
	}
	if r, err := write(rs); err != nil {
		err = r.unavailable(err)
		for _, r := range rs {
			r.undo(err)
			if len(rs) > 1 { // perhaps this table has been written
				r.actor.Tell(message{verb: look})
			}
		}
	}
	for _, r := range rs {
		r.dropKernel()
		r.unlockTable()
	}
	tell(rs)
}

// prepare makes the table agree with what we know, or refuses everything if it cannot be used.
func (r *resource) prepare() {
	switch {
	case r.fault != nil:
		r.refuse(r.fault)
		return
	case r.stale || r.unsaved:
		r.reconcile()
	}
	r.stale, r.unsaved = false, false
	r.endKept()
}

func (r *resource) apply(m *message) {
	switch m.verb {
	case start:
		s := &m.op.steps[m.step]
		for l := s.releases; l != nil; l = l.next {
			r.release(l)
		}
		if s.part != nil {
			r.admit(s.part)
		}
	case cancel:
		r.cancelWaiting(m)
	case releaseUntold:
		r.drop(m.part)
	case renew:
		r.renew(m.query)
	case inspect:
		r.inspect(m.query)
	case breakAll:
		r.breakAll(m.query)
	case shut:
		r.shut()
	case verify:
		r.attempts = 0
		r.checkPlace()
		r.buryWatched()
	case tidyUp:
		r.tidy()
	case look:
		r.attempts = 0
	case again: // the settling that follows is the look
	case died:
		r.attempts = 0
		r.watched = slices.DeleteFunc(r.watched, func(c uint64) bool { return c == m.client }) // the watch is over
		r.bury(m.client)
	}
}

// write writes the tables. It returns the resource whose table could not be written.
func write(rs []*resource) (*resource, error) {
	for _, r := range rs {
		r.spread()
		r.announce() // losses before anybody else can see that the permits are free
	}
	for _, r := range rs {
		if err := r.save(); err != nil {
			return r, err
		}
	}
	for _, r := range rs {
		if !r.newHead() {
			continue
		}
		// The holder may have let go before it could see the ticket: see releaseSole.
		if r.settle(); r.turn.dirty {
			r.spread()
			r.announce()
			if err := r.save(); err != nil {
				return r, err
			}
		}
	}
	return nil, nil
}

// newHead reports whether the first in the queue has come in this turn and is ours.
func (r *resource) newHead() bool {
	q, t := r.turn.queued, r.tab
	return len(q) > 0 && len(t.Waiters) > 0 && t.Waiters[0].ID == q[0].id
}

// refuse answers everything with an error: the table could not be opened, locked or read. What ends, ends all
// the same; the table will be told when it can be.
func (r *resource) refuse(err error) {
	r.tab, r.unsaved = &lockdir.Table{Name: r.name}, r.unsaved || len(r.parts) > 0
	r.table.Forget()
	for i := range r.batch {
		switch m := &r.batch[i]; m.verb {
		case start:
			if p := m.op.steps[m.step].part; p != nil {
				r.refusePart(p, err)
			}
			r.apply(m)
			for _, l := range r.turn.released {
				l.err = cmp.Or(l.err, err)
			}
		case renew, inspect, breakAll:
			m.query.err = err
			r.turn.queries = append(r.turn.queries, m.query)
		case cancel, releaseUntold, shut, verify:
			r.apply(m)
		}
	}
	r.turn.dirty = false // there is no table to write
	r.dropKernel()
}
